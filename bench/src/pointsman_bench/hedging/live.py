"""Hedging on and off, in turn, on real servers in front of a simulated upstream.

Two servers stand side by side, one that may hedge and one that may not, and take turns under the
same load: what troubles the machine for a while troubles both. Then the upstream becomes twice as
slow, and both take turns again. How many calls there were is the upstream's own account.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import numpy as np

from pointsman_bench.hedging.bars import Bars, Figure, Quantiles, figures, quantiles, worst_window
from pointsman_bench.hedging.sender import Block, send
from pointsman_bench.load.arrivals import RateProfile, due_times
from pointsman_bench.load.errors import BenchError
from pointsman_bench.load.options import pins
from pointsman_bench.server_config import ServerSettings, UpstreamModel
from pointsman_bench.simulator.behaviour import (
    Change,
    Lognormal,
    ModelBehaviour,
    SimulatorConfig,
    Tail,
)
from pointsman_bench.stage import Simulator, server, simulator

DOUBLED = 1e6
"""From here on the simulator's clock shows a time at which everything takes twice as long."""

QUIET_TIMEOUT_S = 10.0
MOST_LATE = 0.1
"""The most that the sender's own lateness (p99) may be, in medians of first-token times."""

_MODELS = ("alder", "birch")


@dataclass(frozen=True, slots=True)
class Settings:
    """What to measure.

    Attributes:
        rounds: how often both servers take their turn.
        requests: of each turn.
        rate: requests a second; they come as a Poisson process.
        warm_up: requests to each server before anything counts.
        first_token: seconds, of the simulated models.
        tail: calls that take far longer.
        gap: seconds between two tokens of an answer, of which there are about ten.
        share: what share of calls hedging may cost.
        seed: equal seeds send requests at the same moments.
    """

    rounds: int = 5
    requests: int = 2000
    rate: float = 100.0
    warm_up: int = 800
    first_token: Lognormal = Lognormal(0.1, 0.4)
    tail: Tail = Tail(0.02, 20.0)
    gap: Lognormal = Lognormal(0.15, 0.3)
    share: float = 0.05
    seed: int = 1


@dataclass(slots=True)
class Side:
    """One server's turns. ``calls`` are those that the upstream saw."""

    blocks: list[Block] = field(default_factory=list)
    calls: int = 0

    @property
    def pooled(self) -> Block:
        """All turns as one."""
        whole = Block()
        for block in self.blocks:
            whole.add(block)
        return whole


