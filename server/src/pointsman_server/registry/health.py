"""How models have been doing lately, as this server sees it.

An observer: it learns from what attempts report, and routing reads it. First-token times are kept
by model and by size of prompt, since a long prompt takes longer to read.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field

from pointsman_server.domain.attempts import AttemptOutcome, AttemptRecord, FailureKind
from pointsman_server.domain.clock import Monotonic
from pointsman_server.domain.errors import RouterError
from pointsman_server.domain.model import ModelHealth
from pointsman_server.domain.observer import (
    AttemptDetails,
    AttemptStart,
    DecisionDetails,
    Receipt,
)
from pointsman_server.registry.quantiles import QuantileWindow

MIN_SAMPLES = 20
"""Below this many observations a quantile says little, and the registry's prior serves."""

_SIZE_BOUNDS = (256, 1024, 4096, 16384)
_WINDOW = 600

_THE_CALLERS_FAULT = frozenset(
    {FailureKind.PROMPT_REFUSED, FailureKind.CONTEXT_TOO_LONG, FailureKind.DEADLINE}
)
_ENDED_BY_US = frozenset({AttemptOutcome.CANCELLED, AttemptOutcome.LOST_RACE})
_SLOWER_THAN_WE_WAITED = frozenset({AttemptOutcome.LOST_RACE, AttemptOutcome.TIMED_OUT})


def size_bucket(prompt_tokens: int) -> int:
    """Which size class a prompt of ``prompt_tokens`` tokens belongs to, from 0 up."""
    return sum(prompt_tokens > bound for bound in _SIZE_BOUNDS)


@dataclass(slots=True)
class _Size:
    """First-token times of one size of prompt, and when the last one came."""

    heard_at: float
    times: QuantileWindow = field(default_factory=lambda: QuantileWindow(_WINDOW))


@dataclass(slots=True)
class _Window:
    in_flight: int = 0
    sizes: dict[int, _Size] = field(default_factory=dict)
    all_first_token: QuantileWindow = field(default_factory=lambda: QuantileWindow(_WINDOW))
    tokens_per_s: QuantileWindow = field(default_factory=lambda: QuantileWindow(_WINDOW))
    failures: deque[bool] = field(default_factory=lambda: deque(maxlen=_WINDOW))


class HealthView:
    """Sliding windows of the last 600 calls of each model. Memory grows with models, not calls.

    A model that looks slow gets no calls, and so nothing that would say that it has recovered.
    Hence first-token times of a size that has heard nothing for ``forget_after_s`` say nothing.
    """

    def __init__(self, clock: Monotonic = time.monotonic, *, forget_after_s: float = 120.0) -> None:
        self._clock = clock
        self._forget_after_s = forget_after_s
        self._windows: dict[str, _Window] = {}

    def first_token_quantile(self, model: str, prompt_tokens: int, q: float) -> float | None:
        """The ``q`` quantile of ``model``'s first-token time in seconds, for such a prompt.

        ``None`` until there are `MIN_SAMPLES` observations of that size; ``math.inf`` where so
        many calls were given up on that the quantile lies beyond what was waited for.
        """
        window = self._windows.get(model)
        size = window.sizes.get(size_bucket(prompt_tokens)) if window else None
        if size is None or len(size.times) < MIN_SAMPLES or self._stale(size):
            return None
        return size.times.quantile(q)

    def health(self, model: str) -> ModelHealth:
        """The view of one model; zeros and ``None`` where nothing was seen."""
        window = self._windows.get(model) or _Window()
        failures = window.failures
        return ModelHealth(
            in_flight=window.in_flight,
            calls=len(failures),
            failure_rate=sum(failures) / len(failures) if failures else 0.0,
            first_token_p50_s=_finite(window.all_first_token.quantile(0.5)),
            first_token_p95_s=_finite(window.all_first_token.quantile(0.95)),
            tokens_per_s_p50=window.tokens_per_s.quantile(0.5),
        )

    def reading_failed(self, error: Exception) -> None:
        """Nothing to learn."""

    def refused(self, error: RouterError) -> None:
        """Nothing to learn."""

    def decided(self, details: DecisionDetails) -> None:
        """Nothing to learn."""

    def attempt_started(self, details: AttemptStart) -> None:
        """One more in flight."""
        self._window(details.model).in_flight += 1

    def attempt_ended(self, details: AttemptDetails) -> None:
        """Learn how long it took and whether it failed."""
        record = details.record
        window = self._window(record.model)
        window.in_flight -= 1
        size = self._size(window, details.prompt_tokens)
        if _learn(record, size.times):
            size.heard_at = self._clock()
        _learn(record, window.all_first_token)
        if not _blameless(record):
            window.failures.append(record.outcome is not AttemptOutcome.COMPLETED)
        if record.outcome is AttemptOutcome.COMPLETED and record.first_token_at is not None:
            streaming = record.ended_at - record.first_token_at
            if record.usage.output_tokens > 1 and streaming > 0:
                window.tokens_per_s.add((record.usage.output_tokens - 1) / streaming)

    def request_ended(self, receipt: Receipt) -> None:
        """Nothing to learn."""

    def _window(self, model: str) -> _Window:
        return self._windows.setdefault(model, _Window())

    def _size(self, window: _Window, prompt_tokens: int) -> _Size:
        bucket = size_bucket(prompt_tokens)
        size = window.sizes.get(bucket)
        if size is None or self._stale(size):
            size = window.sizes[bucket] = _Size(self._clock())
        return size

    def _stale(self, size: _Size) -> bool:
        return self._clock() - size.heard_at > self._forget_after_s


def _blameless(record: AttemptRecord) -> bool:
    """Whether an attempt says nothing of its model: we ended it, or its caller or prompt did."""
    by_caller = record.failure is not None and record.failure.kind in _THE_CALLERS_FAULT
    return by_caller or record.outcome in _ENDED_BY_US


def _learn(record: AttemptRecord, times: QuantileWindow) -> bool:
    """Add what an attempt says of first-token times; whether it said anything."""
    first_token = record.first_token_s
    if first_token is None and _slower_than_usual(record, times):
        first_token = math.inf
    if first_token is None:
        return False
    times.add(first_token)
    return True


def _slower_than_usual(record: AttemptRecord, times: QuantileWindow) -> bool:
    """Whether an attempt without a first token is known to have been slow.

    An attempt that was given up on is slower than it was waited for. That is news only where the
    wait was longer than usual: a hedge that lost after a moment, or a call that the deadline cut
    off, may have been about to answer.
    """
    if record.outcome not in _SLOWER_THAN_WE_WAITED:
        return False
    usual = times.quantile(0.5)
    if usual is None or math.isinf(usual):
        # our own limit is generous; a caller's deadline may be as short as it likes
        return record.failure is not None and record.failure.kind is FailureKind.TIMED_OUT
    return record.ended_at - record.started_at >= usual


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else value
