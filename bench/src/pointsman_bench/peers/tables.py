"""What was measured, as tables of rounds: one for each workload, and one of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pointsman_bench.capacity.work import Outcome
from pointsman_bench.peers.comparison import Comparison, Sample
from pointsman_bench.peers.names import DIRECT, FAST
from pointsman_bench.peers.workloads import Workload
from pointsman_bench.report.rounds import Better, Metric, RoundsTable
from pointsman_bench.report.units import Unit

MEMORY = "memory"

_MILLION = 1e6

Read = Callable[[Outcome], float | None]


@dataclass(frozen=True, slots=True)
class _Column:
    metric: Metric
    read: Read


def _per_cpu_s(outcome: Outcome, done: int) -> float | None:
    return done / outcome.server_cpu_s if outcome.server_cpu_s else None


_TOKENS = _Column(
    Metric("tokens_per_s", "tokens", Unit.PER_SECOND, Better.HIGHER, "Tokens that clients got."),
    lambda o: o.tokens_per_s,
)
_TOKENS_PER_CPU_S = _Column(
    Metric(
        "tokens_per_cpu_s",
        "tokens, CPU",
        Unit.PER_SECOND,
        Better.HIGHER,
        "Tokens for each second of CPU time that the server used: what one whole core carries.",
    ),
    lambda o: _per_cpu_s(o, o.tokens),
)
_CPU_PER_MILLION = _Column(
    Metric(
        "cpu_s_per_million",
        "CPU-s per 1M tokens",
        Unit.PLAIN,
        Better.LOWER,
        "Seconds of the server's CPU time for a million tokens.",
    ),
    lambda o: o.server_cpu_s * _MILLION / o.tokens if o.server_cpu_s and o.tokens else None,
)
_CALLS = _Column(
    Metric("calls_per_s", "calls", Unit.PER_SECOND, Better.HIGHER, "Whole answers."),
    lambda o: o.calls_per_s,
)
_CALLS_PER_CPU_S = _Column(
    Metric(
        "calls_per_cpu_s",
        "calls, CPU",
        Unit.PER_SECOND,
        Better.HIGHER,
        "Calls for each second of CPU time that the server used: what one whole core answers.",
    ),
    lambda o: _per_cpu_s(o, o.calls),
)
_FIRST_P50 = _Column(
    Metric("first_p50", "first token p50", Unit.SECONDS, Better.LOWER, "From sending a request."),
    lambda o: o.first_token.p50 if o.first_token else None,
)
_FIRST_P99 = _Column(
    Metric("first_p99", "first token p99", Unit.SECONDS, Better.LOWER, "From sending a request."),
    lambda o: o.first_token.p99 if o.first_token else None,
)
_WHOLE_P50 = _Column(
    Metric("whole_p50", "answer p50", Unit.SECONDS, Better.LOWER, "Until the answer is whole."),
    lambda o: o.whole.p50 if o.whole else None,
)
_WHOLE_P99 = _Column(
    Metric("whole_p99", "answer p99", Unit.SECONDS, Better.LOWER, "Until the answer is whole."),
    lambda o: o.whole.p99 if o.whole else None,
)
_BUSY = _Column(
    Metric(
        "server_busy",
        "server busy",
        Unit.SHARE,
        explains="Share of a core that the server used. Well under 100 % in a closed loop, "
        "something else was the limit: client, upstream or other work on the machine.",
    ),
    lambda o: o.server_cpu_s / o.seconds if o.server_cpu_s is not None else None,
)
_CLIENT_BUSY = _Column(
    Metric(
        "client_busy",
        "client busy",
        Unit.SHARE,
        explains="Share of a core that the client used; it shares its core with the upstream.",
    ),
    lambda o: o.client_cpu_s / o.seconds,
)
_ADDED = Metric(
    "added_first_p50",
    "first token added, p50",
    Unit.SECONDS,
    Better.LOWER,
    "First token p50, less that of calling the upstream directly in the same round.",
)

_CLOSED_LOOP = (_TOKENS, _TOKENS_PER_CPU_S, _FIRST_P50, _FIRST_P99, _BUSY, _CLIENT_BUSY)
_COLUMNS = {
    "burst": _CLOSED_LOOP,
    "sends": _CLOSED_LOOP,
    "paced": (_CPU_PER_MILLION, _TOKENS, _FIRST_P50, _FIRST_P99, _BUSY, _CLIENT_BUSY),
    "nonstream": (_CALLS, _CALLS_PER_CPU_S, _WHOLE_P50, _WHOLE_P99, _BUSY, _CLIENT_BUSY),
    "single": (_FIRST_P50, _FIRST_P99, _WHOLE_P50, _WHOLE_P99),
}
_MEMORY_COLUMNS = (
    _Column(
        Metric("rss", "RSS", Unit.BYTES, Better.LOWER, "All that is mapped and present."),
        lambda o: o.server_memory.rss if o.server_memory else None,
    ),
    _Column(
        Metric("pss", "PSS", Unit.BYTES, Better.LOWER, "With fair shares of what is shared."),
        lambda o: o.server_memory.pss if o.server_memory else None,
    ),
    _Column(
        Metric("uss", "USS", Unit.BYTES, Better.LOWER, "What would be free if it ended."),
        lambda o: o.server_memory.uss if o.server_memory else None,
    ),
)


def tables(
    comparison: Comparison, workloads: Sequence[Workload], rounds: int, reference: str | None = None
) -> dict[str, RoundsTable]:
    """A table for each workload, by its name, and one of memory; none where nothing ran.

    ``reference`` is the system that ratios are against: by default pointsman's fast transport, or
    else the first system that ran.
    """
    systems = tuple(comparison.versions)
    if not systems:
        return {}
    chosen = reference if reference in systems else None
    against = chosen or (FAST if FAST in systems else systems[0])
    found = {}
    for workload in workloads:
        samples = [s for s in comparison.samples if s.workload == workload.name]
        columns = _COLUMNS[workload.name]
        values = _values(samples, systems, columns, rounds)
        metrics = tuple(column.metric for column in columns)
        if workload.name == "single" and DIRECT in systems:
            metrics = (_ADDED, *metrics)
            _add_added(values)
        found[workload.name] = RoundsTable(
            f"{workload.name}: {workload.does}",
            metrics,
            systems,
            values,
            against,
            _failures(samples),
        )
    last = {(s.system, s.round): s for s in comparison.samples if s.outcome is not None}
    served = tuple(s for s in systems if s != DIRECT) or systems
    found[MEMORY] = RoundsTable(
        "memory: after each round, pointsman with its classifier loaded",
        tuple(column.metric for column in _MEMORY_COLUMNS),
        served,
        _values(list(last.values()), served, _MEMORY_COLUMNS, rounds),
        against if against in served else served[0],
    )
    return found


def _values(
    samples: Sequence[Sample], systems: Sequence[str], columns: Sequence[_Column], rounds: int
) -> dict[str, dict[str, list[float | None]]]:
    """A value a round for each system and column."""
    values: dict[str, dict[str, list[float | None]]] = {
        system: {column.metric.key: [None] * rounds for column in columns} for system in systems
    }
    for sample in samples:
        if sample.outcome is None or sample.system not in values:
            continue
        for column in columns:
            values[sample.system][column.metric.key][sample.round - 1] = column.read(sample.outcome)
    return values


def _add_added(values: dict[str, dict[str, list[float | None]]]) -> None:
    """The first token's time less that of the direct call in the same round."""
    direct = values[DIRECT][_FIRST_P50.metric.key]
    for system, row in values.items():
        if system == DIRECT:
            row[_ADDED.key] = [None] * len(direct)
            continue
        pairs = zip(row[_FIRST_P50.metric.key], direct, strict=True)
        row[_ADDED.key] = [None if a is None or b is None else a - b for a, b in pairs]


def _failures(samples: Sequence[Sample]) -> tuple[str, ...]:
    """What failed, each once: rounds without a value, and errors within rounds."""
    notes = []
    for system in dict.fromkeys(s.system for s in samples):
        own = [s for s in samples if s.system == system]
        lost = [s for s in own if s.outcome is None]
        if lost:
            notes.append(f"{system}: nothing in {len(lost)} rounds: {lost[0].failure}")
        wrong = [s.outcome for s in own if s.outcome is not None and s.outcome.errors]
        if wrong:
            calls = sum(o.errors for o in wrong)
            notes.append(f"{system}: {calls} calls failed: {wrong[0].first_error}")
    return tuple(notes)
