"""The rules of `HedgeRace`, one by one."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from builders import make_failure
from pointsman_server.domain.attempts import AttemptOutcome, AttemptReason, FailureKind
from pointsman_server.execution.hedge import Cancel, Commit, GiveUp, HedgeRace, RacePlan, Start
from pointsman_server.execution.hedge_budget import HedgeBudget
from pointsman_server.execution.retry import RetryPolicy

PRIMARY, HEDGE = AttemptReason.PRIMARY, AttemptReason.HEDGE
RETRY, FALLBACK = AttemptReason.RETRY, AttemptReason.FALLBACK

SERVER_ERROR = make_failure(FailureKind.SERVER_ERROR)
REFUSED = make_failure(FailureKind.PROMPT_REFUSED)
NO_RETRIES = RetryPolicy(max_retries=0)


def race(
    *models: str,
    hedge: str | None = None,
    hedge_after_s: float | None = 2.0,
    first_token_s: float = 10.0,
    idle_s: float = 5.0,
    deadline: float = 100.0,
    restart: bool = False,
    retry: RetryPolicy = RetryPolicy(base_delay_s=1.0),
    budget: HedgeBudget | None = None,
    random: Callable[[], float] = lambda: 0.5,
) -> HedgeRace:
    """A race of ``models``; time begins at 0."""
    names = models or ("a", "b", "c")
    plan = RacePlan(
        models=names,
        first_token_s=(first_token_s,) * len(names),
        idle_s=idle_s,
        deadline=deadline,
        hedge_model=hedge,
        hedge_after_s=hedge_after_s if hedge else None,
        restart_allowed=restart,
        retry=retry,
    )
    return HedgeRace(plan, budget or HedgeBudget(1.0), random)


def test_it_begins_with_the_first_model() -> None:
    """A race begins with one call, to the model that was decided."""
    r = race()
    assert r.begin(0.0) == [Start(0, "a", PRIMARY)]


def test_the_first_token_commits() -> None:
    """An attempt commits with its first token, and replaces nothing."""
    r = race()
    r.begin(0.0)
    assert r.first_token(0, 1.0) == [Commit(0, discards=None)]


def test_nothing_more_after_the_finish() -> None:
    """A race that has finished wants nothing any more, and time changes nothing."""
    r = race()
    r.begin(0.0)
    r.first_token(0, 1.0)
    r.finished(0)
    assert r.wake_at == math.inf
    assert r.tick(1000.0) == []


def test_a_slow_call_is_hedged() -> None:
    """A call that has been without a first token for hedge_after_s gets a rival."""
    r = race(hedge="b", hedge_after_s=2.0)
    r.begin(0.0)
    assert r.wake_at == 2.0
    assert r.tick(1.999) == []
    assert r.tick(2.0) == [Start(1, "b", HEDGE)]


def test_the_hedge_that_is_first_wins() -> None:
    """The first token decides: the other call is cancelled as having lost."""
    r = race(hedge="b")
    r.begin(0.0)
    r.tick(2.0)
    commands = r.first_token(1, 3.0)
    assert commands[0] == Commit(1)
    assert [(c.attempt, c.outcome) for c in commands[1:] if isinstance(c, Cancel)] == [
        (0, AttemptOutcome.LOST_RACE)
    ]
    assert len(commands) == 2


def test_the_primary_that_is_first_wins() -> None:
    """A hedge that comes second is cancelled as having lost."""
    r = race(hedge="b")
    r.begin(0.0)
    r.tick(2.0)
    commands = r.first_token(0, 3.0)
    assert commands == [Commit(0), Cancel(1, AttemptOutcome.LOST_RACE, "another attempt was first")]


def test_late_first_tokens_change_nothing() -> None:
    """The first token of an attempt that has lost is not used."""
    r = race(hedge="b")
    r.begin(0.0)
    r.tick(2.0)
    r.first_token(0, 3.0)
    assert r.first_token(1, 3.0) == []


def test_late_failures_change_nothing() -> None:
    """The failure of an attempt that has lost is of no consequence."""
    r = race(hedge="b")
    r.begin(0.0)
    r.tick(2.0)
    r.first_token(0, 3.0)
    assert r.failed(1, SERVER_ERROR, 3.0) == []
    assert r.wake_at == 8.0


def test_the_finish_of_a_loser_changes_nothing() -> None:
    """Only the committed attempt can finish the race."""
    r = race(hedge="b")
    r.begin(0.0)
    r.tick(2.0)
    r.first_token(0, 3.0)
    r.finished(1)
    assert r.wake_at == 8.0


def test_no_hedge_after_a_first_token() -> None:
    """A request is never hedged after a first token."""
    r = race(hedge="b", hedge_after_s=2.0)
    r.begin(0.0)
    r.first_token(0, 1.0)
    r.listening(1.9)
    assert r.wake_at == 6.9
    assert r.tick(2.5) == []


def test_at_most_one_hedge() -> None:
    """A request has at most one hedge, however long both calls take."""
    r = race(hedge="b")
    r.begin(0.0)
    r.tick(2.0)
    assert r.wake_at == 10.0
    assert r.tick(9.9) == []


def test_an_empty_budget_means_no_hedge() -> None:
    """Where the budget does not allow a hedge, the request goes on with the call that it has."""
    r = race(hedge="b", budget=HedgeBudget(0.0))
    r.begin(0.0)
    assert r.tick(2.0) == []
    assert r.wake_at == 10.0


def test_a_hedge_that_does_not_fire_costs_no_budget() -> None:
    """The budget is asked only when a hedge would otherwise start."""
    budget = HedgeBudget(0.01, burst=1)
    r = race(hedge="b", budget=budget)
    r.begin(0.0)
    r.first_token(0, 1.0)
    r.tick(2.0)
    assert budget.take(2.0)


def test_the_hedge_delay_counts_from_each_call() -> None:
    """A fallback gets its own hedge timer."""
    r = race("a", "c", "b", hedge="b", hedge_after_s=2.0)
    r.begin(0.0)
    assert r.failed(0, REFUSED, 1.5) == [Start(1, "c", FALLBACK)]
    assert r.wake_at == 3.5
    assert r.tick(3.5) == [Start(2, "b", HEDGE)]


def test_a_model_that_was_tried_is_no_hedge() -> None:
    """A model that has been called as a fallback is not called again as a hedge."""
    r = race("a", "b", "c", hedge="b", hedge_after_s=2.0)
    r.begin(0.0)
    assert r.failed(0, REFUSED, 1.0) == [Start(1, "b", FALLBACK)]
    assert r.wake_at == 11.0


def test_no_hedge_between_a_failure_and_its_retry() -> None:
    """A hedge needs a call to race against: while a retry waits, none starts."""
    r = race(hedge="b", hedge_after_s=2.0, retry=RetryPolicy(base_delay_s=2.0, max_delay_s=8.0))
    r.begin(0.0)
    r.failed(0, SERVER_ERROR, 1.5)
    assert r.tick(2.0) == []
    assert r.tick(2.5) == [Start(1, "a", RETRY)]
    assert r.wake_at == 4.5


def test_a_negative_hedge_delay_is_none() -> None:
    """A hedge delay below 0 means at once."""
    r = race(hedge="b", hedge_after_s=-1.0)
    r.begin(5.0)
    assert r.wake_at == 5.0
    assert r.tick(5.0) == [Start(1, "b", HEDGE)]


def test_a_passing_failure_is_retried_after_a_backoff() -> None:
    """A failure that may pass is retried on the same model, after a random part of the backoff."""
    r = race()
    r.begin(0.0)
    assert r.failed(0, SERVER_ERROR, 1.0) == []
    assert r.wake_at == 1.5
    assert r.tick(1.5) == [Start(1, "a", RETRY)]


def test_a_model_is_retried_only_so_often() -> None:
    """After max_retries of one model the next one is called."""
    r = race()
    r.begin(0.0)
    r.failed(0, SERVER_ERROR, 1.0)
    r.tick(1.5)
    assert r.failed(1, SERVER_ERROR, 2.0) == [Start(2, "b", FALLBACK)]


@pytest.mark.parametrize("kind", [k for k in FailureKind if not k.transient])
def test_any_other_failure_moves_on(kind: FailureKind) -> None:
    """A failure that will not pass moves on to the next model at once."""
    r = race()
    r.begin(0.0)
    assert r.failed(0, make_failure(kind), 1.0) == [Start(1, "b", FALLBACK)]


def test_a_long_retry_after_moves_on() -> None:
    """A Retry-After longer than we care to wait moves on to the next model."""
    r = race()
    r.begin(0.0)
    busy = make_failure(FailureKind.RATE_LIMITED, retry_after_s=1.01)
    assert r.failed(0, busy, 1.0) == [Start(1, "b", FALLBACK)]


def test_a_short_retry_after_is_waited_for() -> None:
    """A short Retry-After is waited for, to the letter."""
    r = race()
    r.begin(0.0)
    assert r.failed(0, make_failure(FailureKind.RATE_LIMITED, retry_after_s=0.25), 1.0) == []
    assert r.wake_at == 1.25


def test_the_one_that_runs_is_the_backup() -> None:
    """While another attempt is running, a failure starts nothing."""
    r = race(hedge="b")
    r.begin(0.0)
    r.tick(2.0)
    assert r.failed(0, SERVER_ERROR, 3.0) == []
    assert r.first_token(1, 4.0) == [Commit(1)]


def test_after_both_have_failed_the_race_goes_on() -> None:
    """When the last running attempt fails too, the next model is called."""
    r = race(hedge="b")
    r.begin(0.0)
    r.tick(2.0)
    r.failed(0, REFUSED, 3.0)
    assert r.failed(1, REFUSED, 3.5) == [Start(2, "c", FALLBACK)]


def test_no_first_token_in_time() -> None:
    """An attempt without a first token within its limit is cancelled, and the next model called."""
    r = race()
    r.begin(0.0)
    cancel, start = r.tick(10.0)
    assert isinstance(cancel, Cancel)
    assert (cancel.attempt, cancel.outcome) == (0, AttemptOutcome.TIMED_OUT)
    assert start == Start(1, "b", FALLBACK)
    assert r.wake_at == 20.0


def test_work_moves_the_limit() -> None:
    """An attempt that is seen at work has its whole limit again, and is still hedged in time."""
    r = race(hedge="b", hedge_after_s=8.0)
    r.begin(0.0)
    r.working(0, 6.0)
    assert r.wake_at == 8.0
    assert r.tick(8.0) == [Start(1, "b", HEDGE)]
    assert r.wake_at == 16.0


def test_two_that_time_out_at_once_start_one() -> None:
    """Two attempts that time out in one tick are followed by one call, not by two."""
    r = race(hedge="b", hedge_after_s=0.0)
    r.begin(0.0)
    r.tick(0.0)
    kinds = [type(c) for c in r.tick(10.0)]
    assert kinds == [Cancel, Cancel, Start]


def test_every_model_is_tried_once() -> None:
    """Without retries each model is called once, and then the race is given up."""
    r = race("a", "b", retry=NO_RETRIES)
    r.begin(0.0)
    assert r.failed(0, SERVER_ERROR, 1.0) == [Start(1, "b", FALLBACK)]
    assert r.failed(1, REFUSED, 2.0) == [GiveUp("b", REFUSED, attempts=2, partial=False)]
    assert r.wake_at == math.inf


def test_max_attempts_bounds_everything() -> None:
    """No more than max_attempts calls are made, whatever for."""
    r = race("a", "b", "c", retry=RetryPolicy(max_retries=0, max_attempts=2))
    r.begin(0.0)
    r.failed(0, SERVER_ERROR, 1.0)
    assert r.failed(1, SERVER_ERROR, 2.0) == [GiveUp("b", SERVER_ERROR, attempts=2, partial=False)]


def test_max_attempts_bounds_hedges() -> None:
    """A hedge is a call like any other: it needs an attempt that is left."""
    r = race(hedge="b", retry=RetryPolicy(max_attempts=1))
    r.begin(0.0)
    assert r.tick(2.0) == []


def test_a_failure_after_text_ends_the_request() -> None:
    """After a commit a failure ends the request, and says that text was sent."""
    r = race()
    r.begin(0.0)
    r.first_token(0, 1.0)
    assert r.failed(0, SERVER_ERROR, 2.0) == [GiveUp("a", SERVER_ERROR, attempts=1, partial=True)]


def test_silence_after_text_ends_the_request() -> None:
    """A committed attempt that is silent for idle_s has timed out."""
    r = race(idle_s=5.0)
    r.begin(0.0)
    r.first_token(0, 1.0)
    assert r.wake_at == 6.0
    r.listening(4.0)
    assert r.wake_at == 9.0
    cancel, end = r.tick(9.0)
    assert isinstance(cancel, Cancel)
    assert cancel.outcome is AttemptOutcome.TIMED_OUT
    assert isinstance(end, GiveUp)
    assert end.partial
    assert not end.late
    assert end.failure.kind is FailureKind.TIMED_OUT


def test_restart_begins_again_with_another_model() -> None:
    """With RESTART another model starts over at once, and its commit drops the text so far."""
    r = race(restart=True)
    r.begin(0.0)
    r.first_token(0, 1.0)
    assert r.failed(0, SERVER_ERROR, 2.0) == [Start(1, "b", FALLBACK)]
    assert r.first_token(1, 3.0) == [Commit(1, discards=0)]


def test_restart_is_not_hedged() -> None:
    """After text has been sent nothing is hedged, not even another model's fresh start."""
    r = race("a", "c", "b", hedge="b", restart=True)
    r.begin(0.0)
    r.first_token(0, 1.0)
    r.failed(0, SERVER_ERROR, 1.5)
    assert r.wake_at == 11.5


