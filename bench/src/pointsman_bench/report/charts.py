"""What is drawn, as plain data. `svg` draws it for the page, `pictures` for PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_bench.report.scales import Scale
from pointsman_bench.report.units import Unit

MAX_POINTS = 720
"""Points of one line; longer ones are thinned out before they are drawn."""

SERIES = 6
"""Colours that there are; the next series takes the first again."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a chart. A y of None is a gap. ``colour`` counts from 0."""

    name: str
    points: Sequence[tuple[float, float | None]]
    colour: int
    dashed: bool = False
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the x axis that is shaded and named, such as an outage."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal (or vertical) line with a name, such as an objective."""

    name: str
    value: float
    vertical: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over two axes. ``says`` is what somebody who cannot see it should know."""

    title: str
    says: str
    x_title: str
    x: Scale
    y: Scale
    lines: tuple[Line, ...]
    x_unit: Unit
    y_unit: Unit
    bands: tuple[Band, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar. ``label`` is its value as people read it."""

    name: str
    value: float
    label: str
    colour: int


@dataclass(frozen=True, slots=True)
class Bar:
    """A horizontal bar of one or more segments. ``shown`` is written after it."""

    name: str
    segments: tuple[Segment, ...]
    shown: str = ""

    @property
    def total(self) -> float:
        """The bar's length."""
        return sum(segment.value for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars on one axis from 0."""

    title: str
    says: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A value with the range it lies in. ``label`` is both as people read them."""

    name: str
    middle: float
    low: float
    high: float
    label: str
    colour: int


@dataclass(frozen=True, slots=True)
class Forest:
    """Values with their ranges, one below the other, on one axis with a line at ``zero``."""

    title: str
    says: str
    x: Scale
    zero: float
    spans: tuple[Span, ...]


Points = list[tuple[float, float | None]]


def thinned(points: Sequence[tuple[float, float | None]]) -> Points:
    """At most about `MAX_POINTS` of them, each stretch kept by its highest point.

    The highest, because what a latency or an error chart must not lose is its peaks.
    """
    if len(points) <= MAX_POINTS:
        return list(points)
    every = -(-len(points) // MAX_POINTS)
    kept: Points = []
    for start in range(0, len(points), every):
        stretch = points[start : start + every]
        kept.append(max(stretch, key=lambda point: -1.0 if point[1] is None else point[1]))
    return kept
