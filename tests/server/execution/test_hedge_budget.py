"""The share of calls that may be hedged."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.execution.hedge_budget import FEW, MAX_CREDIT, PATIENT, HedgeBudget

WINDOW_S = 10.0
SLICE_S = WINDOW_S / 127

# (seconds since the one before, how long it has waited for its hedge, if it wants one)
traffic = st.lists(
    st.tuples(st.floats(0.0, 4.0), st.one_of(st.none(), st.floats(1.0, 4.0))), max_size=200
)


@given(traffic=traffic, share=st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0]))
def test_never_more_than_the_share_or_a_few(
    traffic: list[tuple[float, float | None]], share: float
) -> None:
    """In no window that ends with a hedge are there more hedges than the share, or a few."""
    budget = HedgeBudget(share, window_s=WINDOW_S)
    now = 0.0
    requests: list[float] = []
    hedges: list[float] = []
    for pause, waited in traffic:
        now += pause
        budget.request(now)
        requests.append(now)
        if waited is not None and budget.take(now, waited):
            hedges.append(now)
            recent = [t for t in hedges if now - WINDOW_S < t]
            seen = [t for t in requests if now - WINDOW_S < t]
            assert len(recent) <= max(FEW if share else 0, share * len(seen))


@given(traffic=traffic, burst=st.integers(1, 4), share=st.sampled_from([0.05, 0.5, 1.0]))
def test_never_more_than_was_earned(
    traffic: list[tuple[float, float | None]], burst: int, share: float
) -> None:
    """In the long run there are no more hedges than the share of all requests, and the burst."""
    budget = HedgeBudget(share, window_s=WINDOW_S, burst=burst)
    now, hedges = 0.0, 0
    for requests, (pause, waited) in enumerate(traffic, 1):
        now += pause
        budget.request(now)
        hedges += waited is not None and budget.take(now, waited)
        assert hedges <= burst + share * requests + 1e-6


def test_a_quiet_server_keeps_to_the_share() -> None:
    """One request every five seconds, all slow: the burst is hedged, then one in twenty."""
    budget = HedgeBudget(0.05, burst=2)
    hedged = 0
    for number in range(200):
        budget.request(number * 5.0)
        hedged += budget.take(number * 5.0)
    assert hedged == 2 + 200 // 20


def earn(budget: HedgeBudget, requests: int, at: float) -> None:
    """Have many requests go by at once."""
    for _ in range(requests):
        budget.request(at)


def taken(budget: HedgeBudget, at: float, waited: float = PATIENT) -> int:
    """How many hedges are to be had at once."""
    return next(n for n in range(10_000) if not budget.take(at, waited))


def test_a_share_of_many_requests() -> None:
    """5% of 300 requests are 15 hedges."""
    budget = HedgeBudget(0.05)
    earn(budget, 300, at=0.0)
    assert taken(budget, at=0.0) == 15


def test_savings_are_bounded() -> None:
    """However long nobody was hedged, no more is saved than so much."""
    budget = HedgeBudget(0.05)
    for second in range(10_000):
        earn(budget, 1, at=float(second))
    earn(budget, 1000, at=10_000.0)
    assert taken(budget, at=10_000.0) == MAX_CREDIT < 0.05 * 1000


def test_the_window_slides() -> None:
    """What was spent comes back once the window has passed, and little later."""
    budget = HedgeBudget(0.05, window_s=WINDOW_S)
    for second in range(200):
        earn(budget, 10, at=float(second))
    assert taken(budget, at=200.0) == FEW
    assert taken(budget, at=200.0 + WINDOW_S) == 0
    assert taken(budget, at=200.0 + WINDOW_S + 2 * SLICE_S) == FEW


def test_a_refusal_costs_nothing() -> None:
    """Asking in vain does not push back the moment at which a hedge is allowed again."""
    budget = HedgeBudget(0.05, window_s=WINDOW_S)
    earn(budget, 400, at=0.0)
    assert taken(budget, at=100.0) == FEW
    for second in range(1, 11):
        assert not budget.take(100.0 + second)
    assert budget.take(100.0 + WINDOW_S + 2 * SLICE_S)


def test_who_has_waited_gets_more() -> None:
    """A part of the window opens to a call only as it waits, up to the whole."""
    found = []
    for waited in (1.0, 1.25, PATIENT, 20.0):
        budget = HedgeBudget(0.05)
        earn(budget, 300, at=0.0)
        found.append(taken(budget, at=0.0, waited=waited))
    spread = math.sqrt(0.05 * 300)
    assert found == [int(15 - 1.5 * spread), int(15 - 0.75 * spread), 15, 15]


def test_the_reserve_is_for_those_who_wait() -> None:
    """Those who ask at once leave something for those who ask later."""
    budget = HedgeBudget(0.05)
    earn(budget, 300, at=0.0)
    at_once = taken(budget, at=0.0, waited=1.0)
    assert taken(budget, at=0.0, waited=PATIENT) == 15 - at_once


def test_very_many_requests() -> None:
    """A window of very many requests allows its full share, in the memory of one of few."""
    budget = HedgeBudget(0.05)
    hedges = 0
    for tick in range(1000):
        earn(budget, 100, at=tick / 50)
        hedges += sum(budget.take(tick / 50) for _ in range(10))
    assert hedges == pytest.approx(0.05 * 100_000, rel=0.02)
    assert len(budget._requests._slices) == 127


def test_a_clock_that_stands_still_or_goes_back_does_no_harm() -> None:
    """Nothing is forgotten, and nothing counted twice."""
    budget = HedgeBudget(0.05)
    earn(budget, 200, at=50.0)
    earn(budget, 100, at=49.0)
    assert budget.take(48.0)
    assert taken(budget, at=50.0) == 14


@pytest.mark.timeout(10)
def test_a_long_silence_costs_no_time() -> None:
    """However long nothing came, the next request is counted at once."""
    budget = HedgeBudget(0.05)
    earn(budget, 300, at=0.0)
    earn(budget, 1, at=1e12)
    assert taken(budget, at=1e12) == FEW


def test_no_share_means_no_hedge() -> None:
    """A share of 0 switches hedging off, burst and all."""
    assert not HedgeBudget(0.0, burst=5).take(0.0)


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_share_is_a_share(share: float) -> None:
    """A share outside [0, 1] is refused."""
    with pytest.raises(ValueError, match="share"):
        HedgeBudget(share)
