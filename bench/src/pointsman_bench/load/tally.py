"""Counting what came of requests, by arm and slice. Pure; what a process counts can be pickled."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pointsman_bench.load.objectives import met
from pointsman_bench.load.reading import LEFT, OK, Reading
from pointsman_bench.results import FAILURE, GAP, LAG, Counts, Objective, SlowRequest
from pointsman_bench.sparse import Sparse

WARM_UP = -1
"""The slice of all that was due before the measured time began."""

SLOWEST = 20


@dataclass(slots=True)
class Tally:
    """Counts, and latencies by metric."""

    counts: Counts = field(default_factory=Counts)
    latencies: dict[str, Sparse] = field(default_factory=dict)

    def latency(self, metric: str) -> Sparse:
        """Where latencies of ``metric`` are counted."""
        return self.latencies.setdefault(metric, Sparse())

    def add(self, other: Tally) -> None:
        """Add all that ``other`` counted."""
        self.counts.add(other.counts)
        for metric, sparse in other.latencies.items():
            self.latency(metric).add(sparse)

    def encoded(self) -> dict[str, str]:
        """The latencies as a result file holds them."""
        return {metric: sparse.encode() for metric, sparse in self.latencies.items()}


@dataclass(frozen=True, slots=True)
class Slicing:
    """How the run is cut. Requests due at ``warm_up_s`` or later are in slices from 0 on."""

    warm_up_s: float
    slice_s: float

    def slice_of(self, due_s: float) -> int:
        """The slice of a request due ``due_s`` seconds after the start of the warm-up."""
        if due_s < self.warm_up_s:
            return WARM_UP
        return math.floor((due_s - self.warm_up_s) / self.slice_s)


@dataclass(slots=True)
class Tallies:
    """Everything that one process, or in the end all of them, counted."""

    by_slice: dict[tuple[int, int], Tally] = field(default_factory=dict)
    slowest: dict[int, list[tuple[float, int, SlowRequest]]] = field(default_factory=dict)
    _noted: int = 0

    def of(self, arm: int, slice_: int) -> Tally:
        """The tally of one slice of one arm."""
        found = self.by_slice.get((arm, slice_))
        if found is None:
            found = self.by_slice[arm, slice_] = Tally()
        return found

    def add(self, other: Tallies) -> None:
        """Add all that ``other`` counted."""
        for (arm, slice_), tally in other.by_slice.items():
            self.of(arm, slice_).add(tally)
        for arm, entries in other.slowest.items():
            for took, _, request in entries:
                self._note_slow(arm, took, request)

    def sent(self, arm: int, slice_: int, lag_s: float) -> None:
        """A request was sent, ``lag_s`` after it was due."""
        tally = self.of(arm, slice_)
        tally.counts.sent += 1
        tally.latency(LAG).record(lag_s)

    def ended(
        self,
        reading: Reading,
        *,
        arm: int,
        slice_: int,
        kind: str,
        cap: int | None,
        objectives: Sequence[Objective],
        start: float,
    ) -> None:
        """A request has ended. ``start`` is when the measured time began, on its clock."""
        tally = self.of(arm, slice_)
        measured = reading.measured()
        good = reading.status == OK and met(objectives, measured)
        reading.count(tally.counts, kind, cap, good=good)
        for metric, value in measured.items():
            tally.latency(metric).record(value)
        if reading.status not in (OK, LEFT):
            tally.latency(FAILURE).record(reading.ended - reading.due)
        if reading.gaps:
            gaps = tally.latency(GAP)
            for gap in reading.gaps:
                gaps.record(gap)
        if slice_ != WARM_UP and reading.status != LEFT:
            took = reading.ended - reading.due
            self._note_slow(arm, took, _slow_request(reading, start))

    def _note_slow(self, arm: int, took: float, request: SlowRequest) -> None:
        slowest = self.slowest.setdefault(arm, [])
        self._noted += 1  # so that requests that took as long are never compared themselves
        entry = (took, self._noted, request)
        if len(slowest) < SLOWEST:
            heapq.heappush(slowest, entry)
        elif took > slowest[0][0]:
            heapq.heapreplace(slowest, entry)


def _slow_request(reading: Reading, start: float) -> SlowRequest:
    first = reading.first_text
    return SlowRequest(
        decision_id=reading.decision_id,
        due_s=round(reading.due - start, 6),
        ttft_s=None if first is None else round(first - reading.due, 6),
        e2e_s=round(reading.ended - reading.due, 6) if reading.status == OK else None,
        model=reading.model,
        attempts=len(reading.attempt_reasons),
        outcome=reading.reason or reading.status,
    )
