"""Numbers as people read them: three significant digits and always a unit."""

from __future__ import annotations

import math
from enum import StrEnum

NOTHING = "–"
"""Stands where there is no value."""


class Unit(StrEnum):
    """What a number counts. Values are in base units: seconds, bytes, dollars, shares of 1."""

    SECONDS = "seconds"
    PER_SECOND = "per second"
    COUNT = "count"
    SHARE = "share"
    USD = "US dollars"
    BYTES = "bytes"
    PLAIN = "plain"


_TIMES = ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"))
_SIZES = ((1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB"))


def format_value(value: float | None, unit: Unit) -> str:
    """``value`` with its unit, such as "12.3 ms"; a dash for None and NaN."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    match unit:
        case Unit.SECONDS:
            return _scaled(value, _TIMES)
        case Unit.BYTES:
            return _scaled(value, _SIZES)
        case Unit.PER_SECOND:
            return f"{digits(value)} /s"
        case Unit.SHARE:
            return f"{digits(value * 100)} %"
        case Unit.USD:
            return _dollars(value)
        case Unit.COUNT:
            return f"{value:,.0f}" if value == int(value) else digits(value)
        case Unit.PLAIN:
            return digits(value)


def format_change(value: float | None, unit: Unit) -> str:
    """A difference with its sign; differences of shares are percentage points ("pp")."""
    if value is None or math.isnan(value):
        return NOTHING
    sign = "+" if value > 0 else "−" if value < 0 else "±"
    if unit is Unit.SHARE and math.isfinite(value):
        return f"{sign}{digits(abs(value) * 100)} pp"
    return sign + format_value(abs(value), unit)


def format_percent_change(ratio: float | None) -> str:
    """A ratio as the change it is: 1.1 is "+10.0 %"; from five times on it says "×5.00"."""
    if ratio is None or math.isnan(ratio):
        return NOTHING
    if math.isinf(ratio):
        return "×∞"
    if ratio >= 5:
        return f"×{digits(ratio)}"
    change = (ratio - 1) * 100
    if abs(change) < 0.005:
        return "±0 %"
    return f"{'+' if change > 0 else '−'}{digits(abs(change))} %"


def format_range(low: str, high: str) -> str:
    """Two ends as a range; a unit that both have is said once, as in "+1.20 to +3.40 ms"."""
    for tail in (" %", " pp", " µs", " ms", " s", " /s", " kB", " MB", " GB", " B"):
        if low.endswith(tail) and high.endswith(tail):
            return f"{low.removesuffix(tail)} to {high}"
    return f"{low} to {high}"


def digits(value: float) -> str:
    """Three significant digits, no exponent, thousands set apart; whole from 100 on."""
    if value == 0:
        return "0"
    size = abs(value)
    if size < 1e-6:
        return f"{value:.0e}"
    decimals = 2 - math.floor(math.log10(size))
    size = round(size, decimals)  # 9.996 has one decimal fewer than its logarithm says
    decimals = max(0, 2 - math.floor(math.log10(size)))
    return f"{value:,.{decimals}f}".replace("-", "−")


def _scaled(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    size = abs(value)
    scale, name = steps[0] if size else (1.0, "s" if steps is _TIMES else "B")
    for step, label in steps[1:]:
        if size >= step * 0.9995:  # so that 999.9 µs is 1.00 ms
            scale, name = step, label
    if name == "B":
        return f"{value:,.0f} B"
    return f"{digits(value / scale)} {name}"


def _dollars(value: float) -> str:
    sign, size = ("−" if value < 0 else ""), abs(value)
    if size >= 1 or size == 0:
        return f"{sign}${size:,.2f}"
    return f"{sign}${digits(size)}"
