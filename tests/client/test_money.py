from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_client import format_usd, to_nanos, to_usd

int64s = st.integers(-(2**63) + 1, 2**63 - 1)


@given(int64s)
def test_dollars_and_nanos_are_the_same_amount(nanos: int) -> None:
    assert to_nanos(to_usd(nanos)) == nanos
    assert to_usd(nanos) * 10**9 == nanos


@given(int64s)
def test_an_exact_text_reads_back_as_the_amount(nanos: int) -> None:
    assert to_nanos(format_usd(nanos).replace("$", "")) == nanos


def test_the_callers_decimal_context_does_not_round_money() -> None:
    with localcontext(prec=3):
        assert to_nanos(Decimal("123.456789")) == 123_456_789_000
        assert str(to_usd(123_456_789_000)) == "123.456789000"
        assert format_usd(123_456_789_000) == "$123.456789"


@pytest.mark.parametrize(
    ("usd", "nanos"),
    [
        (0.1, 100_000_000),
        ("0.25", 250_000_000),
        (3, 3_000_000_000),
        (Decimal("1e-9"), 1),
        ("0.0000000019", 1),
        ("-0.0000000011", -2),
    ],
)
def test_dollars_become_whole_nanos_rounded_down(usd: Decimal | float | str, nanos: int) -> None:
    assert to_nanos(usd) == nanos


@pytest.mark.parametrize("usd", ["", "a lot", float("nan"), float("inf"), "1e400", 1e10, "-1e10"])
def test_what_is_no_amount_is_refused(usd: float | str) -> None:
    with pytest.raises(ValueError, match="dollars"):
        to_nanos(usd)


@pytest.mark.parametrize(
    ("nanos", "places", "text"),
    [
        (0, None, "$0.00"),
        (2_150_000, None, "$0.00215"),
        (1, None, "$0.000000001"),
        (1_500_000_000, None, "$1.50"),
        (-1_500_000_000, None, "-$1.50"),
        (2_150_000, 4, "$0.0022"),
        (2_150_000, 2, "$0.00"),
        (12_000_000_000, 0, "$12"),
    ],
)
def test_amounts_are_written_for_people(nanos: int, places: int | None, text: str) -> None:
    assert format_usd(nanos, places) == text
