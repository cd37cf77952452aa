"""Axes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.report.scales import (
    MAX_TICKS,
    Linear,
    Log,
    Percentile,
    Scale,
    around,
    linear_from_zero,
    ratio_axis,
)

POSITIVE = st.floats(1e-7, 1e7)


def _label(value: float) -> str:
    return f"{value:g}"


def _sound(scale: Scale, values: list[float]) -> None:
    """Everything lies between the ends, in order, and ticks are few and in order."""
    places = [scale.at(value) for value in sorted(values)]
    assert all(0 <= place <= 1 for place in places)
    assert places == sorted(places)
    ticks = [tick.value for tick in scale.ticks]
    assert ticks == sorted(ticks)
    assert 1 <= len(ticks) <= MAX_TICKS + 2


@given(POSITIVE, POSITIVE, st.lists(POSITIVE, min_size=1))
def test_any_range_gets_a_sound_axis(a: float, b: float, values: list[float]) -> None:
    """No range, however narrow or wide, leaves an axis without order or without a tick."""
    low, high = min(a, b), max(a, b)
    _sound(around(low, high, _label), values)
    _sound(linear_from_zero(high, _label), values)
    _sound(ratio_axis([low, high]), values)


def test_percentiles_are_spaced_by_their_distance_from_all() -> None:
    """From p90 to p99 is as far as from p99 to p99.9."""
    axis = Percentile(0.999)
    assert axis.at(0.99) - axis.at(0.9) == pytest.approx(axis.at(0.9) - axis.at(0.0))
    assert axis.at(0.9999) == 1.0
    assert [tick.label for tick in axis.ticks] == ["0 %", "50 %", "90 %", "99 %", "99.9 %"]


def test_linear_axes_end_at_round_numbers() -> None:
    """From nothing to a little more than the highest."""
    axis = linear_from_zero(873.0, _label, 4)
    assert (axis.low, axis.high) == (0.0, 1000.0)
    assert [tick.value for tick in axis.ticks] == [0.0, 500.0, 1000.0]
    assert linear_from_zero(0.0, _label).high == 1.0


def test_wide_ranges_are_logarithmic() -> None:
    """Beyond a factor of thirty, each decade is as wide as the next."""
    assert isinstance(around(1.0, 29.0, _label), Linear)
    axis = around(1.0, 1000.0, _label)
    assert isinstance(axis, Log)
    assert axis.at(100.0) - axis.at(10.0) == pytest.approx(axis.at(10.0) - axis.at(1.0))


def test_a_ratio_axis_always_has_one_on_it_and_survives_infinity() -> None:
    """The line that says "no change" is there; an infinite end lies at the axis' end."""
    axis = ratio_axis([2.0, math.inf])
    assert 0 < axis.at(1.0) < 1
    assert axis.at(math.inf) == 1.0
    assert axis.at(0.0) == 0.0
