"""The run: every system does the same work in turn, round after round."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import msgspec

from pointsman_bench.capacity.process import drive
from pointsman_bench.capacity.work import Outcome, Work, WorkError
from pointsman_bench.peers.cores import Cores, choose
from pointsman_bench.peers.install import Missing, Say
from pointsman_bench.peers.launch import Launched, LaunchError, answering
from pointsman_bench.peers.system import Place, System
from pointsman_bench.peers.upstream import upstream
from pointsman_bench.peers.workloads import Workload, models

_PROMPTS_APART = 100_000
"""Numbers of requests between two stretches of work, so that no prompt ever comes twice."""
_WARM_UP_ROUND = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """What to compare. ``upstream`` is host:port, or ``None`` for the built-in simulator."""

    systems: Sequence[System]
    workloads: Sequence[Workload]
    rounds: int
    warm_up_s: float
    window_s: float
    upstream: str | None
    cache: Path

    @property
    def stretches(self) -> int:
        """How often a client is run, the warm-up round included."""
        return len(self.systems) * len(self.workloads) * (self.rounds + 1)


@dataclass(frozen=True, slots=True)
class Sample:
    """A system's work in one round: what was measured, or why nothing was."""

    system: str
    workload: str
    round: int
    outcome: Outcome | None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All samples. ``versions`` are of what ran; ``missing`` says why the others did not."""

    samples: tuple[Sample, ...]
    versions: dict[str, str]
    missing: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Running:
    system: System
    server: Launched


async def compare(settings: Settings, say: Say, sampled: Callable[[Sample], None]) -> Comparison:
    """Start all systems, then measure them in turn.

    Args:
        settings: what to compare.
        say: told what is being done, in sentences.
        sampled: told of each sample of a round, as it comes.

    Raises:
        BenchError: the simulator did not start.
    """
    cores = choose()
    samples, missing = [], {}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pointsman-peers-")))
        up = await stack.enter_async_context(
            upstream(settings.upstream, settings.workloads, cores.client)
        )
        place = Place(
            up.address, models(settings.workloads), cores.server, folder, settings.cache, say
        )
        running = []
        for system in settings.systems:
            say(f"starting {system.name}")
            try:
                server = await stack.enter_async_context(system.start(place))
                probe = system.work(settings.workloads[0], place, server.address)
                await answering(system.name, probe, cores.client)
            except (Missing, LaunchError) as error:
                missing[system.name] = str(error)
                say(f"{system.name} is missing: {error}")
            else:
                running.append(_Running(system, server))
        async with _out_of_the_way(cores):
            samples = [s async for s in _rounds(settings, place, running, cores, sampled)]
    return Comparison(
        samples=tuple(samples),
        versions={r.system.name: r.system.versions for r in running},
        missing=missing,
        notes=(up.note, cores.note),
    )


async def _rounds(
    settings: Settings,
    place: Place,
    running: Sequence[_Running],
    cores: Cores,
    sampled: Callable[[Sample], None],
) -> AsyncIterator[Sample]:
    stretches = count(1)
    for number in range(settings.rounds + 1):
        for workload in settings.workloads:
            for each in running:
                first = next(stretches) * _PROMPTS_APART
                work = msgspec.structs.replace(
                    each.system.work(workload, place, each.server.address),
                    warm_up_s=settings.warm_up_s,
                    window_s=settings.window_s,
                    first=first,
                    server_pid=each.server.pid,
                )
                sample = await _sample(work, each.system.name, workload.name, number, cores)
                sampled(sample)
                if number != _WARM_UP_ROUND:
                    yield sample


async def _sample(work: Work, system: str, workload: str, number: int, cores: Cores) -> Sample:
    try:
        outcome = await drive(work, cores.client)
    except WorkError as error:
        return Sample(system, workload, number, None, str(error))
    if not outcome.calls and not outcome.tokens:
        failure = outcome.first_error or f"no answer within {outcome.seconds:.1f} s"
        return Sample(system, workload, number, None, failure)
    return Sample(system, workload, number, outcome)


@asynccontextmanager
async def _out_of_the_way(cores: Cores) -> AsyncIterator[None]:
    """Keep this process off the servers' core."""
    if not cores.client:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores.client)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
