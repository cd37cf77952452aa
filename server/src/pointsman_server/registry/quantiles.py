"""Quantiles of the last few observations, where some are known only to be greater than so much."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable

_MOST_CACHED = 8
_STALE = 64
"""What was computed serves until one in so many observations is new."""


class SurvivalWindow:
    """Quantiles of the last ``size`` observations, each either seen or cut short (right-censored).

    What was cut short after some time would have taken longer than that, nobody knows how much. It
    stays among those still waiting until then and leaves them without an event, as E. L. Kaplan
    and P. Meier have it (Nonparametric Estimation from Incomplete Observations, JASA 53, 1958). So
    giving up on slow calls does not make the estimate drift down, and giving up on a call after a
    moment does not make it drift up.

    Between observations it is interpolated such that the next one exceeds the quantile ``q`` with
    probability 1 - q: the k-th of n stands at k / (n + 1), which is definition 6 of R. J. Hyndman
    and Y. Fan (Sample Quantiles in Statistical Packages, The American Statistician 50, 1996).

    An insertion costs O(log n) compares; a quantile one step for each observation below it that
    was cut short, and is computed anew when one in 64 observations has changed.
    """

    def __init__(self, size: int = 600) -> None:
        if size < 1:
            raise ValueError("a window holds at least one observation")
        self._size = size
        self._recent: deque[tuple[float, bool]] = deque()
        self._seen: list[float] = []
        self._cut: list[float] = []
        self._cached: dict[float, float] = {}
        self._added = 0

    def __len__(self) -> int:
        return len(self._recent)

    def add(self, value: float, *, cut: bool = False) -> None:
        """Add an observation; the oldest goes once the window is full.

        Raises:
            ValueError: ``value`` is not finite.
        """
        if not math.isfinite(value):
            raise ValueError(f"an observation is a finite number, not {value}")
        if len(self._recent) == self._size:
            oldest, was_cut = self._recent.popleft()
            ordered = self._cut if was_cut else self._seen
            del ordered[bisect_left(ordered, oldest)]
        self._recent.append((value, cut))
        insort(self._cut if cut else self._seen, value)
        self._added += 1
        if self._added * _STALE >= len(self._recent):
            self._forget()

    def replace(self, observations: Iterable[tuple[float, bool]]) -> None:
        """Hold these instead, each with whether it was cut short, the oldest first."""
        self._recent = deque(observations, self._size)
        self._seen = sorted(value for value, cut in self._recent if not cut)
        self._cut = sorted(value for value, cut in self._recent if cut)
        self._forget()

    def quantile(self, q: float) -> float | None:
        """What a share ``q`` of observations lies below.

        ``None`` while there is no observation; ``math.inf`` where so many were cut short that the
        quantile lies beyond what was waited for.
        """
        if not self._recent:
            return None
        known = self._cached.get(q)
        if known is None:
            if len(self._cached) >= _MOST_CACHED:
                self._forget()
            known = self._cached[q] = self._quantile(q)
        return known

    @property
    def greatest(self) -> float | None:
        """The greatest observation, seen or cut short."""
        tops = [ordered[-1] for ordered in (self._seen, self._cut) if ordered]
        return max(tops, default=None)

    def _forget(self) -> None:
        self._cached.clear()
        self._added = 0

    def _quantile(self, q: float) -> float:
        """Walk along what was cut short, until the quantile lies before it.

        With j cut short so far, each of those still waiting counts ``weight`` times, so that the
        k-th of those seen has (n + 1 - j - k) * weight above it.
        """
        seen, places = self._seen, len(self._recent) + 1
        above, weight, before = (1 - q) * places, 1.0, 0
        for j, value in enumerate(self._cut):
            before = bisect_right(seen, value)
            place = places - j - above / weight
            if before > 0 and place <= before:
                return self._at(place)
            waiting = places - 1 - j - before
            weight *= (waiting + 1) / waiting
        if before == len(seen) and self._cut:
            return math.inf
        return self._at(places - len(self._cut) - above / weight)

    def _at(self, place: float) -> float:
        """Between the observations seen that stand around ``place``, counted from 1."""
        seen = self._seen
        if place <= 1:
            return seen[0]
        if place >= len(seen):
            return seen[-1]
        below = int(place)
        low, high = seen[below - 1], seen[below]
        return low + (high - low) * (place - below)
