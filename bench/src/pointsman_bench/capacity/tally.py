"""Counting what calls come to, while the window is open."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from pointsman_bench.capacity.work import MAX_ERRORS, Quantiles

MAX_SAMPLES = 1_000_000
"""Latencies kept of each kind; later ones are counted, but not timed."""


@dataclass(slots=True)
class Exchange:
    """One call under way. ``pieces`` are the answer's bytes as they came, in order.

    ``messages`` counts gRPC messages, or reads of an HTTP body. ``error`` says why it failed.
    """

    started: float
    number: int
    first_token_at: float | None = None
    tokens: int = 0
    messages: int = 0
    pieces: list[bytes] = field(default_factory=list)
    error: str = ""


class Tally:
    """Counts of the window. Tokens, messages and bytes count when they arrive, calls at their end.

    ``ended`` and ``failed`` count from the very start, warm-up included.
    """

    def __init__(self) -> None:
        self.open = False
        self.ended = self.failed = 0
        self.calls = self.tokens = self.messages = self.received_bytes = 0
        self.errors = self.verified = 0
        self.first_error = ""
        self._first_token = array("d")
        self._whole = array("d")

    @property
    def hopeless(self) -> bool:
        """Whether so much failed that the rest is not worth measuring."""
        return self.failed >= MAX_ERRORS

    def arrived(self, size: int, tokens: int, messages: int) -> None:
        """Bytes of an answer came."""
        if self.open:
            self.received_bytes += size
            self.tokens += tokens
            self.messages += messages

    def end(self, exchange: Exchange, now: float) -> None:
        """A call has ended."""
        self.ended += 1
        if exchange.error:
            self.failed += 1
            self.first_error = self.first_error or exchange.error
        if not self.open:
            return
        if exchange.error:
            self.errors += 1
            return
        self.calls += 1
        if len(self._whole) < MAX_SAMPLES:
            self._whole.append(now - exchange.started)
            if exchange.first_token_at is not None:
                self._first_token.append(exchange.first_token_at - exchange.started)

    @property
    def first_token(self) -> Quantiles | None:
        """Seconds from a request to its first token."""
        return quantiles(self._first_token)

    @property
    def whole(self) -> Quantiles | None:
        """Seconds from a request to the end of its answer."""
        return quantiles(self._whole)


def quantiles(samples: array[float]) -> Quantiles | None:
    """Of all samples; ``None`` where there are none."""
    if not samples:
        return None
    ordered = sorted(samples)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return Quantiles(at(0.5), at(0.9), at(0.99), ordered[-1])
