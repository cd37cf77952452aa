"""No gateway at all: the client calls the upstream. What the others add is measured against it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pointsman_bench.capacity.work import Work
from pointsman_bench.peers import names
from pointsman_bench.peers.launch import Launched
from pointsman_bench.peers.system import Place, chat_work
from pointsman_bench.peers.workloads import Workload


@dataclass(frozen=True, slots=True)
class Direct:
    """The upstream itself. Its rates are what upstream and client alone can do on their core."""

    name: str = names.DIRECT

    @property
    def versions(self) -> str:
        """There is nothing in between."""
        return "the upstream, called by the client"

    @asynccontextmanager
    async def start(self, place: Place) -> AsyncIterator[Launched]:
        """Nothing to start. The upstream is not the server under test, so no one's CPU is read."""
        yield Launched(None, place.upstream)

    def work(self, workload: Workload, place: Place, address: str) -> Work:
        """The workload in OpenAI's dialect."""
        del place
        return chat_work(workload, address, {})
