"""What holds for `HedgeRace` in every order of events."""

from __future__ import annotations

import math

from builders import make_failure
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pointsman_server.domain.attempts import AttemptOutcome, AttemptReason, Failure, FailureKind
from pointsman_server.execution.hedge import (
    Cancel,
    Command,
    Commit,
    GiveUp,
    HedgeRace,
    RacePlan,
    Start,
)
from pointsman_server.execution.hedge_budget import HedgeBudget
from pointsman_server.execution.retry import RetryPolicy

MODELS = ("a", "b", "c", "d")
SECONDS = st.floats(0.0, 30.0)
LIMITS = st.floats(0.01, 30.0)

plans = st.builds(
    RacePlan,
    models=st.just(MODELS),
    first_token_s=st.tuples(LIMITS, LIMITS, LIMITS, LIMITS),
    idle_s=LIMITS,
    deadline=st.floats(0.0, 60.0),
    hedge_model=st.sampled_from([None, "b", "c", "d"]),
    hedge_after_s=st.one_of(st.none(), SECONDS),
    restart_allowed=st.booleans(),
    retry=st.builds(
        RetryPolicy,
        max_retries=st.integers(0, 3),
        max_attempts=st.integers(1, 6),
        base_delay_s=st.floats(0.0, 4.0),
    ),
)
failures = st.builds(
    make_failure,
    st.sampled_from(FailureKind),
    st.one_of(st.none(), st.floats(0.0, 5.0)),
)