def test_restart_discards_what_was_last_sent() -> None:
    """What is dropped is the last attempt that committed, not one that failed before its text."""
    r = race("a", "b", "c", restart=True)
    r.begin(0.0)
    r.first_token(0, 1.0)
    r.failed(0, SERVER_ERROR, 2.0)
    assert r.failed(1, SERVER_ERROR, 3.0) == [Start(2, "c", FALLBACK)]
    assert r.first_token(2, 4.0) == [Commit(2, discards=0)]


def test_restart_with_nothing_left_is_partial() -> None:
    """A request that gives up after text says so, even if the last attempt had none."""
    r = race("a", "b", restart=True)
    r.begin(0.0)
    r.first_token(0, 1.0)
    r.failed(0, SERVER_ERROR, 2.0)
    assert r.failed(1, REFUSED, 3.0) == [GiveUp("b", REFUSED, attempts=2, partial=True)]


def test_a_silent_answer_may_be_restarted() -> None:
    """With RESTART a committed attempt that falls silent is cancelled, and another starts over."""
    r = race(restart=True, idle_s=5.0)
    r.begin(0.0)
    r.first_token(0, 1.0)
    cancel, start = r.tick(6.0)
    assert isinstance(cancel, Cancel)
    assert cancel.attempt == 0
    assert start == Start(1, "b", FALLBACK)


