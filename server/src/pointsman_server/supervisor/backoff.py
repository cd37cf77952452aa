"""How long to wait before a crashed worker is started again: decided from what happened alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Waits that double from ``first_delay_s`` up to ``max_delay_s`` seconds.

    ``jitter`` is the share of each wait that is left to chance, so that workers that died together
    do not come back together. A worker that served for ``stable_s`` seconds before it crashed
    begins anew; one that crashed ``loop_after`` times without is in a crash loop.
    """

    first_delay_s: float = 0.1
    max_delay_s: float = 30.0
    jitter: float = 0.5
    stable_s: float = 60.0
    loop_after: int = 5


class Crashes:
    """The crashes in a row of one worker."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._in_a_row = 0

    @property
    def in_a_row(self) -> int:
        """How often it crashed since it last was stable."""
        return self._in_a_row

    @property
    def looping(self) -> bool:
        """Whether it crashes again and again."""
        return self._in_a_row >= self._policy.loop_after

    def crashed(self, served_s: float, draw: float) -> float:
        """How long to wait before starting it again, in seconds.

        Args:
            served_s: how long it had been ready; 0 where it never was.
            draw: a random number from 0 to 1.
        """
        policy = self._policy
        if served_s >= policy.stable_s:
            self._in_a_row = 0
        # beyond this the wait is the longest anyway, and the power would overflow at last
        doublings = min(self._in_a_row, 64)
        self._in_a_row += 1
        wait = min(policy.max_delay_s, policy.first_delay_s * 2.0**doublings)
        return wait * (1.0 - policy.jitter * draw)
