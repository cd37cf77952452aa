"""Quantiles of the last few observations."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque


class QuantileWindow:
    """Exact quantiles of the last ``size`` observations; an insertion costs O(log n) compares.

    ``math.inf`` stands for an observation that is only known to be greater than all others (a
    right-censored one): it counts in the rank, so that giving up on slow calls does not make the
    estimate drift down.
    """

    def __init__(self, size: int = 600) -> None:
        if size < 1:
            raise ValueError("a window holds at least one observation")
        self._recent: deque[float] = deque(maxlen=size)
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._recent)

    def add(self, value: float) -> None:
        """Add an observation; the oldest goes once the window is full. NaN is refused."""
        if math.isnan(value):
            raise ValueError("not a number")
        if len(self._recent) == self._recent.maxlen:
            oldest = self._recent[0]
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._recent.append(value)
        insort(self._sorted, value)

    def quantile(self, q: float) -> float | None:
        """The smallest observation with at least a share ``q`` of all at or below it.

        ``None`` while there is no observation.
        """
        if not self._sorted:
            return None
        rank = math.ceil(q * len(self._sorted))
        return self._sorted[min(max(rank, 1), len(self._sorted)) - 1]
