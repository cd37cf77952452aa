"""Quantiles of a sliding window."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.registry.quantiles import QuantileWindow

values = st.lists(st.one_of(st.floats(0.0, 100.0), st.just(math.inf), st.integers(0, 5)))


def naive(values: Sequence[float], size: int, q: float) -> float | None:
    recent = sorted(values[-size:])
    return recent[max(math.ceil(q * len(recent)), 1) - 1] if recent else None


@given(values=values, size=st.integers(1, 40), q=st.floats(0.0, 1.0))
def test_equals_sorting_the_last_few(values: list[float], size: int, q: float) -> None:
    """A window's quantile is that of the last ``size`` observations, sorted."""
    window = QuantileWindow(size)
    for i, value in enumerate(values):
        window.add(value)
        assert window.quantile(q) == naive(values[: i + 1], size, q)
        assert len(window) == min(i + 1, size)


@given(values=values.filter(len), q=st.floats(0.0, 1.0))
def test_is_the_smallest_that_reaches_the_share(values: list[float], q: float) -> None:
    """At least a share q lies at or below the quantile, and less than q strictly below it."""
    window = QuantileWindow(len(values))
    for value in values:
        window.add(value)
    found = window.quantile(q)
    assert found is not None
    assert sum(v <= found for v in values) >= q * len(values) - 1e-9
    assert found == min(values) or sum(v < found for v in values) < q * len(values) + 1e-9


def test_nothing_seen() -> None:
    """An empty window has no quantile."""
    assert QuantileWindow().quantile(0.5) is None


def test_an_observation_cut_short_counts_in_the_rank() -> None:
    """Infinity stands above all else: it moves the quantile up, and out of sight at last."""
    window = QuantileWindow(10)
    for value in (1.0, 2.0, 3.0, math.inf):
        window.add(value)
    assert window.quantile(0.5) == 2.0
    assert window.quantile(0.75) == 3.0
    assert window.quantile(0.76) == math.inf


def test_not_a_number_is_refused() -> None:
    """NaN has no rank, and is refused before it does harm."""
    window = QuantileWindow(2)
    window.add(1.0)
    with pytest.raises(ValueError, match="number"):
        window.add(math.nan)
    assert len(window) == 1
    assert window.quantile(1.0) == 1.0


def test_a_window_of_nothing_is_refused() -> None:
    """A window holds at least one observation."""
    with pytest.raises(ValueError, match="at least one"):
        QuantileWindow(0)