def test_nothing_starts_after_the_deadline() -> None:
    """A request that comes at its deadline is given up without a call."""
    r = race(deadline=5.0)
    (end,) = r.begin(5.0)
    assert isinstance(end, GiveUp)
    assert (end.attempts, end.partial, end.late) == (0, False, True)


def test_a_failure_at_the_deadline_starts_nothing() -> None:
    """A failure that is heard of at the deadline ends the request as late: no fallback starts."""
    r = race(deadline=5.0)
    r.begin(0.0)
    (end,) = r.failed(0, REFUSED, 5.0)
    assert isinstance(end, GiveUp)
    assert end.late


def test_a_restart_at_the_deadline_starts_nothing() -> None:
    """An answer that breaks off at the deadline is not started over."""
    r = race(deadline=5.0, restart=True)
    r.begin(0.0)
    r.first_token(0, 1.0)
    (end,) = r.failed(0, SERVER_ERROR, 5.0)
    assert isinstance(end, GiveUp)
    assert end.late
    assert end.partial


def test_a_retry_that_would_be_too_late_moves_on() -> None:
    """A backoff that would end after the deadline is not waited for: another model is called."""
    r = race(deadline=5.0, retry=RetryPolicy(base_delay_s=2.0, max_delay_s=8.0))
    r.begin(0.0)
    assert r.failed(0, SERVER_ERROR, 4.0) == [Start(1, "b", FALLBACK)]


