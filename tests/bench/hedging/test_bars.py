"""Quantiles, windows and bars."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.hedging.bars import (
    FEWEST_IN_WINDOW,
    WINDOW_S,
    Bars,
    Quantiles,
    figures,
    quantiles,
    worst_window,
)


@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=3000))
def test_quantiles_are_observations(times: list[float]) -> None:
    """At least the share lies at or below each quantile, and less than it strictly below."""
    found = quantiles(times)
    for share, value in ((0.5, found.p50), (0.99, found.p99), (0.999, found.p999)):
        assert sum(time <= value for time in times) >= share * len(times) - 1e-9
        assert sum(time < value for time in times) < share * len(times)


def test_quantiles_of_nothing() -> None:
    """Where nothing was answered there is no quantile, and no bar is met by it."""
    found = quantiles([])
    assert math.isnan(found.p99)
    assert not figures(found, found, 0.0, 0.0, Bars())[1].met


def test_what_is_compared() -> None:
    """Each figure is with hedging by without, and meets its bar up to the bar itself."""
    off, on = Quantiles(1.0, 10.0, 20.0), Quantiles(1.0, 2.0, 6.1)
    found = figures(off, on, 0.06, 0.2, Bars(extra_in_window=None))
    assert [(f.value, f.met) for f in found] == [
        (1.0, True),
        (0.2, True),
        (pytest.approx(0.305), False),
        (0.06, True),
        (0.2, True),
    ]


def naive_worst(requests: list[float], hedges: list[float]) -> float:
    shares = [0.0]
    for end in hedges:
        came = sum(end - WINDOW_S < t <= end for t in requests)
        sent = sum(end - WINDOW_S < t <= end for t in hedges)
        if came >= FEWEST_IN_WINDOW:
            shares.append(sent / came)
    return max(shares)


@given(
    gaps=st.lists(st.floats(0.0, 0.2), min_size=250, max_size=400),
    hedged=st.lists(st.floats(0.0, 40.0), max_size=20),
)
def test_the_worst_window_is_found(gaps: list[float], hedged: list[float]) -> None:
    """No window of ten seconds that ends with a hedge has a greater share of them."""
    now, requests = 0.0, []
    for gap in gaps:
        now += gap
        requests.append(now)
    hedges = sorted(hedged)
    assert worst_window(requests, hedges) == pytest.approx(naive_worst(requests, hedges))


def test_only_windows_that_end_within() -> None:
    """Windows that end before the beginning or after the end of a stretch are not its own."""
    requests = [second / 50 for second in range(2000)]
    hedges = [10.0, 10.1, 10.2, 30.0]
    assert worst_window(requests, hedges) == pytest.approx(3 / 500, rel=0.01)
    assert worst_window(requests, hedges, start=20.0) == pytest.approx(1 / 500, rel=0.01)
    assert worst_window(requests, hedges, end=10.15) == pytest.approx(2 / 500, rel=0.01)
    assert worst_window(requests[:100], hedges) == 0.0, "a handful of requests says nothing"
