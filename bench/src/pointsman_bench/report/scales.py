"""Axes: where a value lies between 0 and 1, and which values get a label."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_TICKS = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled value of an axis."""

    value: float
    label: str


class Scale(Protocol):
    """An axis. Values beyond its ends lie at the ends."""

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """What is labelled, in rising order."""
        ...

    def at(self, value: float) -> float:
        """Where ``value`` lies, from 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class Linear:
    """Evenly spaced from ``low`` to ``high``."""

    low: float
    high: float
    label: Callable[[float], str]
    most: int = MAX_TICKS

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Round numbers: multiples of 1, 2 or 5 times a power of ten."""
        step = _round_step((self.high - self.low) / self.most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return tuple(Tick(n * step, self.label(n * step)) for n in range(first, last + 1))

    def at(self, value: float) -> float:
        """Where ``value`` lies, from 0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


@dataclass(frozen=True, slots=True)
class Log:
    """Each decade as wide as the next, from ``low`` > 0 to ``high``."""

    low: float
    high: float
    label: Callable[[float], str]
    most: int = MAX_TICKS

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Powers of ten, and their 2 and 5 times where there is room."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        within = (self.low * 0.999, self.high * 1.001)
        for factors in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
            values = [f * 10.0**e for e in range(first, last + 1) for f in factors]
            values = [v for v in values if within[0] <= v <= within[1]]
            if len(values) <= self.most:
                break
        every = math.ceil(len(values) / self.most)
        return tuple(Tick(v, self.label(v)) for v in values[::every])

    def at(self, value: float) -> float:
        """Where ``value`` lies, from 0 to 1."""
        if value <= self.low:
            return 0.0
        return min(1.0, math.log(value / self.low) / math.log(self.high / self.low))


@dataclass(frozen=True, slots=True)
class Percentile:
    """Shares from 0 to ``last`` < 1, spaced by log(1 / (1 - share)), as HdrHistogram plots them.

    So p90, p99 and p99.9 are equally far apart, and the tail gets the room that it deserves.
    """

    last: float

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """0, 50, 90, 99, 99.9 … %."""
        shares = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)
        return tuple(Tick(s, f"{s * 100:g} %") for s in shares if s <= self.last + 1e-12)

    def at(self, value: float) -> float:
        """Where ``value`` lies, from 0 to 1."""
        inside = min(max(value, 0.0), self.last)
        return math.log(1 / (1 - inside)) / math.log(1 / (1 - self.last))


def _round_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is no less than ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(f * power for f in (1.0, 2.0, 5.0, 10.0) if f * power >= rough * 0.999)


def linear_from_zero(
    highest: float, label: Callable[[float], str], most: int = MAX_TICKS
) -> Linear:
    """A linear axis from 0 to a round number that holds ``highest``; to 1 where that is 0."""
    top = highest if highest > 0 and math.isfinite(highest) else 1.0
    step = _round_step(top / most)
    return Linear(0.0, math.ceil(top / step - 1e-9) * step, label, most)


def around(lowest: float, highest: float, label: Callable[[float], str]) -> Scale:
    """An axis for positive values: linear from zero, or logarithmic beyond a factor of 30."""
    if lowest > 0 and highest / lowest > 30:
        return Log(lowest * 0.9, highest * 1.1, label)
    return linear_from_zero(highest, label)


def _times(value: float) -> str:
    return f"×{value:g}" if value < 1000 else f"×{value:,.0f}"


def ratio_axis(values: Sequence[float], label: Callable[[float], str] = _times) -> Scale:
    """An axis for positive ratios that has 1 on it: linear for near ones, else logarithmic."""
    finite = [value for value in values if 0 < value < math.inf]
    low, high = min([1.0, *finite]), max([1.0, *finite])
    if high / low < 4:
        margin = max((high - low) * 0.08, 0.005)
        return Linear(low - margin, high + margin, label)
    return Log(low / 1.15, high * 1.15, label)
