"""Bars, and values with their ranges, as inline SVG."""

from __future__ import annotations

from pointsman_bench.report.charts import SERIES, Bar, Bars, Forest, Span
from pointsman_bench.report.markup import Html, el
from pointsman_bench.report.svg import RIGHT, WIDTH, frame, label, stroke

NAMES = 210.0
"""Room for the names at the left."""
VALUES = 84.0
"""Room for a bar's value at the right."""
RANGES = 290.0
"""Room for a value with its range at the right."""

BAR_HEIGHT, BAR_GAP = 26.0, 12.0
SPAN_HEIGHT, AXIS_HEIGHT = 27.0, 26.0
NARROWEST_LABELLED = 58.0
"""A bar's segment narrower than this gets no label inside."""


def draw_bars(bars: Bars, name: str, *, width: int = WIDTH) -> Html:
    """Horizontal bars as an SVG element. ``name`` must be unique in the page."""
    longest = max((bar.total for bar in bars.bars), default=0.0) or 1.0
    scale = (width - NAMES - RIGHT - VALUES) / longest
    parts: list[Html] = []
    for row, bar in enumerate(bars.bars):
        parts += _bar(bar, 4 + row * (BAR_HEIGHT + BAR_GAP), scale)
    height = 8 + len(bars.bars) * (BAR_HEIGHT + BAR_GAP) - BAR_GAP
    return frame(name, bars.title, bars.says, (width, max(height, BAR_HEIGHT)), parts)


def _bar(bar: Bar, top: float, scale: float) -> list[Html]:
    middle = top + BAR_HEIGHT / 2 + 4.5
    parts = [label("bar-name end", NAMES - 10, middle, short(bar.name))]
    x = NAMES
    for segment in bar.segments:
        length = segment.value * scale
        box: dict[str, str | float] = {"x": x, "y": top, "width": max(0.0, length - 1)}
        style = f"fill s{segment.colour % SERIES}"
        tip = el("title", {}, f"{bar.name}, {segment.name}: {segment.label}")
        parts.append(el("rect", {"class": style, **box, "height": BAR_HEIGHT, "rx": 2}, tip))
        if len(bar.segments) > 1 and length >= NARROWEST_LABELLED:
            parts.append(label("inside mid", x + length / 2, middle, segment.label))
        x += length
    if bar.shown:
        parts.append(label("tick", x + 8, middle, bar.shown))
    return parts


def draw_forest(forest: Forest, name: str, *, width: int = WIDTH) -> Html:
    """Values with their ranges as an SVG element. ``name`` must be unique in the page."""
    room = width - NAMES - RANGES - RIGHT
    bottom = 4 + len(forest.spans) * SPAN_HEIGHT

    def at(value: float) -> float:
        return NAMES + forest.x.at(value) * room

    parts: list[Html] = []
    for tick in forest.x.ticks:
        x = at(tick.value)
        parts.append(stroke("grid", x, 2, x, bottom + 4))
        parts.append(label("tick mid", x, bottom + 19, tick.label))
    parts.append(stroke("zero", at(forest.zero), 2, at(forest.zero), bottom + 4))
    for row, span in enumerate(forest.spans):
        y = 4 + (row + 0.5) * SPAN_HEIGHT
        parts.append(label("bar-name end", NAMES - 14, y + 4.5, short(span.name)))
        parts += _span(span, at(span.low), at(span.middle), at(span.high), y)
        parts.append(label("tick", width - RANGES, y + 4.5, span.label))
    return frame(name, forest.title, forest.says, (width, bottom + AXIS_HEIGHT), parts)


def _span(span: Span, low: float, middle: float, high: float, y: float) -> list[Html]:
    style = f"s{span.colour % SERIES}"
    dot: dict[str, str | float] = {"class": f"dot {style}", "cx": middle, "cy": y, "r": 5}
    return [
        stroke(f"line {style}", low, y, high, y),
        stroke(f"line {style}", low, y - 4, low, y + 4),
        stroke(f"line {style}", high, y - 4, high, y + 4),
        el("circle", dot, el("title", {}, f"{span.name}: {span.label}")),
    ]


def short(name: str, longest: int = 26) -> str:
    """A name that fits beside its bar; the table beside the chart has it whole."""
    return name if len(name) <= longest else f"{name[: longest // 2]}…{name[1 - longest // 2 :]}"
