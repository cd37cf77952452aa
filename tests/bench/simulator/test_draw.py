"""What becomes of simulated calls."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.simulator.behaviour import (
    BehaviourError,
    Change,
    Faults,
    Lognormal,
    ModelBehaviour,
    SimulatorConfig,
    Tail,
    from_json,
    to_json,
)
from pointsman_bench.simulator.draw import CallPlan, draw, next_gap

MODEL = ModelBehaviour("m", Lognormal(0.2, 0.4), Lognormal(0.01, 0.3), Lognormal(50, 0.5))
CALLS = 4000


def plans(
    model: ModelBehaviour = MODEL,
    *,
    changes: tuple[Change, ...] = (),
    now: float = 0.0,
    bound: int | None = None,
    seed: int = 1,
    count: int = CALLS,
) -> list[CallPlan]:
    rng = random.Random(seed)
    return [draw(model, changes, now, b"%d" % i, bound, rng) for i in range(count)]


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def test_first_tokens_and_lengths_have_their_medians() -> None:
    """Within chance."""
    drawn = plans()
    assert median([plan.first_token_s for plan in drawn]) == pytest.approx(0.2, rel=0.05)
    assert median([plan.tokens for plan in drawn]) == pytest.approx(50, rel=0.05)
    assert all(plan.status == 200 and plan.full for plan in drawn)


def test_gaps_have_their_median() -> None:
    """And spread as they should."""
    rng = random.Random(1)
    (plan,) = plans(count=1)
    gaps = [next_gap(plan, rng) for _ in range(CALLS)]
    assert median(gaps) == pytest.approx(0.01, rel=0.05)
    assert min(gaps) < 0.006 < 0.016 < max(gaps)


@given(st.integers(1, 200), st.integers(0, 99))
def test_no_answer_is_longer_than_the_caller_allows(bound: int, seed: int) -> None:
    """One that was to be longer says that it is not full."""
    for plan in plans(bound=bound, seed=seed, count=20):
        assert 1 <= plan.tokens <= bound
        assert plan.full or plan.tokens == bound


def test_the_tail_has_its_share_and_factor() -> None:
    """Two in a hundred take twenty times as long."""
    model = replace(MODEL, first_token=Lognormal(0.2), tail=Tail(0.02, 20.0))
    times = Counter(round(plan.first_token_s, 6) for plan in plans(model, count=20_000))
    assert set(times) == {0.2, 4.0}
    assert times[4.0] / 20_000 == pytest.approx(0.02, abs=0.004)


@pytest.mark.parametrize(("shared", "both"), [(0.0, 0.1), (0.5, 0.55), (1.0, 1.0)])
def test_shared_slowness_meets_a_second_model_too(shared: float, both: float) -> None:
    """Given that one model is slow for a request, the other is so with shared + the rest's share.

    With a = shared · share, P(both) = a + (1 - a) b², where b = (share - a) / (1 - a).
    """
    tail = Tail(0.1, 10.0, shared)
    models = [replace(MODEL, first_token=Lognormal(0.1), tail=tail, name=n) for n in "ab"]
    rng = random.Random(3)
    slow = slow_both = 0
    for i in range(40_000):
        first, second = (draw(m, (), 0.0, b"request %d" % i, None, rng) for m in models)
        slow += first.first_token_s > 0.5
        slow_both += first.first_token_s > 0.5 and second.first_token_s > 0.5
    assert slow / 40_000 == pytest.approx(0.1, abs=0.006)
    assert slow_both / slow == pytest.approx(both, abs=0.03)


def test_faults_have_their_shares() -> None:
    """And a rate limit says when to try again."""
    faults = Faults(
        rate_limited=0.1, server_error=0.05, overloaded=0.15, cut=0.2, stall=0.1, retry_after_s=3
    )
    drawn = plans(replace(MODEL, faults=faults), count=20_000)
    statuses = Counter(plan.status for plan in drawn)
    for status, share in ((429, 0.1), (500, 0.05), (529, 0.15)):
        assert statuses[status] / 20_000 == pytest.approx(share, abs=0.01)
    assert sum(p.cut_after is not None for p in drawn) / 20_000 == pytest.approx(0.2, abs=0.01)
    assert sum(p.stall_after is not None for p in drawn) / 20_000 == pytest.approx(0.1, abs=0.01)
    assert {p.retry_after_s for p in drawn if p.status == 429} == {3}
    assert {p.retry_after_s for p in drawn if p.status != 429} == {None}


def test_what_breaks_off_does_so_before_its_end() -> None:
    """After a token, and before the last, unless there is but one."""
    for plan in plans(replace(MODEL, faults=Faults(cut=0.5, stall=0.5))):
        (at,) = {plan.cut_after, plan.stall_after} - {None}
        assert at is not None
        assert 1 <= at < plan.tokens or plan.tokens == at == 1


@pytest.mark.parametrize(
    ("now", "down"), [(-1.0, False), (9.9, False), (10.0, True), (19.9, True), (20.0, False)]
)
def test_an_outage_lasts_from_its_start_to_before_its_end(now: float, down: bool) -> None:
    """Of the run's clock, which shows less than 0 before it starts."""
    drawn = plans(changes=(Change(("m",), 10.0, 20.0),), now=now, count=20)
    assert {plan.status for plan in drawn} == {503 if down else 200}


