"""Quantiles of first-token times with and without hedging, and the bars that they must meet."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

WINDOW_S = 10.0
"""The window in which hedges must not become a storm."""

FEWEST_IN_WINDOW = 200
"""Of fewer requests in a window a share says little, and a handful of hedges is no storm."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """First-token times in seconds."""

    p50: float
    p99: float
    p999: float


@dataclass(frozen=True, slots=True)
class Bars:
    """The most that each figure may be; ``None`` where it does not matter.

    Attributes:
        p50, p99, p999: with hedging, as a part of the same quantile without.
        extra: calls beyond one a request, as a share of requests.
        extra_in_window: the same in the worst `WINDOW_S` seconds.
    """

    p50: float | None = 1.05
    p99: float | None = 0.2
    p999: float | None = 0.3
    extra: float | None = 0.06
    extra_in_window: float | None = 0.05


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and its bar."""

    name: str
    value: float
    bar: float | None

    @property
    def met(self) -> bool:
        """Whether it is no greater than its bar, if it has one."""
        return self.bar is None or self.value <= self.bar


def quantiles(times: Sequence[float]) -> Quantiles:
    """Each quantile is an observation: the smallest with so large a share at or below it."""
    ordered = sorted(times)

    def at(q: float) -> float:
        return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else math.nan

    return Quantiles(at(0.5), at(0.99), at(0.999))


def figures(
    off: Quantiles, on: Quantiles, extra: float, extra_in_window: float, bars: Bars
) -> tuple[Figure, ...]:
    """Everything that has a bar, or might have."""
    return (
        Figure("p50", on.p50 / off.p50, bars.p50),
        Figure("p99", on.p99 / off.p99, bars.p99),
        Figure("p99.9", on.p999 / off.p999, bars.p999),
        Figure("extra", extra, bars.extra),
        Figure(f"in {WINDOW_S:g} s", extra_in_window, bars.extra_in_window),
    )


def worst_window(
    requests: Sequence[float], hedges: Sequence[float], start: float = 0.0, end: float = math.inf
) -> float:
    """The greatest share of hedges to requests in any `WINDOW_S` that ends with a hedge.

    Args:
        requests: when requests came, in order.
        hedges: when hedges were sent, in order.
        start: windows that end before are not looked at.
        end: nor are those that end after.
    """
    worst = 0.0
    for at, moment in enumerate(hedges):
        if start <= moment <= end:
            sent = at + 1 - bisect_right(hedges, moment - WINDOW_S)
            came = bisect_right(requests, moment) - bisect_right(requests, moment - WINDOW_S)
            if came >= FEWEST_IN_WINDOW:
                worst = max(worst, sent / came)
    return worst
