"""How many hedges are affordable: a share of all calls, never a fixed number."""

from __future__ import annotations

from collections import deque


class HedgeBudget:
    """Allows hedges up to a share of the requests of the last ``window_s`` seconds.

    A floor of ``burst`` hedges a window is always allowed, so that a quiet server may hedge at
    all. An exhausted budget never fails a call: the request goes on with the model that it has.
    Memory is bounded by ``max_events`` requests a window; beyond it the oldest are forgotten early.
    """

    def __init__(
        self, share: float, *, window_s: float = 10.0, burst: int = 2, max_events: int = 10_000
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share must lie between 0 and 1, not {share}")
        self.share = share
        self._window_s = window_s
        self._burst = burst if share > 0 else 0
        self._requests: deque[float] = deque(maxlen=max_events)
        self._hedges: deque[float] = deque()  # as many as are allowed, so bounded as well

    def request(self, now: float) -> None:
        """Count a request that began at ``now`` (seconds, monotonic)."""
        self._requests.append(now)
        self._forget(now)

    def take(self, now: float) -> bool:
        """Spend one hedge if the window can bear it."""
        self._forget(now)
        if len(self._hedges) + 1 > max(self._burst, self.share * len(self._requests)):
            return False
        self._hedges.append(now)
        return True

    def _forget(self, now: float) -> None:
        oldest = now - self._window_s
        for events in (self._requests, self._hedges):
            while events and events[0] <= oldest:
                events.popleft()
