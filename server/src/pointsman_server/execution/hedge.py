"""`HedgeRace`: which attempts of one request to start, cancel and commit, and when.

The race does no I/O and knows no event loop: it is told `now` and what happened, and says what to
do. Everything that affects which model answers a request lives in this file; the executor only
carries it out. One race serves one request:

    begin ──> Start ... first_token ──> Commit, Cancel(losers) ... finished ──> (nothing more)
                 └─ failed / timer ──> Start (retry, hedge, fallback), Cancel, GiveUp

Rules it owns:

- An attempt *commits* with its first token; from then on the others are cancelled, and no token of
  another attempt is ever used. A request is never hedged after a first token.
- At most one hedge, once a call has been without a first token for ``hedge_after_s``, or as soon
  after that as the budget allows.
- A failure that may pass is retried on the same model after a backoff; any other failure moves on
  to the next model that has not been tried. While another attempt is running, a failure starts
  nothing: the one that runs is already the backup.
- After a commit, a failure ends the request (`GiveUp` with ``partial``), or, where the caller
  allowed RESTART, a model that has not been tried starts over.
- Nothing starts after the deadline, and at the deadline everything ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from pointsman_server.domain.attempts import AttemptOutcome, AttemptReason, Failure, FailureKind
from pointsman_server.execution.hedge_budget import HedgeBudget
from pointsman_server.execution.retry import RetryPolicy

_ASK_AGAIN = 1.15
"""A hedge that the budget refused is asked for again after so many times as long a wait."""

_LONGEST_WAIT = 30.0
"""After so many delays in vain a call asks no more."""

_LEAST_DELAY_S = 0.01
"""Where a hedge was to fire at once, it is asked for again as if this had been its delay."""


@dataclass(frozen=True, slots=True)
class Start:
    """Call ``model``; the attempt is known as ``attempt`` from now on."""

    attempt: int
    model: str
    reason: AttemptReason


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop ``attempt``; report it as ended with ``outcome``.

    ``failure`` says what it did wrong; ``None`` where it lost to another.
    """

    attempt: int
    outcome: AttemptOutcome
    message: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """The answer comes from ``attempt``: pass its tokens on.

    ``discards`` is the committed attempt that this one replaces, whose text must be dropped.
    """

    attempt: int
    discards: int | None = None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The request has failed. ``partial`` is true where text was sent, ``late`` at the deadline."""

    model: str
    failure: Failure
    attempts: int
    partial: bool
    late: bool = False


Command = Start | Cancel | Commit | GiveUp


@dataclass(frozen=True, slots=True)
class RacePlan:
    """What the race may do. Times in seconds; ``deadline`` on the clock that `now` comes from.

    ``models`` is the decision's order: the first is called first, the rest are fallbacks.
    ``first_token_s`` has one limit a model, in the same order.
    """

    models: tuple[str, ...]
    first_token_s: tuple[float, ...]
    idle_s: float
    deadline: float
    hedge_model: str | None = None
    hedge_after_s: float | None = None
    restart_allowed: bool = False
    retry: RetryPolicy = RetryPolicy()

    def __post_init__(self) -> None:
        if not self.models or len(self.models) != len(self.first_token_s):
            raise ValueError("a plan has at least one model, and a first-token limit for each")
        if len(set(self.models)) != len(self.models):
            raise ValueError("a plan names each model once")
        if self.hedge_model is not None and self.hedge_model not in self.models[1:]:
            raise ValueError("hedge_model must be one of the fallbacks")


class _Phase(Enum):
    RUNNING = auto()
    COMMITTED = auto()
    ENDED = auto()


@dataclass(slots=True)
class _Attempt:
    number: int
    model: str
    first_token_by: float
    phase: _Phase = _Phase.RUNNING


@dataclass(slots=True)
class _Retry:
    model: str
    at: float


@dataclass(slots=True)
class HedgeRace:
    """The race of one request. See the module's docstring for its rules.

    Every method returns the commands to carry out, in order. After each call, ``wake_at`` is when
    `tick` wants to be called next (``math.inf`` for never). Attempts that the race has cancelled or
    that have ended may still report: such late news changes nothing.
    """

    plan: RacePlan
    budget: HedgeBudget
    random: Callable[[], float]
    _attempts: list[_Attempt] = field(default_factory=list)
    _tried: set[str] = field(default_factory=set)
    _retries: dict[str, int] = field(default_factory=dict)
    _pending: _Retry | None = None
    _hedge_at: float = math.inf
    _hedge_waited: float = 1.0
    _committed: _Attempt | None = None
    _discards: int | None = None
    _silent_since: float = -math.inf
    _last_failure: tuple[str, Failure] | None = None
    _over: bool = False

    def begin(self, now: float) -> list[Command]:
        """Start the race. Called once, first."""
        self.budget.request(now)
        if now >= self.plan.deadline:
            return [self._give_up_late()]
        return [self._start(self.plan.models[0], AttemptReason.PRIMARY, now)]

    def first_token(self, attempt: int, now: float) -> list[Command]:
        """``attempt`` has its first token, or has finished without any."""
        winner = self._attempts[attempt]
        if self._over or winner.phase is not _Phase.RUNNING:
            return []
        winner.phase = _Phase.COMMITTED
        self._committed = winner
        self._silent_since = now
        self._hedge_at = math.inf
        self._pending = None
        commands: list[Command] = [Commit(attempt, self._discards)]
        commands += self._cancel_running(AttemptOutcome.LOST_RACE, "another attempt was first")
        return commands

    def working(self, attempt: int, now: float) -> None:
        """``attempt`` shows that it is at work, though with nothing to pass on yet.

        It gets another first-token limit from now: a model that reasons is slow, not dead.
        """
        worker = self._attempts[attempt]
        if worker.phase is _Phase.RUNNING:
            worker.first_token_by = now + self._first_token_limit(worker.model)

    def listening(self, now: float) -> None:
        """The committed attempt's silence counts from ``now``. Cheap: called for every chunk."""
        self._silent_since = now

    def finished(self, attempt: int) -> None:
        """The committed attempt said that the answer is whole."""
        if self._committed is not None and self._committed.number == attempt:
            self._committed.phase = _Phase.ENDED
            self._over = True

    def failed(self, attempt: int, failure: Failure, now: float) -> list[Command]:
        """``attempt`` failed by itself."""
        loser = self._attempts[attempt]
        if self._over or loser.phase is _Phase.ENDED:
            return []
        return self._after_failure(loser, failure, now)

    def tick(self, now: float) -> list[Command]:
        """Time has passed: act on whatever is due."""
        if self._over:
            return []
        if now >= self.plan.deadline:
            commands = self._cancel_all(Failure(FailureKind.DEADLINE, "the deadline passed"))
            return [*commands, self._give_up_late()]
        commands = self._time_out_attempts(now)
        if self._over:
            return commands
        if self._pending is not None and now >= self._pending.at:
            model = self._pending.model
            self._pending = None
            commands.append(self._start(model, AttemptReason.RETRY, now))
        if now >= self._hedge_at:
            self._hedge_at = math.inf
            commands += self._hedge(now)
        return commands

    @property
    def wake_at(self) -> float:
        """When `tick` wants to be called next, seconds; ``math.inf`` once the race is over."""
        if self._over:
            return math.inf
        times = [self.plan.deadline, self._hedge_at]
        if self._pending is not None:
            times.append(self._pending.at)
        for attempt in self._attempts:
            if attempt.phase is _Phase.RUNNING:
                times.append(attempt.first_token_by)
            elif attempt.phase is _Phase.COMMITTED:
                times.append(self._silent_since + self.plan.idle_s)
        return min(times)

    def _start(self, model: str, reason: AttemptReason, now: float) -> Start:
        number = len(self._attempts)
        self._attempts.append(_Attempt(number, model, now + self._first_token_limit(model)))
        self._tried.add(model)
        self._arm_hedge(now)
        return Start(number, model, reason)

    def _first_token_limit(self, model: str) -> float:
        return self.plan.first_token_s[self.plan.models.index(model)]

    def _arm_hedge(self, now: float) -> None:
        """Every call gets its own hedge timer, until the one hedge has been spent."""
        plan = self.plan
        self._hedge_waited = 1.0
        may_hedge = plan.hedge_model is not None and plan.hedge_model not in self._tried
        if may_hedge and plan.hedge_after_s is not None and self._discards is None:
            self._hedge_at = now + max(0.0, plan.hedge_after_s)
        else:
            self._hedge_at = math.inf

    def _running(self) -> list[_Attempt]:
        return [a for a in self._attempts if a.phase is _Phase.RUNNING]

    def _cancel_running(
        self, outcome: AttemptOutcome, message: str, failure: Failure | None = None
    ) -> list[Command]:
        commands: list[Command] = []
        for attempt in self._running():
            attempt.phase = _Phase.ENDED
            commands.append(Cancel(attempt.number, outcome, message, failure))
        return commands

    def _cancel_all(self, failure: Failure) -> list[Command]:
        outcome, message = failure.kind.outcome, failure.message
        commands = self._cancel_running(outcome, message, failure)
        if self._committed is not None and self._committed.phase is _Phase.COMMITTED:
            self._committed.phase = _Phase.ENDED
            commands.append(Cancel(self._committed.number, outcome, message, failure))
        return commands

    def _time_out_attempts(self, now: float) -> list[Command]:
        commands: list[Command] = []
        for attempt in self._attempts:
            if attempt.phase is _Phase.RUNNING and now >= attempt.first_token_by:
                message = "no first token in time"
            elif attempt.phase is _Phase.COMMITTED and now >= self._silent_since + self.plan.idle_s:
                message = f"silent for {self.plan.idle_s:g} s in the middle of the answer"
            else:
                continue
            failure = Failure(FailureKind.TIMED_OUT, message)
            commands.append(Cancel(attempt.number, failure.kind.outcome, message, failure))
            commands += self._after_failure(attempt, failure, now)
            if self._over:
                break
        return commands

    def _hedge(self, now: float) -> list[Command]:
        model = self.plan.hedge_model
        running = self._running()
        if model is None or model in self._tried or len(running) != 1 or not self._may_start():
            return []
        if not self.budget.take(now, self._hedge_waited):
            self._ask_again(now)
            return []
        return [self._start(model, AttemptReason.HEDGE, now)]

    def _ask_again(self, now: float) -> None:
        """The budget is spent for now, not for good, and a call that stays silent needs it more."""
        if self.budget.share > 0 and self._hedge_waited < _LONGEST_WAIT:
            delay = max(self.plan.hedge_after_s or 0.0, _LEAST_DELAY_S)
            self._hedge_at = now + (_ASK_AGAIN - 1) * self._hedge_waited * delay
            self._hedge_waited *= _ASK_AGAIN

    def _may_start(self) -> bool:
        return len(self._attempts) < self.plan.retry.max_attempts

    def _after_failure(self, loser: _Attempt, failure: Failure, now: float) -> list[Command]:
        """Decide what follows now that ``loser`` is out."""
        was_committed = loser.phase is _Phase.COMMITTED
        loser.phase = _Phase.ENDED
        self._last_failure = (loser.model, failure)
        if was_committed:
            self._committed = None
            self._discards = loser.number
            if not self.plan.restart_allowed:
                return [self._give_up(partial=True)]
        if self._running() or self._pending is not None:
            return []
        return self._next_attempt(loser, failure, now)

    def _next_attempt(self, loser: _Attempt, failure: Failure, now: float) -> list[Command]:
        if now >= self.plan.deadline:
            return [self._give_up_late()]
        partial = self._discards is not None
        if not self._may_start():
            return [self._give_up(partial=partial)]
        retries = self._retries.get(loser.model, 0)
        delay = None if partial else self.plan.retry.delay(failure, retries, self.random)
        if delay is not None and now + delay < self.plan.deadline:
            self._retries[loser.model] = retries + 1
            self._pending = _Retry(loser.model, now + delay)
            return []
        untried = next((m for m in self.plan.models if m not in self._tried), None)
        if untried is None:
            return [self._give_up(partial=partial)]
        return [self._start(untried, AttemptReason.FALLBACK, now)]

    def _give_up(self, *, partial: bool) -> GiveUp:
        self._over = True
        assert self._last_failure is not None  # noqa: S101 - only failures lead here
        model, failure = self._last_failure
        return GiveUp(model, failure, len(self._attempts), partial)

    def _give_up_late(self) -> GiveUp:
        self._over = True
        late = Failure(FailureKind.TIMED_OUT, "the deadline passed")
        model, failure = self._last_failure or (self.plan.models[0], late)
        partial = self._committed is not None or self._discards is not None
        return GiveUp(model, failure, len(self._attempts), partial, late=True)
