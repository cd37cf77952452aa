"""From what was counted to the result. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pointsman_bench.load.checks import check
from pointsman_bench.load.options import Prepared
from pointsman_bench.load.processes import Generated
from pointsman_bench.load.tally import WARM_UP, Tallies, Tally
from pointsman_bench.load.verdict import Evidence, judge
from pointsman_bench.results import (
    LAG,
    TTFT,
    Arm,
    Counts,
    Generator,
    LoadResult,
    Machine,
    ProviderBooks,
    Run,
    ServerBooks,
    Slice,
)
from pointsman_bench.sparse import Sparse

TOO_LITTLE_TO_TELL = 0.02
"""Shares of a core below this say nothing of when it would be used up."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the run found around it. ``simulator_busy`` is the share of a core that it used."""

    machine: Machine
    versions: Mapping[str, str]
    target: str
    started_at: str
    server: ServerBooks | None = None
    provider: ProviderBooks | None = None
    simulator_late_p99_s: float | None = None
    simulator_busy: float | None = None


def assemble(prepared: Prepared, generated: Generated, around: Surroundings) -> LoadResult:
    """Make the result of a run."""
    options = prepared.options
    measured_s = measured_time(prepared, generated)
    slices = math.ceil(measured_s / options.slice_s - 1e-9)
    arms = tuple(
        _arm(prepared, generated.tallies, index, slices, measured_s)
        for index in range(len(prepared.arms))
    )
    whole, measured = Counts(), Tally()
    for (_, slice_), tally in generated.tallies.by_slice.items():
        whole.add(tally.counts)
        if slice_ != WARM_UP:
            measured.add(tally)
    checks = check(whole, around.server, around.provider, capped=prepared.capped)
    lag = measured.latency(LAG)
    generator = _generator(prepared, generated, measured, lag, measured_s)
    warm_up = prepared.warm_up_s
    evidence = Evidence(
        due=prepared.schedule.due_between(warm_up, warm_up + measured_s),
        sent=measured.counts.sent,
        answered=measured.counts.answered,
        lag_p99_s=lag.quantile(0.99),
        median_ttft_s=measured.latency(TTFT).quantile(0.5),
        generator_busiest=generated.busiest,
        interrupted=generated.ended_early_s is not None,
        lost_processes=generated.lost,
        not_sent_for_limit=generated.refused_at_limit,
        simulator_late_p99_s=around.simulator_late_p99_s,
        simulator_busy=around.simulator_busy,
        processes_wanted=options.processes + (around.provider is not None) + _own(around),
        cores=around.machine.cores,
        elsewhere=around.machine.elsewhere,
        checks=checks,
    )
    return LoadResult(
        run=_run(prepared, generated, around, measured_s),
        machine=around.machine,
        verdict=judge(evidence, options.limits),
        generator=generator,
        arms=arms,
        moments=generated.activity.moments(measured_s),
        whole_run=whole,
        provider=around.provider,
        server=around.server,
        checks=checks,
        versions=around.versions,
    )


def measured_time(prepared: Prepared, generated: Generated) -> float:
    """How much of the measured time there really was, in seconds."""
    if generated.ended_early_s is None:
        return prepared.duration_s
    return min(prepared.duration_s, max(0.0, generated.ended_early_s - prepared.warm_up_s))


def _own(around: Surroundings) -> int:
    return int(around.server is not None and around.server.cpu_s is not None)


def _arm(prepared: Prepared, tallies: Tallies, index: int, slices: int, measured_s: float) -> Arm:
    whole = Tally()
    parts = []
    for number in range(slices):
        tally = tallies.by_slice.get((index, number), Tally())
        whole.add(tally)
        start = number * prepared.options.slice_s
        length = min(prepared.options.slice_s, measured_s - start)
        parts.append(Slice(start, length, tally.counts, tally.encoded()))
    return Arm(
        name=prepared.arms[index].name,
        offered_rate=whole.counts.sent / measured_s if measured_s else 0.0,
        counts=whole.counts,
        histograms=whole.encoded(),
        slices=tuple(parts),
        slowest=tuple(
            entry[2] for entry in sorted(tallies.slowest.get(index, ()), key=_took, reverse=True)
        ),
    )


def _took(entry: tuple[float, int, object]) -> float:
    return entry[0]


def _generator(
    prepared: Prepared, generated: Generated, measured: Tally, lag: Sparse, measured_s: float
) -> Generator:
    options = prepared.options
    sent = measured.counts.sent
    mean_busy = generated.busy / options.processes
    saturates_at = None
    if mean_busy > TOO_LITTLE_TO_TELL and measured_s > 0:
        saturates_at = round(sent / measured_s / mean_busy, 1)
    return Generator(
        processes=options.processes,
        sent_in_warm_up=prepared.schedule.due_between(0.0, prepared.warm_up_s),
        lag=lag.encode(),
        cpu_s=round(generated.cpu_s, 4),
        cpu_us_per_request=round(generated.cpu_s / sent * 1e6, 1) if sent else 0.0,
        busiest=round(generated.busiest, 4),
        saturates_at=saturates_at,
    )


def _run(prepared: Prepared, generated: Generated, around: Surroundings, measured_s: float) -> Run:
    options = prepared.options
    return Run(
        scenario=options.scenario.name,
        description=options.scenario.summary,
        arrival="trace" if options.trace is not None else options.arrival,
        rate=prepared.rate,
        seed=options.seed,
        warm_up_s=prepared.warm_up_s,
        duration_s=prepared.duration_s,
        measured_s=measured_s,
        slice_s=options.slice_s,
        interrupted=generated.ended_early_s is not None,
        started_at=around.started_at,
        target=around.target,
        objectives=prepared.objectives,
        phases=prepared.phases,
        notes=prepared.notes,
    )