def test_at_the_deadline_everything_ends() -> None:
    """At the deadline every running attempt is cancelled and the request given up as late."""
    r = race(hedge="b", deadline=5.0)
    r.begin(0.0)
    r.tick(2.0)
    *cancels, end = r.tick(5.0)
    assert [(c.attempt, c.outcome) for c in cancels if isinstance(c, Cancel)] == [
        (0, AttemptOutcome.TIMED_OUT),
        (1, AttemptOutcome.TIMED_OUT),
    ]
    assert isinstance(end, GiveUp)
    assert end.late
    assert not end.partial


def test_the_deadline_ends_a_committed_answer() -> None:
    """The deadline cuts an answer in the middle, and the end says that it is partial and late."""
    r = race(deadline=5.0)
    r.begin(0.0)
    r.first_token(0, 1.0)
    r.listening(4.9)
    assert r.wake_at == 5.0
    cancel, end = r.tick(5.0)
    assert isinstance(cancel, Cancel)
    assert isinstance(end, GiveUp)
    assert end.late
    assert end.partial


@pytest.mark.parametrize(
    ("models", "limits", "hedge"),
    [
        ((), (), None),
        (("a", "b"), (1.0,), None),
        (("a", "a"), (1.0, 1.0), None),
        (("a", "b"), (1.0, 1.0), "a"),
        (("a", "b"), (1.0, 1.0), "z"),
    ],
)
def test_plans_that_make_no_sense_are_refused(
    models: tuple[str, ...], limits: tuple[float, ...], hedge: str | None
) -> None:
    """A plan needs distinct models, a limit for each, and a hedge from among the fallbacks."""
    with pytest.raises(ValueError, match=r"plan|hedge_model"):
        RacePlan(models=models, first_token_s=limits, idle_s=1.0, deadline=1.0, hedge_model=hedge)
