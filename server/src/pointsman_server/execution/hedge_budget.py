"""How many hedges are affordable: a share of all calls, never a fixed number."""

from __future__ import annotations

from collections import deque

MAX_CREDIT = 20.0
"""How many hedges a calm time can save up for a worse one."""


class HedgeBudget:
    """Allows hedges up to a share of requests, in the long run and in every window.

    Each request earns ``share`` of a hedge; ``burst`` hedges are there to begin with, so that a
    quiet server may hedge at all, and no more than `MAX_CREDIT` are saved up. Besides, no window
    of ``window_s`` seconds sees more than ``share`` of its requests hedged (or ``burst``, where
    that is more), so that savings are not spent at once when everything slows down.

    An exhausted budget never fails a call: the request goes on with the model that it has. Memory
    is bounded by ``max_events`` requests a window; beyond it the oldest are forgotten early.
    """

    def __init__(
        self, share: float, *, window_s: float = 10.0, burst: int = 2, max_events: int = 10_000
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share must lie between 0 and 1, not {share}")
        self.share = share
        self._window_s = window_s
        self._burst = burst if share > 0 else 0
        self._credit = float(self._burst)
        self._requests: deque[float] = deque(maxlen=max_events)
        self._hedges: deque[float] = deque()  # as many as are allowed, so bounded as well

    def request(self, now: float) -> None:
        """Count a request that began at ``now`` (seconds, monotonic)."""
        self._requests.append(now)
        self._credit = min(self._credit + self.share, max(MAX_CREDIT, self._burst))
        self._forget(now)

    def take(self, now: float) -> bool:
        """Spend one hedge if there is one, and the window can bear it."""
        self._forget(now)
        # a share such as 0.05 is not exact in binary: twenty requests earn a hair less than one
        if self._credit < 1 - 1e-9:
            return False
        if len(self._hedges) + 1 > max(self._burst, self.share * len(self._requests)):
            return False
        self._hedges.append(now)
        self._credit -= 1
        return True

    def _forget(self, now: float) -> None:
        oldest = now - self._window_s
        for events in (self._requests, self._hedges):
            while events and events[0] <= oldest:
                events.popleft()