class Races(RuleBasedStateMachine):
    """Keeps its own books of one race, from the commands alone, and holds the race to them."""

    @initialize(plan=plans, share=st.sampled_from([0.0, 1.0]), random=st.floats(0, 1 - 1e-9))
    def begin(self, plan: RacePlan, share: float, random: float) -> None:
        self.now = 0.0
        self.plan = plan
        self.hedges_allowed = share > 0
        self.race = HedgeRace(plan, HedgeBudget(share), lambda: random)
        self.model: dict[int, str] = {}
        self.running: set[int] = set()
        self.ended: set[int] = set()
        self.committed: int | None = None
        self.discardable: int | None = None
        self.hedges = 0
        self.text_sent = False
        self.last_end: dict[str, Failure] = {}
        self.finished = False
        self.end: GiveUp | None = None
        self.obey(self.race.begin(self.now))

    def obey(self, commands: list[Command]) -> None:
        for command in commands:
            assert not self.finished
            assert self.end is None, "a command after the end"
            match command:
                case Start():
                    self.start(command)
                case Cancel(number, outcome, _):
                    self.close(number)
                    assert outcome in (AttemptOutcome.LOST_RACE, AttemptOutcome.TIMED_OUT)
                    if outcome is AttemptOutcome.TIMED_OUT:
                        late = Failure(FailureKind.TIMED_OUT, "")
                        self.last_end[self.model[number]] = late
                case Commit(number, discards):
                    assert number in self.running
                    assert self.committed is None, "two committed at once"
                    assert discards == self.discardable, "text was sent, and nobody drops it"
                    self.running.remove(number)
                    self.committed, self.discardable = number, None
                    self.text_sent = True
                case GiveUp():
                    self.end = command
        if self.committed is not None:
            assert not self.running, "a commit left others running"

    def start(self, start: Start) -> None:
        assert self.now < self.plan.deadline, "started at or after the deadline"
        assert start.attempt == len(self.model), "attempts are numbered in order"
        assert start.model in self.plan.models
        assert self.committed is None, "started beside a committed attempt"
        called = start.model in self.model.values()
        match start.reason:
            case AttemptReason.PRIMARY:
                assert not self.model
                assert start.model == self.plan.models[0]
            case AttemptReason.HEDGE:
                assert self.hedges_allowed
                assert start.model == self.plan.hedge_model
                assert not called
                assert not self.text_sent, "a hedge after a first token"
                assert len(self.running) == 1
                self.hedges += 1
            case AttemptReason.RETRY:
                failure = self.last_end[start.model]
                assert called
                assert not self.running
                assert failure.kind.transient, "retried what cannot pass"
                wait = failure.retry_after_s or 0.0
                assert wait <= self.plan.retry.max_retry_after_s
            case AttemptReason.FALLBACK:
                assert not called
                assert not self.running
        self.model[start.attempt] = start.model
        self.running.add(start.attempt)

    def close(self, number: int) -> None:
        assert number not in self.ended, "ended twice"
        self.ended.add(number)
        self.running.discard(number)
        if self.committed == number:
            self.committed, self.discardable = None, number

    @property
    def over(self) -> bool:
        return self.finished or self.end is not None

    @rule(seconds=st.floats(0.0, 10.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: not self.over)
    @rule(late=st.sampled_from([0.0, 0.0, 0.001, 3.0]))
    def wake(self, late: float) -> None:
        self.now = max(self.now, self.race.wake_at) + late
        self.tick()

    @rule()
    def tick(self) -> None:
        """At any time, whether asked for or not."""
        self.obey(self.race.tick(self.now))
        assert self.race.wake_at > self.now, "wants to be woken in the past"

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def first_token(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        commands = self.race.first_token(number, self.now)
        assert commands[0] == Commit(number, self.discardable)
        self.obey(commands)

    @precondition(lambda self: self.running or self.committed is not None)
    @rule(data=st.data(), failure=failures)
    def failed(self, data: st.DataObject, failure: Failure) -> None:
        alive = self.running | ({self.committed} if self.committed is not None else set())
        number = data.draw(st.sampled_from(sorted(alive)))
        self.close(number)
        self.last_end[self.model[number]] = failure
        self.obey(self.race.failed(number, failure, self.now))

    @precondition(lambda self: self.committed is not None)
    @rule()
    def delivered(self) -> None:
        self.race.listening(self.now)

    @precondition(lambda self: self.committed is not None)
    @rule()
    def whole(self) -> None:
        assert self.committed is not None
        self.race.finished(self.committed)
        self.close(self.committed)
        self.finished = True

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def working(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        wake_at = self.race.wake_at
        self.race.working(number, self.now)
        assert self.race.wake_at >= wake_at, "work brought an end nearer"

    @precondition(lambda self: self.ended)
    @rule(data=st.data(), failure=failures)
    def late_news(self, data: st.DataObject, failure: Failure) -> None:
        number = data.draw(st.sampled_from(sorted(self.ended)))
        wake_at = self.race.wake_at
        self.race.finished(number)
        self.race.working(number, self.now)
        assert self.race.first_token(number, self.now) == []
        assert self.race.failed(number, failure, self.now) == []
        assert self.race.wake_at == wake_at

    @invariant()
    def bounds_hold(self) -> None:
        if not hasattr(self, "race"):
            return
        assert len(self.model) <= self.plan.retry.max_attempts
        assert self.hedges <= 1
        assert len(self.running) <= 2

    @invariant()
    def it_ends_once_or_wants_to_be_woken(self) -> None:
        if not hasattr(self, "race"):
            return
        assert not (self.finished and self.end)
        assert (self.race.wake_at == math.inf) == self.over
        if self.over:
            assert not self.running
            assert self.committed is None
        else:
            assert self.race.wake_at <= self.plan.deadline

    @invariant()
    def the_end_tells_the_truth(self) -> None:
        if hasattr(self, "race") and self.end is not None:
            assert self.end.partial == self.text_sent
            assert self.end.attempts == len(self.model)
            assert not self.end.late or self.now >= self.plan.deadline

    def teardown(self) -> None:
        """Left alone, driven only by its own timers, every race comes to an end."""
        if not hasattr(self, "race"):
            return
        steps = 0
        while not self.over:
            steps += 1
            # each step ends an attempt, starts one, or spends the hedge's timer of one
            assert steps <= 3 * self.plan.retry.max_attempts + 1, "does not come to an end"
            self.wake(0.0)
        self.it_ends_once_or_wants_to_be_woken()
        self.the_end_tells_the_truth()


TestRaces = Races.TestCase
TestRaces.settings = settings(
    max_examples=400,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
