"""The generator's processes: started together, listened to, and always ended."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from pointsman_bench.load.activity import Activity
from pointsman_bench.load.errors import BenchError
from pointsman_bench.load.plan import (
    Done,
    FromWorker,
    Go,
    LoadPlan,
    Progress,
    Ready,
    Share,
    Stop,
    Unreachable,
)
from pointsman_bench.load.tally import Tallies
from pointsman_bench.load.worker import run_worker

READY_TIMEOUT_S = 60.0
HEAD_START_S = 0.5
"""From the word to go until the first request is due, for it to reach every process."""
STOP_GRACE_S = 2.0
"""How long answers under way get when a run is ended early."""
LATE_S = 15.0
"""How long after the last deadline a process may take to say what it measured."""
_JOIN_S = 5.0


@dataclass(slots=True)
class Generated:
    """What all processes measured together; ``lost`` died, and what they measured with them.

    ``busiest`` is the largest share of a core that one of them used. ``ended_early_s`` is when the
    run was told to stop, seconds from the start of the warm-up.
    """

    tallies: Tallies = field(default_factory=Tallies)
    activity: Activity = field(default_factory=lambda: Activity(0.0))
    cpu_s: float = 0.0
    busiest: float = 0.0
    busy: float = 0.0
    refused_at_limit: int = 0
    lost: int = 0
    ended_early_s: float | None = None

    def add(self, done: Done) -> None:
        """Add what one process measured."""
        self.tallies.add(done.tallies)
        self.activity.add(done.activity)
        self.cpu_s += done.cpu_s
        self.refused_at_limit += done.refused_at_limit
        if done.wall_s > 0:
            share = done.cpu_s / done.wall_s
            self.busy += share
            self.busiest = max(self.busiest, share)


class _Worker:
    """One process and our end of its pipe."""

    def __init__(self, share: Share) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe: Connection
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=run_worker, args=(share, theirs), daemon=True, name=f"load {share.index}"
        )
        self.process.start()
        theirs.close()  # else its end would never be seen
        self.inbox: asyncio.Queue[FromWorker | None] = asyncio.Queue()
        self.gone = False
        asyncio.get_running_loop().add_reader(self.pipe.fileno(), self._listen)

    def _listen(self) -> None:
        try:
            while self.pipe.poll():
                self.inbox.put_nowait(self.pipe.recv())
        except (EOFError, OSError):
            self._unlisten()
            self.inbox.put_nowait(None)

    def _unlisten(self) -> None:
        if not self.gone:
            self.gone = True
            asyncio.get_running_loop().remove_reader(self.pipe.fileno())

    def say(self, order: Go | Stop) -> None:
        """Tell it; one that is gone hears nothing."""
        try:
            self.pipe.send(order)
        except OSError:
            self._unlisten()

    async def close(self) -> None:
        """End the process, whatever it is doing."""
        self._unlisten()
        self.pipe.close()  # it ends when it sees that
        for end in (self.process.terminate, self.process.kill):
            await asyncio.to_thread(self.process.join, _JOIN_S)
            if self.process.exitcode is not None:
                break
            end()
        await asyncio.to_thread(self.process.join, _JOIN_S)
        self.process.close()


async def generate(
    plan: LoadPlan,
    processes: int,
    *,
    cores: Sequence[int] = (),
    stop: asyncio.Event,
    on_start: Callable[[float], Awaitable[None]],
    on_progress: Callable[[Progress], None],
) -> Generated:
    """Run ``plan`` with so many processes.

    ``on_start`` is told when the warm-up begins (CLOCK_MONOTONIC), shortly before. Setting
    ``stop`` ends the run early.

    Raises:
        BenchError: the processes could not be started, or the target is not reached.
    """
    workers: list[_Worker] = []
    try:
        for index in range(processes):
            own = (cores[index % len(cores)],) if cores else ()
            share = Share(index, processes, _share_of(plan, index, processes), own)
            workers.append(_Worker(share))
        await _all_ready(workers, plan.target)
        start = time.monotonic() + HEAD_START_S
        await on_start(start)
        for worker in workers:
            worker.say(Go(start))
        return await _gather(workers, plan, start, stop, on_progress)
    finally:
        await asyncio.gather(*(worker.close() for worker in workers))


def _share_of(plan: LoadPlan, index: int, of: int) -> LoadPlan:
    return LoadPlan(
        target=plan.target,
        schedule=plan.schedule.share(index, of),
        templates=plan.templates,
        arms=plan.arms,
        slicing=plan.slicing,
        length_s=plan.length_s,
        objectives=plan.objectives,
        timeout_s=plan.timeout_s,
        max_in_flight=max(1, plan.max_in_flight // of),
        connections=plan.connections,
        reference=plan.reference,
    )


async def _all_ready(workers: Sequence[_Worker], target: str) -> None:
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            for worker in workers:
                match await worker.inbox.get():
                    case Ready():
                        pass
                    case Unreachable(why):
                        raise BenchError(
                            f"no pointsman server is reached at {target} ({why}); start one with "
                            f"`pointsman serve`, or leave --target away to have one started"
                        )
                    case _:
                        raise BenchError(
                            "a process of the generator ended before it began; run again with "
                            "--processes 1 to see what it says"
                        )
    except TimeoutError:
        raise BenchError(
            f"the generator's processes were not ready within {READY_TIMEOUT_S:g} s; the machine "
            f"may be overloaded"
        ) from None


async def _gather(
    workers: Sequence[_Worker],
    plan: LoadPlan,
    start: float,
    stop: asyncio.Event,
    on_progress: Callable[[Progress], None],
) -> Generated:
    generated = Generated()
    collecting = asyncio.create_task(_collect_all(workers, generated, on_progress))
    stopping = asyncio.create_task(stop.wait())
    either: set[asyncio.Task[Any]] = {collecting, stopping}
    last_answer = start + plan.length_s + plan.timeout_s
    try:
        wait = last_answer + LATE_S - time.monotonic()
        await asyncio.wait(either, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done() and not collecting.done():
            generated.ended_early_s = min(plan.length_s, time.monotonic() - start)
            for worker in workers:
                worker.say(Stop(STOP_GRACE_S))
            await asyncio.wait({collecting}, timeout=STOP_GRACE_S + LATE_S)
        if collecting.done():
            collecting.result()
    finally:
        for task in either:
            task.cancel()
        await asyncio.gather(*either, return_exceptions=True)
    return generated


async def _collect_all(
    workers: Sequence[_Worker], generated: Generated, on_progress: Callable[[Progress], None]
) -> None:
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(_collect(worker, generated, on_progress))


async def _collect(
    worker: _Worker, generated: Generated, on_progress: Callable[[Progress], None]
) -> None:
    generated.lost += 1  # until it has said what it measured
    while (message := await worker.inbox.get()) is not None:
        match message:
            case Progress():
                on_progress(message)
            case Done():
                generated.add(message)
                generated.lost -= 1
                return
