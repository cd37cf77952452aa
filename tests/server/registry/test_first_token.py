"""First-token times of one model."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.registry.first_token import WINDOW, FirstTokenTimes, Wait


def seen(tokens: int, seconds: float) -> Wait:
    return Wait(tokens, seconds, cut=False, telling=True)


def given_up(tokens: int, seconds: float) -> Wait:
    return Wait(tokens, seconds, cut=True, telling=False)


def reading(slope: float, *, seed: int = 1, count: int = WINDOW) -> FirstTokenTimes:
    """A model that takes 100 ms and ``slope`` times as much a token, give or take."""
    chance, times = random.Random(seed), FirstTokenTimes()
    for _ in range(count):
        tokens = round(chance.lognormvariate(6, 1.3))
        times.add(seen(tokens, 0.1 * (1 + slope * tokens) * chance.lognormvariate(0, 0.4)))
    return times


@pytest.mark.parametrize("tokens", [20, 400, 5000, 40_000])
def test_every_length_has_its_own_quantile(tokens: int) -> None:
    """About one call in twenty exceeds the 95 % quantile for its length, whatever the length."""
    exceeding = []
    for seed in range(30):
        quantile = reading(0.001, seed=seed).quantile(tokens, 0.95) or 0.0
        times = quantile / (0.1 * (1 + 0.001 * tokens))
        exceeding.append(1 - statistics.NormalDist(0, 0.4).cdf(math.log(times)))
    assert statistics.mean(exceeding) == pytest.approx(0.05, abs=0.02)


def test_where_length_does_not_matter_it_does_not() -> None:
    """A model that takes as long for any prompt has one quantile."""
    times = reading(0.0)
    assert times.quantile(10, 0.95) == times.quantile(100_000, 0.95)


def test_the_effect_follows_the_model() -> None:
    """A model that becomes slow on long prompts is seen to be, within a window."""
    times = reading(0.0)
    chance = random.Random(9)
    for _ in range(WINDOW):
        tokens = round(chance.lognormvariate(6, 1.3))
        times.add(seen(tokens, 0.1 * (1 + 0.002 * tokens) * chance.lognormvariate(0, 0.4)))
    short, long = times.quantile(50, 0.5), times.quantile(5000, 0.5)
    assert short == pytest.approx(0.11, rel=0.25)
    assert long == pytest.approx(1.1, rel=0.25)


@given(
    st.lists(
        st.builds(
            Wait,
            st.integers(0, 100_000),
            st.floats(0.0, 60.0),
            st.booleans(),
            st.booleans(),
        ),
        min_size=1,
        max_size=200,
    )
)
def test_any_waits_will_do(waits: list[Wait]) -> None:
    """Whatever is observed, quantiles do not fall, and never lie beyond the longest wait."""
    times = FirstTokenTimes()
    for wait in waits:
        times.add(wait)
    low, high, longest = times.quantile(700, 0.5), times.quantile(700, 0.95), times.longest(700)
    assert low is not None
    assert high is not None
    assert longest is not None
    assert low <= high
    assert high == math.inf or high <= longest * (1 + 1e-9)
    assert times.telling == sum(wait.telling for wait in waits)


def test_only_the_last_600_count() -> None:
    """What is older than a window is forgotten, and what it told with it."""
    times = FirstTokenTimes()
    for _ in range(WINDOW):
        times.add(seen(100, 9.0))
    for _ in range(WINDOW):
        times.add(given_up(100, 1.0))
    assert times.telling == 0
    assert times.longest(100) == 1.0
    times.add(seen(100, 2.0))
    assert times.telling == 1


def test_overall_is_as_it_was() -> None:
    """Without regard to length, waits are quoted as they were."""
    times = reading(0.002)
    assert times.quantile(10, 0.5) != times.overall().quantile(0.5)
    plain = FirstTokenTimes()
    for tokens, seconds in ((10, 1.0), (10_000, 3.0), (20, 2.0)):
        plain.add(seen(tokens, seconds))
    plain.add(given_up(10, 0.5))
    assert plain.overall().quantile(0.5) == pytest.approx(2.0)


def test_nothing_seen() -> None:
    """Without a wait there is no quantile and no longest wait."""
    times = FirstTokenTimes()
    assert times.quantile(100, 0.5) is None
    assert times.longest(100) is None
    assert times.overall().quantile(0.5) is None
