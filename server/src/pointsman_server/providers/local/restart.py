"""When to start a crashed process again: decided from times alone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """At most ``max_restarts`` within ``window_s`` seconds.

    The n-th of them waits ``first_delay_s`` · 2ⁿ⁻¹, but never longer than ``max_delay_s``.
    """

    max_restarts: int = 5
    window_s: float = 120.0
    first_delay_s: float = 0.25
    max_delay_s: float = 10.0


class Restarts:
    """The crashes that still count."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._crashes: deque[float] = deque()

    def crashed(self, now: float) -> float | None:
        """How long to wait before starting again, in seconds; ``None`` to give up."""
        policy = self._policy
        while self._crashes and self._crashes[0] <= now - policy.window_s:
            self._crashes.popleft()
        if len(self._crashes) >= policy.max_restarts:
            return None
        delay = policy.first_delay_s * 2.0 ** len(self._crashes)
        self._crashes.append(now)
        return min(delay, policy.max_delay_s)
