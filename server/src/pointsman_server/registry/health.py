"""How models have been doing lately, as this server sees it.

An observer: it learns from what attempts report, and routing reads it.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from statistics import median

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
from pointsman_server.registry.first_token import WINDOW, FirstTokenTimes, Wait

MIN_SAMPLES = 20
"""Below this many observations a quantile says little, and the registry's prior serves."""

_THE_CALLERS_FAULT = frozenset(
    {FailureKind.PROMPT_REFUSED, FailureKind.CONTEXT_TOO_LONG, FailureKind.DEADLINE}
)
_ENDED_BY_US = frozenset({AttemptOutcome.CANCELLED, AttemptOutcome.LOST_RACE})
_CUT_SHORT = frozenset(
    {AttemptOutcome.LOST_RACE, AttemptOutcome.CANCELLED, AttemptOutcome.TIMED_OUT}
)


@dataclass(slots=True)
class _Window:
    heard_at: float
    in_flight: int = 0
    first_token: FirstTokenTimes = field(default_factory=FirstTokenTimes)
    tokens_per_s: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    failures: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))


class HealthView:
    """Sliding windows of the last 600 calls of each model. Memory grows with models, not calls.

    A model that looks slow gets no calls, and so nothing that would say that it has recovered.
    Hence first-token times of a model that nothing was heard of for ``forget_after_s`` say nothing.
    """

    def __init__(self, clock: Monotonic = time.monotonic, *, forget_after_s: float = 120.0) -> None:
        self._clock = clock
        self._forget_after_s = forget_after_s
        self._windows: dict[str, _Window] = {}

    def first_token_quantile(self, model: str, prompt_tokens: int, q: float) -> float | None:
        """The ``q`` quantile of ``model``'s first-token time in seconds, for such a prompt.

        ``None`` until there are `MIN_SAMPLES` telling observations; ``math.inf`` where so many
        calls were given up on that the quantile lies beyond what was waited for.
        """
        times = self._known(model)
        return None if times is None else times.quantile(prompt_tokens, q)

    def longest_wait(self, model: str, prompt_tokens: int) -> float | None:
        """The longest that ``model`` was waited for lately, in seconds, as for such a prompt.

        ``None`` where `first_token_quantile` knows nothing either.
        """
        times = self._known(model)
        return None if times is None else times.longest(prompt_tokens)

    def health(self, model: str) -> ModelHealth:
        """The view of one model; zeros and ``None`` where nothing was seen."""
        window = self._windows.get(model) or _Window(self._clock())
        failures, first_token = window.failures, window.first_token.overall()
        return ModelHealth(
            in_flight=window.in_flight,
            calls=len(failures),
            failure_rate=sum(failures) / len(failures) if failures else 0.0,
            first_token_p50_s=_finite(first_token.quantile(0.5)),
            first_token_p95_s=_finite(first_token.quantile(0.95)),
            tokens_per_s_p50=median(window.tokens_per_s) if window.tokens_per_s else None,
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
        wait = _wait(record, details.prompt_tokens)
        if wait is not None:
            self._learn(window, wait)
        if not _blameless(record):
            window.failures.append(record.outcome is not AttemptOutcome.COMPLETED)
        if record.outcome is AttemptOutcome.COMPLETED and record.first_token_at is not None:
            streaming = record.ended_at - record.first_token_at
            if record.usage.output_tokens > 1 and streaming > 0:
                window.tokens_per_s.append((record.usage.output_tokens - 1) / streaming)

    def request_ended(self, receipt: Receipt) -> None:
        """Nothing to learn."""

    def _window(self, model: str) -> _Window:
        window = self._windows.get(model)
        if window is None:
            window = self._windows[model] = _Window(self._clock())
        return window

    def _known(self, model: str) -> FirstTokenTimes | None:
        window = self._windows.get(model)
        if window is None or window.first_token.telling < MIN_SAMPLES:
            return None
        if self._clock() - window.heard_at > self._forget_after_s:
            return None
        return window.first_token

    def _learn(self, window: _Window, wait: Wait) -> None:
        now = self._clock()
        if now - window.heard_at > self._forget_after_s:
            window.first_token = FirstTokenTimes()
        if wait.telling:
            window.heard_at = now
        window.first_token.add(wait)


def _blameless(record: AttemptRecord) -> bool:
    """Whether an attempt says nothing of its model: we ended it, or its caller or prompt did."""
    by_caller = record.failure is not None and record.failure.kind in _THE_CALLERS_FAULT
    return by_caller or record.outcome in _ENDED_BY_US


def _wait(record: AttemptRecord, prompt_tokens: int) -> Wait | None:
    """What an attempt says of first-token times; ``None`` where it failed before it had one.

    A call that was given up on would have taken longer. That tells of the model by itself where
    our own limit ended it, which is generous; a caller's deadline, and a hedge's race, may be as
    short as they like.
    """
    seconds = record.first_token_s
    if seconds is not None:
        return Wait(prompt_tokens, seconds, cut=False, telling=True)
    if record.outcome not in _CUT_SHORT:
        return None
    ours = record.failure is not None and record.failure.kind is FailureKind.TIMED_OUT
    return Wait(prompt_tokens, record.ended_at - record.started_at, cut=True, telling=ours)


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else value
