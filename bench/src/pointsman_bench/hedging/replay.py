"""Plays requests through the server's own hedging, in simulated time.

Nothing here decides: the delay comes from `HedgePolicy`, what it knows from `HealthView`, whether
a hedge is affordable from `HedgeBudget`, and what happens when from `HedgeRace`. This only keeps
the clock, and answers as the requests say that the models would.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from pointsman_server.domain.attempts import AttemptOutcome, AttemptReason, AttemptRecord
from pointsman_server.domain.model import LatencyPrior, Model, Tier
from pointsman_server.domain.money import Usage
from pointsman_server.domain.observer import AttemptDetails, AttemptStart
from pointsman_server.execution.hedge import (
    Cancel,
    Command,
    Commit,
    HedgeRace,
    RacePlan,
    Start,
)
from pointsman_server.execution.hedge_budget import HedgeBudget
from pointsman_server.registry.health import HealthView
from pointsman_server.routing.hedging import HedgePolicy

from pointsman_bench.hedging.traffic import Request

_NEVER_S = 1000.0


@dataclass(frozen=True, slots=True)
class Served:
    """What became of one request; times in seconds, ``hedged_at`` on the replay's clock."""

    first_token_s: float
    hedged_at: float | None


@dataclass(slots=True)
class _UnderWay:
    request: Request
    race: HedgeRace = field(init=False)
    started: list[float] = field(default_factory=list)
    first_token_s: float = math.nan
    hedged_at: float | None = None


class Replay:
    """One run of requests through one server's state."""

    def __init__(self, policy: HedgePolicy, *, prior_s: float = 1.0) -> None:
        self.now = 0.0
        self._policy = policy
        self._health = HealthView(lambda: self.now)
        self._budget = HedgeBudget(policy.extra_share)
        self._models = tuple(_model(name, prior_s) for name in ("first", "second"))
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def run(self, requests: Sequence[Request]) -> list[Served]:
        """Serve all; the result is in the order of the requests."""
        calls = [_UnderWay(request) for request in requests]
        for call in calls:
            self._at(call.request.due_s, partial(self._begin, call))
        while self._due:
            self.now, _, act = heapq.heappop(self._due)
            act()
        return [Served(call.first_token_s, call.hedged_at) for call in calls]

    def _at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (moment, next(self._order), act))

    def _begin(self, call: _UnderWay) -> None:
        first, second = self._models
        delay = self._policy.delay(first, None, call.request.prompt_tokens, self._health)
        plan = RacePlan(
            models=(first.name, second.name),
            first_token_s=(_NEVER_S, _NEVER_S),
            idle_s=_NEVER_S,
            deadline=self.now + _NEVER_S,
            hedge_model=None if delay is None else second.name,
            hedge_after_s=delay,
        )
        call.race = HedgeRace(plan, self._budget, lambda: 0.5)
        self._obey(call, call.race.begin(self.now))

    def _obey(self, call: _UnderWay, commands: Sequence[Command]) -> None:
        for command in commands:
            match command:
                case Start(attempt, _, reason):
                    self._start(call, attempt, reason)
                case Cancel(attempt, outcome):
                    self._end(call, attempt, outcome, None)
                case Commit(attempt):
                    call.first_token_s = self.now - call.request.due_s
                    ends = self.now + call.request.answer_s
                    self._at(ends, partial(self._finish, call, attempt, self.now))
                case _:
                    raise AssertionError(f"nothing here fails: {command}")
        wake = call.race.wake_at
        if math.isnan(call.first_token_s) and wake < self.now + _NEVER_S / 2:
            self._at(wake, partial(self._wake, call))

    def _start(self, call: _UnderWay, attempt: int, reason: AttemptReason) -> None:
        if reason is AttemptReason.HEDGE:
            call.hedged_at = self.now
        call.started.append(self.now)
        name = self._models[attempt].name
        self._health.attempt_started(AttemptStart("", attempt, name, reason))
        self._at(
            self.now + call.request.first_token_s[attempt], partial(self._ready, call, attempt)
        )

    def _ready(self, call: _UnderWay, attempt: int) -> None:
        self._obey(call, call.race.first_token(attempt, self.now))

    def _wake(self, call: _UnderWay) -> None:
        if math.isnan(call.first_token_s) and self.now >= call.race.wake_at:
            self._obey(call, call.race.tick(self.now))

    def _finish(self, call: _UnderWay, attempt: int, first_token_at: float) -> None:
        call.race.finished(attempt)
        self._end(call, attempt, AttemptOutcome.COMPLETED, first_token_at)

    def _end(
        self, call: _UnderWay, attempt: int, outcome: AttemptOutcome, first_token_at: float | None
    ) -> None:
        model = self._models[attempt]
        record = AttemptRecord(
            number=attempt,
            model=model.name,
            provider=model.provider,
            reason=AttemptReason.HEDGE if attempt else AttemptReason.PRIMARY,
            outcome=outcome,
            usage=Usage(),
            started_at=call.started[attempt],
            ended_at=self.now,
            first_token_at=first_token_at,
        )
        self._health.attempt_ended(AttemptDetails("", record, call.request.prompt_tokens))


def _model(name: str, prior_s: float) -> Model:
    return Model(
        name=name,
        provider=name,
        provider_model=name,
        tier=Tier.MIDDLE,
        context_window=100_000,
        max_output_tokens=4096,
        latency=LatencyPrior(first_token_s=prior_s),
    )
