"""The upstream that all systems stand in front of: one that is given, or the built-in simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pointsman_bench import stage
from pointsman_bench.peers.workloads import Workload, behaviours
from pointsman_bench.simulator.behaviour import SimulatorConfig

SIMULATOR_NOTE = (
    "The upstream is the built-in simulator. It sends what is due at once, so that in `sends` a "
    "token comes every millisecond: compare CPU there, not tokens a second."
)


@dataclass(frozen=True, slots=True)
class Upstream:
    """``address`` is host:port; ``note`` says in a sentence what it is."""

    address: str
    note: str


@asynccontextmanager
async def upstream(
    address: str | None, workloads: Sequence[Workload], cores: Sequence[int]
) -> AsyncIterator[Upstream]:
    """The one at ``address``, or else the simulator, run on ``cores``.

    Raises:
        BenchError: the simulator did not start.
    """
    if address is not None:
        yield Upstream(address, f"The upstream is the one that was given, at {address}.")
        return
    async with stage.simulator(SimulatorConfig(behaviours(workloads)), cores) as simulator:
        host = simulator.url.removeprefix("http://").removesuffix("/v1")
        yield Upstream(host, SIMULATOR_NOTE)
