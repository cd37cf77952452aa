"""What the router learns from how attempts went."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain.attempts import (
    AttemptOutcome,
    AttemptReason,
    AttemptRecord,
    Failure,
    FailureKind,
)
from pointsman_server.domain.money import Usage
from pointsman_server.domain.observer import AttemptDetails, AttemptStart
from pointsman_server.registry.health import MIN_SAMPLES, HealthView

COMPLETED, TIMED_OUT = AttemptOutcome.COMPLETED, AttemptOutcome.TIMED_OUT
LOST_RACE, CANCELLED = AttemptOutcome.LOST_RACE, AttemptOutcome.CANCELLED


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def ended(
    outcome: AttemptOutcome = COMPLETED,
    *,
    first_token_s: float | None = 1.0,
    duration_s: float = 3.0,
    output_tokens: int = 21,
    prompt_tokens: int = 100,
    model: str = "m",
    by_deadline: bool = False,
) -> AttemptDetails:
    kind = FailureKind.DEADLINE if by_deadline else FailureKind.TIMED_OUT
    return AttemptDetails(
        "d",
        AttemptRecord(
            number=0,
            model=model,
            provider="acme",
            reason=AttemptReason.PRIMARY,
            outcome=outcome,
            usage=Usage(output_tokens=output_tokens),
            started_at=10.0,
            ended_at=10.0 + duration_s,
            first_token_at=None if first_token_s is None else 10.0 + first_token_s,
            failure=Failure(kind, "late") if outcome is TIMED_OUT else None,
        ),
        prompt_tokens,
    )


def seen(view: HealthView, times: int, details: AttemptDetails) -> None:
    for _ in range(times):
        view.attempt_ended(details)


@given(st.lists(st.sampled_from(AttemptOutcome)))
def test_what_has_ended_is_not_in_flight(outcomes: list[AttemptOutcome]) -> None:
    """As many ends as starts, in whatever way they end, leave nothing in flight."""
    view = HealthView(Clock())
    for number, _ in enumerate(outcomes):
        view.attempt_started(AttemptStart("d", number, "m", AttemptReason.PRIMARY))
    assert view.health("m").in_flight == len(outcomes)
    for outcome in outcomes:
        view.attempt_ended(ended(outcome, first_token_s=None))
    assert view.health("m").in_flight == 0


def test_nothing_seen() -> None:
    """A model that was never called has a clean sheet, and asking does not change that."""
    view = HealthView(Clock())
    health = view.health("m")
    assert (health.in_flight, health.calls, health.failure_rate) == (0, 0, 0.0)
    assert health.first_token_p50_s is None
    assert health.tokens_per_s_p50 is None
    assert view.first_token_quantile("m", 100, 0.5) is None


def test_a_quantile_waits_for_samples() -> None:
    """A quantile of fewer observations than MIN_SAMPLES is not given."""
    view = HealthView(Clock())
    seen(view, MIN_SAMPLES - 1, ended(first_token_s=1.5))
    assert view.first_token_quantile("m", 100, 0.5) is None
    seen(view, 1, ended(first_token_s=1.5))
    assert view.first_token_quantile("m", 100, 0.5) == 1.5


def test_long_prompts_take_longer() -> None:
    """What is learned of some lengths serves for all: a long prompt has a longer quantile."""
    view = HealthView(Clock())
    for number in range(60):
        tokens = 100 + 100 * number
        view.attempt_ended(ended(first_token_s=1.0 + tokens / 1000, prompt_tokens=tokens))
    assert view.first_token_quantile("m", 0, 0.5) == pytest.approx(1.0, rel=0.05)
    assert view.first_token_quantile("m", 9000, 0.5) == pytest.approx(10.0, rel=0.05)
    assert view.longest_wait("m", 9000) == pytest.approx(10.0, rel=0.05)
    assert view.health("m").first_token_p95_s == pytest.approx(6.8, rel=0.05)


def test_models_are_kept_apart() -> None:
    """One model's failures are not another's."""
    view = HealthView(Clock())
    seen(view, 1, ended(TIMED_OUT, first_token_s=None, model="bad"))
    assert view.health("bad").failure_rate == 1.0
    assert view.health("m").calls == 0


@pytest.mark.parametrize("outcome", [LOST_RACE, CANCELLED, TIMED_OUT])
def test_what_was_given_up_on_counts_as_slower(outcome: AttemptOutcome) -> None:
    """Calls that were given up on after a long wait count in the rank, above all others."""
    view = HealthView(Clock())
    seen(view, 20, ended(first_token_s=1.0))
    seen(view, 1, ended(outcome, first_token_s=None, duration_s=2.0))
    assert view.first_token_quantile("m", 100, 0.9) == 1.0
    assert view.first_token_quantile("m", 100, 0.95) == math.inf
    assert view.longest_wait("m", 100) == 2.0
    assert view.health("m").first_token_p50_s == 1.0
    assert view.health("m").first_token_p95_s is None


@pytest.mark.parametrize("outcome", [LOST_RACE, CANCELLED, TIMED_OUT])
def test_a_moments_wait_says_nothing(outcome: AttemptOutcome) -> None:
    """A call that was given up on sooner than any answered may have been about to answer."""
    view = HealthView(Clock())
    seen(view, 20, ended(first_token_s=1.0))
    seen(view, 100, ended(outcome, first_token_s=None, duration_s=0.9))
    assert view.first_token_quantile("m", 100, 1.0) == 1.0


def test_hedges_that_lose_do_not_bar_a_model() -> None:
    """A model that is called only as a hedge, and always comes second, is not thought dead."""
    view = HealthView(Clock())
    seen(view, 50, ended(LOST_RACE, first_token_s=None, duration_s=0.05))
    assert view.first_token_quantile("m", 100, 0.5) is None
    assert view.longest_wait("m", 100) is None


@pytest.mark.parametrize(
    "outcome", [AttemptOutcome.PROVIDER_ERROR, AttemptOutcome.UNREACHABLE, AttemptOutcome.REJECTED]
)
def test_failures_are_no_waits(outcome: AttemptOutcome) -> None:
    """A call that failed before its first token says nothing of how long one takes."""
    view = HealthView(Clock())
    seen(view, 20, ended(first_token_s=1.0))
    seen(view, 100, ended(outcome, first_token_s=None, duration_s=9.0))
    assert view.first_token_quantile("m", 100, 0.95) == 1.0


def test_a_model_that_never_answers_is_known() -> None:
    """A model all of whose calls time out is slower than anybody waits."""
    view = HealthView(Clock())
    seen(view, MIN_SAMPLES, ended(TIMED_OUT, first_token_s=None, duration_s=30.0))
    assert view.first_token_quantile("m", 100, 0.5) == math.inf
    assert view.health("m").first_token_p50_s is None


def test_impatient_callers_say_nothing_of_a_model() -> None:
    """A caller's own deadline may be too short for any model: nothing is learned from it."""
    view = HealthView(Clock())
    seen(view, 40, ended(TIMED_OUT, first_token_s=None, duration_s=1.2, by_deadline=True))
    assert view.first_token_quantile("m", 100, 0.5) is None
    assert view.health("m").failure_rate == 0.0


