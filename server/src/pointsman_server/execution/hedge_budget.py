"""How many hedges are affordable: a share of all calls, never a fixed number."""

from __future__ import annotations

import math

MAX_CREDIT = 20.0
"""How many hedges a calm time can save up for a worse one."""

FEW = 8
"""So many hedges in a window are no storm, however few the requests."""

RESERVED = 1.5
"""How many standard deviations of a window's hedges are kept for those who have waited longer."""

PATIENT = 1.5
"""Who has waited so many times as long as a hedge's delay may have the whole reserve."""

_SLICES = 127


class HedgeBudget:
    """Allows hedges up to a share of requests, in the long run and in every window.

    Each request earns ``share`` of a hedge; ``burst`` hedges are there to begin with, so that a
    quiet server may hedge at all, and no more than `MAX_CREDIT` are saved up. Besides, no window
    of ``window_s`` seconds sees more than ``share`` of its requests hedged (or `FEW`, where that
    is more), so that savings are not spent at once when everything slows down.

    Most calls that are a little slow are about to answer; those that need a hedge are slow still a
    moment later. If whoever asks first had everything, chance would leave nothing for the worst
    calls. So a part of the window is reserved, and opens to a call as it waits: `RESERVED` times
    the square root of what is allowed, by which a count of independent events varies (Poisson).
    A call that is refused asks again later.

    An exhausted budget never fails a call: the request goes on with the model that it has. Memory
    does not depend on how many requests there are: a window is counted in slices of time, and
    is never taken to have more requests, or fewer hedges, than it had.
    """

    def __init__(self, share: float, *, window_s: float = 10.0, burst: int = 2) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share must lie between 0 and 1, not {share}")
        self.share = share
        self._burst = burst if share > 0 else 0
        self._credit = float(self._burst)
        self._requests = _Recent(window_s, _SLICES)
        self._hedges = _Recent(window_s, _SLICES + 1)

    def request(self, now: float) -> None:
        """Count a request that began at ``now`` (seconds, monotonic)."""
        self._requests.add(now)
        self._credit = min(self._credit + self.share, max(MAX_CREDIT, self._burst))

    def take(self, now: float, waited: float = PATIENT) -> bool:
        """Spend one hedge if there is one, and the window can bear it.

        Args:
            now: seconds, monotonic.
            waited: how long the call has waited, in delays of its hedge; 1 when it is due.
        """
        # a share such as 0.05 is not exact in binary: twenty requests earn a hair less than one
        if self._credit < 1 - 1e-9:
            return False
        allowed = max(FEW, self.share * self._requests.count(now))
        shut = min(max((PATIENT - waited) / (PATIENT - 1), 0.0), 1.0)
        if self._hedges.count(now) + 1 > allowed - shut * RESERVED * math.sqrt(allowed):
            return False
        self._hedges.add(now)
        self._credit -= 1
        return True


class _Recent:
    """How many events the last ``slices`` slices of time saw, the one under way included.

    With as many slices as a window has it looks back a little less far than the window, and with
    one more a little further.
    """

    def __init__(self, window_s: float, slices: int) -> None:
        self._width_s = window_s / _SLICES
        self._slices = [0] * slices
        self._newest = 0
        self._total = 0

    def add(self, now: float) -> None:
        """Count an event."""
        self._forget(now)
        self._slices[self._newest % len(self._slices)] += 1
        self._total += 1

    def count(self, now: float) -> int:
        """How many there were lately."""
        self._forget(now)
        return self._total

    def _forget(self, now: float) -> None:
        newest = int(now // self._width_s)
        for number in range(max(self._newest + 1, newest - len(self._slices) + 1), newest + 1):
            place = number % len(self._slices)
            self._total -= self._slices[place]
            self._slices[place] = 0
        self._newest = max(self._newest, newest)
