"""The share of calls that may be hedged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.execution.hedge_budget import HedgeBudget

WINDOW_S = 10.0

# (seconds since the one before, whether it wants a hedge)
traffic = st.lists(st.tuples(st.floats(0.0, 4.0), st.booleans()), max_size=120)


@given(
    traffic=traffic,
    share=st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0]),
    burst=st.integers(0, 4),
    max_events=st.sampled_from([3, 50, 10_000]),
)
def test_never_more_than_the_share_or_the_burst(
    traffic: list[tuple[float, bool]], share: float, burst: int, max_events: int
) -> None:
    """In no window that ends with a hedge are there more hedges than the share or the burst."""
    budget = HedgeBudget(share, window_s=WINDOW_S, burst=burst, max_events=max_events)
    now = 0.0
    requests: list[float] = []
    hedges: list[float] = []
    for pause, hedged in traffic:
        now += pause
        budget.request(now)
        requests.append(now)
        if hedged and budget.take(now):
            hedges.append(now)
            recent = [t for t in hedges if now - WINDOW_S < t]
            seen = [t for t in requests if now - WINDOW_S < t]
            assert len(recent) <= max(burst if share else 0, share * len(seen))


@given(traffic=traffic, burst=st.integers(1, 4), share=st.sampled_from([0.05, 0.5, 1.0]))
def test_never_more_than_was_earned(
    traffic: list[tuple[float, bool]], burst: int, share: float
) -> None:
    """In the long run there are no more hedges than the share of all requests, and the burst."""
    budget = HedgeBudget(share, window_s=WINDOW_S, burst=burst)
    now, hedges = 0.0, 0
    for requests, (pause, hedged) in enumerate(traffic, 1):
        now += pause
        budget.request(now)
        hedges += hedged and budget.take(now)
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


def test_a_share_of_many_requests() -> None:
    """5% of 100 requests are 5 hedges."""
    budget = HedgeBudget(0.05)
    for _ in range(100):
        budget.request(0.0)
    assert [budget.take(0.0) for _ in range(7)] == [True] * 5 + [False] * 2


def test_the_window_slides() -> None:
    """What was spent comes back once the window has passed, to the second."""
    budget = HedgeBudget(0.05, window_s=10.0, burst=1)
    earn(budget, 40, at=-20.0)
    assert budget.take(0.0)
    assert not budget.take(9.99)
    assert budget.take(10.0)


def test_a_refusal_costs_nothing() -> None:
    """Asking in vain does not push back the moment at which a hedge is allowed again."""
    budget = HedgeBudget(0.05, window_s=10.0, burst=1)
    earn(budget, 40, at=-20.0)
    budget.take(0.0)
    for second in range(1, 10):
        assert not budget.take(float(second))
    assert budget.take(10.0)


def test_no_share_means_no_hedge() -> None:
    """A share of 0 switches hedging off, burst and all."""
    assert not HedgeBudget(0.0, burst=5).take(0.0)


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_share_is_a_share(share: float) -> None:
    """A share outside [0, 1] is refused."""
    with pytest.raises(ValueError, match="share"):
        HedgeBudget(share)