@dataclass(frozen=True, slots=True)
class Phase:
    """One state of the upstream: its figures over all turns, and the p99's of each round."""

    name: str
    requests: int
    off: Quantiles
    on: Quantiles
    figures: tuple[Figure, ...]
    p99_by_round: tuple[float, ...]
    most_in_flight: int
    late_p99_s: float
    failures: dict[str, int]

    @property
    def faults(self) -> tuple[str, ...]:
        """Why its figures must not be used; empty where they may be."""
        found = []
        if self.late_p99_s > MOST_LATE * self.off.p50:
            late_ms = self.late_p99_s * 1000
            found.append(
                f"{self.name}: requests were sent up to {late_ms:.1f} ms late (p99), which is the "
                "sender's fault: lower --rate, or leave the machine alone"
            )
        if self.failures:
            told = ", ".join(f"{count} {status}" for status, count in self.failures.items())
            found.append(f"{self.name}: requests failed ({told}); look at the server's log")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Report:
    """All that was measured."""

    settings: Settings
    phases: tuple[Phase, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """Why its figures must not be used; empty where they may be."""
        return tuple(fault for phase in self.phases for fault in phase.faults)

    @property
    def met(self) -> bool:
        """Whether every bar was met."""
        return all(figure.met for phase in self.phases for figure in phase.figures)


async def measure(settings: Settings, say: Callable[[str, int, int], object]) -> Report:
    """Run the bench; ``say`` is told of what is under way, how far, and of how much.

    Raises:
        BenchError: a process did not start, or calls were left behind.
    """
    cores = sorted(os.sched_getaffinity(0))
    pinned = pins(cores, simulated=True)
    os.sched_setaffinity(0, pinned.generator)
    try:
        async with AsyncExitStack() as stack:
            config = simulated(settings)
            upstream = await stack.enter_async_context(simulator(config, pinned.simulator))
            targets = [
                await stack.enter_async_context(
                    server(_models(settings), upstream.url, ServerSettings(share), pinned.server)
                )
                for share in (0.0, settings.share)
            ]
            stage = _Stage(settings, upstream, tuple(t.address for t in targets), say)
            return Report(settings, await stage.run())
    finally:
        os.sched_setaffinity(0, cores)


def simulated(settings: Settings) -> SimulatorConfig:
    """Two models at two providers, alike, which become twice as slow late on their clock."""
    models = tuple(
        ModelBehaviour(
            name,
            first_token=settings.first_token,
            gap=settings.gap,
            tokens=Lognormal(10, 0.5),
            tail=settings.tail,
        )
        for name in _MODELS
    )
    doubled = Change(_MODELS, DOUBLED, 2 * DOUBLED, "slow", 2.0)
    return SimulatorConfig(models, (doubled,), seed=settings.seed)


class _Stage:
    def __init__(
        self,
        settings: Settings,
        upstream: Simulator,
        targets: tuple[str, ...],
        say: Callable[[str, int, int], object],
    ) -> None:
        self._settings = settings
        self._upstream = upstream
        self._targets = targets
        self._say = say
        self._rng = np.random.default_rng(settings.seed)

    async def run(self) -> tuple[Phase, ...]:
        settings = self._settings
        await self._upstream.start_clock(0.0)
        for target in self._targets:
            await self._turn(Side(), target, settings.warm_up, "warming up")
        usual = await self._rounds("usual", settings.rounds)
        await self._upstream.start_clock(-DOUBLED)
        doubled = await self._rounds("twice as slow", max(1, settings.rounds // 2))
        return (usual, doubled)

    async def _rounds(self, name: str, rounds: int) -> Phase:
        off, on = Side(), Side()
        for number in range(rounds):
            turns = [(off, self._targets[0], "off"), (on, self._targets[1], "on")]
            for side, target, state in turns if number % 2 == 0 else reversed(turns):
                doing = f"{name}, round {number + 1} of {rounds}, hedging {state}"
                await self._turn(side, target, self._settings.requests, doing)
        return phase(name, off, on)

    async def _turn(self, side: Side, target: str, requests: int, doing: str) -> None:
        before = await self._calls()
        rate = self._settings.rate
        due = due_times("poisson", RateProfile(rate), requests / rate, self._rng)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self._say(doing, done, len(due))

        side.blocks.append(await send(target, due.tolist(), advance))
        side.calls += await self._calls() - before

    async def _calls(self) -> int:
        """How many calls the upstream has seen, once none is under way."""
        give_up = time.monotonic() + QUIET_TIMEOUT_S
        while (account := await self._upstream.account()).in_flight:
            if time.monotonic() > give_up:
                raise BenchError(
                    f"{account.in_flight} calls are left under way after all requests have ended"
                )
            await asyncio.sleep(0.1)
        return sum(model.calls for model in account.models.values())


def phase(name: str, off: Side, on: Side) -> Phase:
    """The figures of what both sides saw."""
    without, with_ = off.pooled, on.pooled
    requests = len(with_.due)
    hedged = sorted(with_.hedged)
    both = Block()
    both.add(without)
    both.add(with_)
    return Phase(
        name=name,
        requests=len(both.due),
        off=quantiles(without.first_token_s),
        on=quantiles(with_.first_token_s),
        figures=figures(
            quantiles(without.first_token_s),
            quantiles(with_.first_token_s),
            on.calls / requests - 1 if requests else 0.0,
            worst_window(sorted(with_.due), hedged),
            Bars(),
        ),
        p99_by_round=tuple(
            quantiles(b.first_token_s).p99 / quantiles(a.first_token_s).p99
            for a, b in zip(off.blocks, on.blocks, strict=True)
        ),
        most_in_flight=both.most_in_flight,
        late_p99_s=quantiles(both.late_s).p99,
        failures=both.failures,
    )


def _models(settings: Settings) -> tuple[UpstreamModel, ...]:
    """The first is a little cheaper, so that it is the one that is called."""
    return tuple(
        UpstreamModel(f"{name}/only", name, "middle", price, 4 * price, settings.first_token.median)
        for name, price in zip(_MODELS, (0.1, 0.11), strict=True)
    )
