"""Memory under long work: what a server holds after some streams, and after ten times as many."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pointsman_bench.capacity.process import drive
from pointsman_bench.capacity.work import Memory, Work, WorkError
from pointsman_bench.peers.cores import choose
from pointsman_bench.peers.install import Say, cache_folder
from pointsman_bench.peers.launch import answering
from pointsman_bench.peers.system import Place, System
from pointsman_bench.peers.upstream import upstream
from pointsman_bench.peers.workloads import WORKLOADS, models


@dataclass(frozen=True, slots=True)
class SoakSettings:
    """``first`` and ``last`` are numbers of streams; memory is read ``points`` times on the way."""

    system: System
    first: int
    last: int
    points: int
    upstream: str | None


@dataclass(frozen=True, slots=True)
class Point:
    """Memory after so many streams. ``errors`` of the stretch before it."""

    streams: int
    memory: Memory
    streams_per_s: float
    errors: int


@dataclass(frozen=True, slots=True)
class Soak:
    """The curve. ``first`` and ``last`` are the points that are compared."""

    points: tuple[Point, ...]
    first: Point
    last: Point
    notes: tuple[str, ...]

    @property
    def rss_ratio(self) -> float:
        """How much more it holds at the last point than at the first."""
        return self.last.memory.rss / self.first.memory.rss


def stops(first: int, last: int, points: int) -> tuple[int, ...]:
    """After how many streams memory is read: evenly to the last, and at the first."""
    even = {round(last * number / points) for number in range(1, points + 1)}
    return tuple(sorted(even | {first, last}))


async def soak(settings: SoakSettings, say: Say, reached: Callable[[Point], None]) -> Soak:
    """Let one server answer stream after stream, and read its memory as it goes.

    Each stretch between two points is a client of its own, which connects anew.

    Raises:
        BenchError, LaunchError, Missing: upstream or server did not start.
        WorkError: the server stopped answering.
    """
    cores, workload = choose(), WORKLOADS["burst"]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pointsman-soak-")))
        up = await stack.enter_async_context(upstream(settings.upstream, [workload], cores.client))
        place = Place(up.address, models([workload]), cores.server, folder, cache_folder(), say)
        say(f"starting {settings.system.name}")
        server = await stack.enter_async_context(settings.system.start(place))
        work = msgspec.structs.replace(
            settings.system.work(workload, place, server.address),
            warm_up_s=0.0,
            server_pid=server.pid,
        )
        await answering(settings.system.name, work, cores.client)
        points: list[Point] = []
        done = 0
        for stop in stops(settings.first, settings.last, settings.points):
            points.append(await _stretch(work, done, stop, cores.client))
            reached(points[-1])
            done = stop
    at = {point.streams: point for point in points}
    return Soak(tuple(points), at[settings.first], at[settings.last], (up.note, cores.note))


async def _stretch(work: Work, done: int, stop: int, cores: tuple[int, ...]) -> Point:
    outcome = await drive(msgspec.structs.replace(work, calls=stop - done, first=done), cores)
    if outcome.server_memory is None:
        raise WorkError("the server's memory cannot be read")
    return Point(stop, outcome.server_memory, outcome.calls_per_s, outcome.errors)
