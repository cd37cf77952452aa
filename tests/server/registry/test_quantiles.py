"""Quantiles of a sliding window."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.registry.quantiles import SurvivalWindow

numbers = st.one_of(st.floats(0.0, 100.0), st.integers(0, 5).map(float))
mixed = st.lists(st.tuples(numbers, st.booleans()), min_size=1, max_size=60)


def window_of(observations: Sequence[tuple[float, bool]], size: int = 600) -> SurvivalWindow:
    window = SurvivalWindow(size)
    for value, cut in observations:
        window.add(value, cut=cut)
    return window


def by_redistribution(observations: Sequence[tuple[float, bool]], q: float) -> float:
    """The same estimate by another way: B. Efron's redistribution to the right.

    Each observation has the same mass, and so has infinity; what was cut short hands its mass on to
    all that are greater.
    """
    ordered = sorted(observations)  # with a tie, what was seen comes first
    masses = [1.0 / (len(ordered) + 1)] * (len(ordered) + 1)
    shares: list[float] = []
    values: list[float] = []
    below = 0.0
    for i, (value, cut) in enumerate(ordered):
        if cut:
            for later in range(i + 1, len(masses)):
                masses[later] += masses[i] / (len(masses) - i - 1)
        else:
            below += masses[i]
            shares.append(below)
            values.append(value)
    if shares and q <= shares[-1]:
        return float(np.interp(q, shares, values))
    return math.inf if ordered[-1][1] else values[-1]


@given(values=st.lists(numbers, min_size=1), q=st.floats(0.0, 1.0))
def test_without_anything_cut_short_it_is_definition_6(values: list[float], q: float) -> None:
    """Where all was seen, the quantile is that of Hyndman and Fan's definition 6."""
    found = window_of([(value, False) for value in values]).quantile(q)
    assert found == pytest.approx(np.quantile(values, q, method="weibull"), abs=1e-9)


@given(observations=mixed, q=st.floats(0.01, 0.99))
def test_what_was_cut_short_hands_its_weight_on(
    observations: list[tuple[float, bool]], q: float
) -> None:
    """With some cut short, the quantile is what Efron's redistribution gives."""
    expected = by_redistribution(observations, q)
    neighbours = [by_redistribution(observations, q + shift) for shift in (-1e-7, 1e-7)]
    found = window_of(observations).quantile(q)
    assert found in (pytest.approx(expected), *(pytest.approx(value) for value in neighbours))


@given(observations=mixed, size=st.integers(1, 20), q=st.floats(0.0, 1.0))
def test_only_the_last_few_count(
    observations: list[tuple[float, bool]], size: int, q: float
) -> None:
    """A window that has seen many equals one that has seen the last of them only."""
    long, short = window_of(observations, size), window_of(observations[-size:], size)
    assert long.quantile(q) == short.quantile(q)
    assert long.greatest == short.greatest == max(value for value, _ in observations[-size:])
    assert len(long) == len(short) == min(len(observations), size)


@given(observations=mixed, others=mixed, q=st.floats(0.0, 1.0))
def test_what_is_replaced_is_forgotten(
    observations: list[tuple[float, bool]], others: list[tuple[float, bool]], q: float
) -> None:
    """After a replacement the window is as if it had seen nothing else, and goes on from there."""
    window, fresh = window_of(observations, 10), window_of(others, 10)
    window.quantile(q)
    window.replace(others)
    assert window.quantile(q) == fresh.quantile(q)
    for each in (window, fresh):
        each.add(7.0)
    assert window.quantile(q) == fresh.quantile(q)


@given(observations=mixed)
def test_quantiles_do_not_fall(observations: list[tuple[float, bool]]) -> None:
    """A greater share has a quantile at least as great."""
    window = window_of(observations)
    found = [window.quantile(step / 20) for step in range(21)]
    assert None not in found
    assert found == sorted(found, key=lambda value: value or 0.0)


@pytest.mark.parametrize("size", [20, 100])
def test_the_next_one_exceeds_it_as_often_as_it_says(size: int) -> None:
    """Whatever the size of the window, one in ten exceeds the quantile of nine tenths."""
    chance = random.Random(7)
    exceeding = []
    for _ in range(1000):
        window = window_of([(chance.random(), False) for _ in range(size)])
        exceeding.append(1.0 - (window.quantile(0.9) or 0.0))
    assert statistics.mean(exceeding) == pytest.approx(0.1, abs=0.005)


@pytest.mark.parametrize("patience", [1.0, 1.3, 2.0])
def test_giving_up_does_not_move_the_estimate(patience: float) -> None:
    """However soon slow calls are given up on, what can be known of the quantile stays the same."""
    chance = random.Random(11)
    window = SurvivalWindow(5_000)
    for _ in range(5_000):
        value, limit = chance.lognormvariate(0, 0.5), patience * chance.uniform(0.5, 2.0)
        window.add(min(value, limit), cut=value > limit)
    assert window.quantile(0.6) == pytest.approx(math.exp(0.5 * 0.2533), rel=0.04)


def test_nothing_seen() -> None:
    """An empty window has no quantile, and nothing that is greatest."""
    window = SurvivalWindow()
    assert window.quantile(0.5) is None
    assert window.greatest is None


def test_beyond_what_was_waited_for() -> None:
    """Where too many were cut short for the quantile to be known, it is infinite."""
    window = window_of([(1.0, False), (2.0, False), (3.0, False), (5.0, True)])
    assert window.quantile(0.4) == 2.0
    assert window.quantile(0.6) == 3.0
    assert window.quantile(0.61) == math.inf
    assert window.greatest == 5.0
    assert window_of([(1.0, True)]).quantile(0.0) == math.inf


def test_a_moments_patience_says_nothing() -> None:
    """What was given up on before anything was ever seen changes no quantile."""
    window = window_of([(1.0, False), (2.0, False), (3.0, False)])
    before = window.quantile(0.5)
    for _ in range(100):
        window.add(0.1, cut=True)
    assert window.quantile(0.5) == pytest.approx(before)


def test_a_quantile_is_not_that_of_a_moment_ago() -> None:
    """What was asked before is not remembered beyond the next observation."""
    window = window_of([(1.0, False)])
    assert window.quantile(0.5) == 1.0
    window.add(3.0)
    assert window.quantile(0.5) == 2.0


def test_many_different_questions() -> None:
    """Asking for very many quantiles is answered all the same, in bounded memory."""
    window = window_of([(float(value), False) for value in range(1, 100)])
    assert [window.quantile(k / 100) for k in range(1, 100)] == pytest.approx(range(1, 100))
    assert len(window._cached) <= 8


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    """What has no rank is refused before it does harm."""
    window = window_of([(1.0, False)])
    with pytest.raises(ValueError, match="finite number"):
        window.add(value)
    assert len(window) == 1
    assert window.quantile(1.0) == 1.0


def test_a_window_of_nothing_is_refused() -> None:
    """A window holds at least one observation."""
    with pytest.raises(ValueError, match="at least one"):
        SurvivalWindow(0)
