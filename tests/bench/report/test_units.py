"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.report.units import (
    Unit,
    digits,
    format_change,
    format_percent_change,
    format_range,
    format_value,
)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.01234, Unit.SECONDS, "12.3 ms"),
        (0.0009996, Unit.SECONDS, "1.00 ms"),
        (0.0009994, Unit.SECONDS, "999 µs"),
        (0.9996, Unit.SECONDS, "1.00 s"),
        (75.0, Unit.SECONDS, "75.0 s"),
        (0.0, Unit.SECONDS, "0 s"),
        (96_000_000, Unit.BYTES, "96.0 MB"),
        (12, Unit.BYTES, "12 B"),
        (1234567, Unit.COUNT, "1,234,567"),
        (0.1234, Unit.SHARE, "12.3 %"),
        (38.66, Unit.PER_SECOND, "38.7 /s"),
        (1234.5, Unit.USD, "$1,234.50"),
        (0.000123, Unit.USD, "$0.000123"),
        (1.0, Unit.PLAIN, "1.00"),
        (None, Unit.SECONDS, "–"),
        (math.nan, Unit.SHARE, "–"),
        (math.inf, Unit.SECONDS, "∞"),
    ],
)
def test_a_value_has_three_digits_and_its_unit(value: float | None, unit: Unit, shown: str) -> None:
    """Whatever its size, a number is short and never without its unit."""
    assert format_value(value, unit) == shown


def test_changes_say_their_sign_and_shares_change_by_points() -> None:
    """A difference of shares is percentage points, which is no percentage."""
    assert format_change(0.012, Unit.SECONDS) == "+12.0 ms"
    assert format_change(-0.012, Unit.SECONDS) == "−12.0 ms"
    assert format_change(0.0, Unit.SECONDS) == "±0 s"
    assert format_change(0.015, Unit.SHARE) == "+1.50 pp"
    assert format_change(None, Unit.SHARE) == "–"


def test_large_ratios_are_factors_and_small_ones_percentages() -> None:
    """+900 % is hard to read, ×10 is not; next to nothing is nothing."""
    assert format_percent_change(1.1) == "+10.0 %"
    assert format_percent_change(0.5) == "−50.0 %"
    assert format_percent_change(10.0) == "×10.0"
    assert format_percent_change(1.00001) == "±0 %"
    assert format_percent_change(math.inf) == "×∞"


def test_a_unit_that_both_ends_have_is_said_once() -> None:
    """Ranges are short where they can be, and never wrong."""
    assert format_range("+1.20 ms", "+3.40 ms") == "+1.20 to +3.40 ms"
    assert format_range("−320 µs", "+1.12 ms") == "−320 µs to +1.12 ms"
    assert format_range("1.20 s", "3.40 s") == "1.20 to 3.40 s"


@given(st.floats(1e-6, 1e9))
def test_digits_keeps_three_digits_of_any_number(value: float) -> None:
    """What is shown is within half of the third digit of what is meant, and has no exponent."""
    shown = digits(value)
    assert "e" not in shown
    assert float(shown.replace(",", "")) == pytest.approx(value, rel=0.00501)