def test_a_first_token_counts_even_if_the_rest_fails() -> None:
    """The first token of an attempt that timed out later is an observation like any other."""
    view = HealthView(Clock())
    seen(view, MIN_SAMPLES, ended(TIMED_OUT, first_token_s=0.5))
    assert view.first_token_quantile("m", 100, 1.0) == 0.5


def test_silence_is_forgotten() -> None:
    """A model that nothing was heard of for a while is judged afresh: it may have recovered."""
    clock = Clock()
    view = HealthView(clock, forget_after_s=120.0)
    seen(view, MIN_SAMPLES, ended(TIMED_OUT, first_token_s=None, duration_s=30.0))
    clock.now += 120.0
    assert view.first_token_quantile("m", 100, 0.5) == math.inf
    clock.now += 0.1
    assert view.first_token_quantile("m", 100, 0.5) is None
    seen(view, MIN_SAMPLES - 1, ended(first_token_s=0.5))
    assert view.first_token_quantile("m", 100, 0.5) is None, "the old ones are gone for good"
    seen(view, 1, ended(first_token_s=0.5))
    assert view.first_token_quantile("m", 100, 1.0) == 0.5


def test_races_that_are_lost_keep_no_memory_alive() -> None:
    """A model that only loses hedges is forgotten like one that is silent."""
    clock = Clock()
    view = HealthView(clock, forget_after_s=120.0)
    seen(view, MIN_SAMPLES, ended(first_token_s=5.0))
    for _ in range(3):
        clock.now += 60.0
        seen(view, 1, ended(LOST_RACE, first_token_s=None, duration_s=0.1))
    assert view.first_token_quantile("m", 100, 0.5) is None


def test_steady_calls_are_not_forgotten() -> None:
    """What is heard of every minute is never forgotten, and stays within its window."""
    clock = Clock()
    view = HealthView(clock, forget_after_s=120.0)
    for _ in range(MIN_SAMPLES):
        clock.now += 60.0
        seen(view, 1, ended(first_token_s=2.0))
    assert view.first_token_quantile("m", 100, 0.5) == 2.0


@pytest.mark.parametrize("outcome", AttemptOutcome)
def test_whose_fault(outcome: AttemptOutcome) -> None:
    """A call that we gave up for reasons of our own is neither a success nor a failure."""
    view = HealthView(Clock())
    view.attempt_ended(ended(outcome))
    health = view.health("m")
    if outcome in (CANCELLED, LOST_RACE):
        assert health.calls == 0
    else:
        assert health.calls == 1
        assert health.failure_rate == (0.0 if outcome is COMPLETED else 1.0)


def test_the_failure_rate_is_of_the_last_600() -> None:
    """Old failures leave the window."""
    view = HealthView(Clock())
    for outcome in itertools.chain([AttemptOutcome.PROVIDER_ERROR] * 600, [COMPLETED] * 450):
        view.attempt_ended(ended(outcome))
    assert view.health("m").calls == 600
    assert view.health("m").failure_rate == 0.25


def test_tokens_per_second() -> None:
    """The speed counts from the first token: 20 more in 2 s are 10 a second."""
    view = HealthView(Clock())
    view.attempt_ended(ended(first_token_s=1.0, duration_s=3.0, output_tokens=21))
    assert view.health("m").tokens_per_s_p50 == 10.0


@pytest.mark.parametrize(
    "details",
    [
        ended(output_tokens=1),
        ended(first_token_s=3.0, duration_s=3.0),
        ended(CANCELLED),
        ended(first_token_s=None),
    ],
    ids=["one token", "no time", "not whole", "no token"],
)
def test_no_speed_without_something_to_measure(details: AttemptDetails) -> None:
    """An answer of one piece, or one that is not whole, has no speed."""
    view = HealthView(Clock())
    view.attempt_ended(details)
    assert view.health("m").tokens_per_s_p50 is None
