"""Whether, and when, to call the same model again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pointsman_server.domain.attempts import Failure


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter.

    The wait before retry n (from 0) of one model is uniform on [0, min(``max_delay_s``,
    ``base_delay_s`` * 2**n)], as in "Exponential Backoff and Jitter" (Brooker, AWS, 2015). A
    provider's Retry-After replaces it; one longer than ``max_retry_after_s`` is not waited for:
    another model is called instead.
    """

    max_retries: int = 1
    max_attempts: int = 3
    base_delay_s: float = 0.1
    max_delay_s: float = 2.0
    max_retry_after_s: float = 1.0

    def __post_init__(self) -> None:
        if self.max_retries < 0 or self.max_attempts < 1:
            raise ValueError("max_retries must be 0 or more, max_attempts 1 or more")

    def delay(self, failure: Failure, retries: int, random: Callable[[], float]) -> float | None:
        """Seconds to wait before calling the same model again; ``None`` for not at all.

        Args:
            failure: why the last call failed.
            retries: how many retries this model has had in this request.
            random: uniform on [0, 1).
        """
        if not failure.kind.transient or retries >= self.max_retries:
            return None
        if failure.retry_after_s is not None:
            wait = failure.retry_after_s
            return wait if wait <= self.max_retry_after_s else None
        # the exponent is capped: 2.0**1024 would overflow long after max_delay_s has won
        ceiling = min(self.max_delay_s, self.base_delay_s * 2.0 ** min(retries, 64))
        return random() * ceiling
