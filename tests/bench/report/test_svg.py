"""Drawings."""

from __future__ import annotations

import re

from pointsman_bench.report.charts import (
    Band,
    Bar,
    Bars,
    Chart,
    Forest,
    Line,
    Rule,
    Segment,
    Span,
)
from pointsman_bench.report.scales import Linear, ratio_axis
from pointsman_bench.report.svg import LEFT, RIGHT, TOP, draw
from pointsman_bench.report.svg_bars import draw_bars, draw_forest
from pointsman_bench.report.units import Unit

AXIS = Linear(0.0, 10.0, lambda value: f"{value:g}")


def chart(*lines: Line, bands: tuple[Band, ...] = (), rules: tuple[Rule, ...] = ()) -> Chart:
    return Chart("t", "d", "x", AXIS, AXIS, lines, Unit.PLAIN, Unit.PLAIN, bands, rules)


def test_a_line_breaks_where_nothing_was_measured() -> None:
    """A gap is no straight line across it, and a point alone is a dot."""
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, None), (3.0, 4.0), (4.0, 5.0), (5.0, None), (6.0, 1.0)]
    svg = draw(chart(Line("a", points, 0)), "n")
    assert len(re.findall('class="line s0"', svg)) == 2
    assert svg.count("<circle") == 1
    assert draw(chart(Line("a", [(0.0, None)], 0)), "n").count("<path") == 0


def test_values_lie_where_the_axes_say() -> None:
    """The lowest at the bottom left, the highest at the top right."""
    svg = draw(chart(Line("a", [(0.0, 0.0), (10.0, 10.0)], 1)), "n", width=500, height=300)
    assert f"M{LEFT:.1f} 260.0L{500 - RIGHT:.1f} {TOP:.1f}" in svg


def test_stretches_and_objectives_are_named() -> None:
    """Shaded or dotted, and with their names beside."""
    svg = draw(chart(bands=(Band("outage", 2.0, 4.0),), rules=(Rule("limit", 5.0),)), "n")
    assert ">outage</text>" in svg
    assert ">limit</text>" in svg
    assert 'class="band"' in svg
    assert 'class="rule"' in svg


def test_bars_are_as_long_as_their_values() -> None:
    """And each of their parts says what it is."""
    parts = (Segment("a", 1.0, "1 x", 0), Segment("b", 3.0, "3 x", 1))
    svg = draw_bars(Bars("t", "d", (Bar("one", parts, "4 x"), Bar("none", ()))), "n")
    first, second = (float(width) for width in re.findall(r'width="([\d.]+)" height', svg))
    assert 2.9 < (second + 1) / (first + 1) < 3.1
    assert "<title>one, b: 3 x</title>" in svg
    assert ">4 x</text>" in svg


def test_ranges_lie_around_their_middle() -> None:
    """Low, middle and high from left to right."""
    spans = (Span("ttft", 1.2, 1.1, 1.5, "+20 %", 4),)
    svg = draw_forest(Forest("t", "d", ratio_axis([1.1, 1.5]), 1.0, spans), "n")
    low, high = re.findall(r'class="line s4" x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)"', svg)[0]
    middle = re.findall(r'cx="([\d.]+)"', svg)[0]
    zero = re.findall(r'class="zero" x1="([\d.]+)"', svg)[0]
    assert float(zero) < float(low) < float(middle) < float(high)
    assert "+20 %" in svg