def test_each_mishap_is_its_own() -> None:
    """A reset, silence, slowness; and none of them at another model."""

    def under(mishap: str, factor: float = 1.0, models: tuple[str, ...] = ("m",)) -> CallPlan:
        change = Change(models, 0.0, 1.0, mishap, factor)  # type: ignore[arg-type]
        fixed = replace(MODEL, first_token=Lognormal(0.2))
        return plans(fixed, changes=(change,), count=1)[0]

    assert under("reset").reset
    assert under("hang").silent
    slow = under("slow", 3.0)
    assert (slow.first_token_s, slow.gap_s) == pytest.approx((0.6, 0.03))
    assert under("down", models=("other",)).status == 200


def test_slowness_of_two_changes_multiplies() -> None:
    """Where they overlap."""
    changes = (Change(("m",), 0, 2, "slow", 2.0), Change(("m",), 1, 3, "slow", 5.0))
    fixed = replace(MODEL, first_token=Lognormal(0.1))
    times = [plans(fixed, changes=changes, now=at, count=1)[0].first_token_s for at in (0, 1, 2, 3)]
    assert times == pytest.approx([0.2, 1.0, 0.5, 0.1])


def test_equal_seeds_draw_equal_calls() -> None:
    """A run can be repeated."""
    assert plans(seed=4, count=50) == plans(seed=4, count=50)
    assert plans(seed=4, count=50) != plans(seed=5, count=50)


def test_a_configuration_survives_its_way_to_the_process() -> None:
    """As JSON."""
    config = SimulatorConfig((MODEL,), (Change(("m",), 1, 2, "slow", 2.0),), 7, 8080)
    assert from_json(to_json(config)) == config


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Lognormal(-1), "median"),
        (lambda: Lognormal(float("nan")), "median"),
        (lambda: Lognormal(1, 9), "sigma"),
        (lambda: Tail(1.5), "share"),
        (lambda: Tail(0.1, 0.5), "factor"),
        (lambda: Faults(cut=-0.1), "cut"),
        (lambda: Faults(cut=0.6, stall=0.6), "more than 1"),
        (lambda: Change(("m",), 2, 1), "end_s"),
        (lambda: Change(("m",), 1, 2, "slow", 0), "factor"),
        (lambda: SimulatorConfig(()), "at least one"),
        (lambda: SimulatorConfig((MODEL, MODEL)), "each name once"),
        (lambda: SimulatorConfig((MODEL,), (Change(("x",), 0, 1),)), "no model is called x"),
        (lambda: from_json(b'{"models": 1}'), "models"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(build: object, says: str) -> None:
    """When it is made, not when it is used."""
    assert callable(build)
    with pytest.raises(BehaviourError, match=says):
        build()
