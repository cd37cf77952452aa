"""The metrics of all workers, gathered when somebody asks for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from pointsman_server.supervisor.members import State
from pointsman_server.supervisor.messages import Order
from pointsman_server.supervisor.process import WorkerProcess
from pointsman_server.telemetry.merge import Totals

PATIENCE_S = 1.0
"""How long a page waits for a worker; one that is later stands in it with its last report."""


class Gatherer:
    """Asks ``workers``, by number, for reports and sums them."""

    def __init__(self, workers: Mapping[int, WorkerProcess]) -> None:
        self._workers = workers
        self._totals = Totals()
        self._awaited: dict[int, asyncio.Event] = {}
        self._asking: asyncio.Task[None] | None = None

    def reported(self, number: int, text: str) -> None:
        """A worker has reported.

        Raises:
            ValueError: ``text`` is no page of metrics.
        """
        self._totals.reported(number, text)
        self._came(number)

    def ended(self, number: int) -> None:
        """A worker has ended and reports no more."""
        self._totals.ended(number)
        self._came(number)

    async def page(self, own: str) -> str:
        """One page of metrics, with ``own`` at its end. Those who ask at once share the asking."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        await asyncio.shield(self._asking)
        return self._totals.page([own])

    async def _ask(self) -> None:
        self._awaited = {number: asyncio.Event() for number in self._workers}
        for worker in self._workers.values():
            worker.tell(Order.REPORT)
        waits = [asyncio.create_task(event.wait()) for event in self._awaited.values()]
        if waits:
            _, late = await asyncio.wait(waits, timeout=PATIENCE_S)
            for wait in late:
                wait.cancel()

    def _came(self, number: int) -> None:
        if number in self._awaited:
            self._awaited[number].set()


def own_metrics(count: Counter[State], crashes: int) -> str:
    """What the parent itself knows, in Prometheus' text format."""
    lines = [
        "# HELP pointsman_workers Worker processes, by what they are doing.",
        "# TYPE pointsman_workers gauge",
        *(f'pointsman_workers{{state="{state.value}"}} {count[state]}' for state in State),
        "# HELP pointsman_worker_crashes_total Worker processes that ended unasked.",
        "# TYPE pointsman_worker_crashes_total counter",
        f"pointsman_worker_crashes_total {crashes}",
    ]
    return "\n".join(lines) + "\n"
