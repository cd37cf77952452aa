"""When a hedge is due."""

from __future__ import annotations

import math
import random

import pytest
from builders import make_model, make_profile
from pointsman_server.domain.attempts import AttemptOutcome, AttemptReason, AttemptRecord
from pointsman_server.domain.money import Usage
from pointsman_server.domain.observer import AttemptDetails
from pointsman_server.domain.profile import Urgency
from pointsman_server.registry.health import MIN_SAMPLES, HealthView
from pointsman_server.routing.hedging import HedgePolicy

MODEL = make_model("m", first_token_s=0.7)
URGENT = make_profile(urgency=Urgency.HIGH)


def record(seconds: float, *, cut: bool = False) -> AttemptRecord:
    return AttemptRecord(
        number=0,
        model="m",
        provider="acme",
        reason=AttemptReason.PRIMARY,
        outcome=AttemptOutcome.LOST_RACE if cut else AttemptOutcome.COMPLETED,
        usage=Usage(),
        started_at=10.0,
        ended_at=10.0 + seconds,
        first_token_at=None if cut else 10.0 + seconds,
    )


def health_of(*records: AttemptRecord, prompt_tokens: int = 100) -> HealthView:
    view = HealthView(lambda: 50.0)
    for each in records:
        view.attempt_ended(AttemptDetails("d", each, prompt_tokens))
    return view


def usual(count: int = 600) -> list[AttemptRecord]:
    chance = random.Random(5)
    return [record(chance.lognormvariate(0, 0.4)) for _ in range(count)]


@pytest.mark.parametrize("extra_share", [0.02, 0.05, 0.2])
def test_as_many_are_due_as_may_cost(extra_share: float) -> None:
    """The share of calls that are slower than the delay is the share that hedging may cost."""
    delay = HedgePolicy(extra_share=extra_share).delay(MODEL, None, 100, health_of(*usual()))
    assert delay is not None
    slower = sum((r.first_token_s or 0.0) > delay for r in usual())
    assert slower / 600 == pytest.approx(extra_share, abs=0.002)


def test_three_times_as_many_urgent_ones_are_due() -> None:
    """Urgent requests hedge at the quantile of three times the share."""
    delay = HedgePolicy().delay(MODEL, URGENT, 100, health_of(*usual()))
    assert delay is not None
    slower = sum((r.first_token_s or 0.0) > delay for r in usual())
    assert slower / 600 == pytest.approx(0.15, abs=0.002)


@pytest.mark.parametrize(("extra_share", "due"), [(0.3, 0.5), (0.8, 0.8)])
def test_not_more_than_half_are_due_for_being_urgent(extra_share: float, due: float) -> None:
    """Urgency alone does not make more than half of the calls due."""
    delay = HedgePolicy(extra_share=extra_share).delay(MODEL, URGENT, 100, health_of(*usual()))
    assert delay is not None
    slower = sum((r.first_token_s or 0.0) > delay for r in usual())
    assert slower / 600 == pytest.approx(due, abs=0.002)


def test_the_prior_serves_until_there_is_evidence() -> None:
    """With too few observations the delay is a multiple of the registry's prior."""
    policy = HedgePolicy(prior_factor=4.0)
    assert policy.delay(MODEL, None, 100, health_of()) == pytest.approx(2.8)
    few = health_of(*usual(MIN_SAMPLES - 1))
    assert policy.delay(MODEL, URGENT, 100, few) == pytest.approx(2.8)


def test_the_least_delay() -> None:
    """However fast a model is, no hedge is due before the least delay."""
    fast = health_of(*[record(0.001)] * 30)
    assert HedgePolicy(min_delay_s=0.02).delay(MODEL, URGENT, 100, fast) == 0.02


def test_no_extra_cost_no_hedge() -> None:
    """Where hedging may cost nothing no hedge is ever due."""
    assert HedgePolicy(extra_share=0.0).delay(MODEL, None, 100, health_of(*usual())) is None


def test_a_quantile_that_nobody_waited_for() -> None:
    """Where the quantile is not known, the delay is the longest that anybody waited."""
    view = health_of(*[record(1.0)] * 20, *[record(2.0, cut=True)] * 3)
    assert HedgePolicy().delay(MODEL, None, 100, view) == 2.0


def test_a_model_that_is_down_is_not_slow() -> None:
    """Where most calls were given up on, there is no hedge: a fallback does more."""
    view = health_of(*[record(1.0)] * 20, *[record(2.0, cut=True)] * 30)
    assert view.first_token_quantile("m", 100, 0.5) == math.inf
    assert HedgePolicy().delay(MODEL, None, 100, view) is None
