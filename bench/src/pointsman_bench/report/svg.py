"""Charts as inline SVG. Colours come from the page's style sheet, so they follow light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_bench.report.charts import SERIES, Band, Chart, Line, Rule
from pointsman_bench.report.markup import Html, el, join

WIDTH, HALF = 960, 560
"""A drawing's width where it has the page's, and where two stand side by side."""

LEFT, RIGHT, TOP, BOTTOM = 64.0, 18.0, 14.0, 40.0
"""Room around the plot, in the units of the drawing, for the axes' labels."""

NEAR_END = 8.0
"""So near to the end of the axis a label must not be centred: it would be cut off."""


@dataclass(frozen=True, slots=True)
class _Plot:
    """The rectangle that the data is drawn in."""

    chart: Chart
    width: float
    height: float

    def x(self, value: float) -> float:
        return LEFT + self.chart.x.at(value) * self.width

    def y(self, value: float) -> float:
        return TOP + (1 - self.chart.y.at(value)) * self.height

    @property
    def bottom(self) -> float:
        return TOP + self.height


def draw(chart: Chart, name: str, *, height: int = 280, width: int = WIDTH) -> Html:
    """The chart as an SVG element. ``name`` must be unique in the page (it becomes an id)."""
    plot = _Plot(chart, width - LEFT - RIGHT, height - TOP - BOTTOM)
    return frame(
        name,
        chart.title,
        chart.says,
        (width, height),
        [
            *(_band(plot, band) for band in chart.bands),
            *_axes(plot),
            *(_rule(plot, rule) for rule in chart.rules),
            *(_line(plot, line) for line in chart.lines),
        ],
    )


def frame(
    name: str, title: str, says: str, size: tuple[float, float], children: Sequence[str]
) -> Html:
    """An SVG element that says what it shows: ``title``, and ``says`` for who cannot see it."""
    attributes: dict[str, str | float] = {
        "viewBox": f"0 0 {size[0]:g} {size[1]:g}",
        "role": "img",
        "aria-labelledby": f"{name}-t {name}-d",
    }
    return el(
        "svg",
        attributes,
        el("title", {"id": f"{name}-t"}, title),
        el("desc", {"id": f"{name}-d"}, says),
        *children,
    )


def _axes(plot: _Plot) -> list[Html]:
    chart, parts = plot.chart, []
    for tick in chart.y.ticks:
        y = plot.y(tick.value)
        parts.append(stroke("grid", LEFT, y, LEFT + plot.width, y))
        parts.append(label("tick end", LEFT - 8, y + 4, tick.label))
    for tick in chart.x.ticks:
        x = plot.x(tick.value)
        parts.append(stroke("mark", x, plot.bottom, x, plot.bottom + 4))
        where = "end" if x > LEFT + plot.width - NEAR_END else "mid"
        parts.append(label(f"tick {where}", x, plot.bottom + 17, tick.label))
    parts.append(stroke("axis", LEFT, plot.bottom, LEFT + plot.width, plot.bottom))
    parts.append(label("axis-title end", LEFT + plot.width, plot.bottom + 34, chart.x_title))
    return parts


def _band(plot: _Plot, band: Band) -> Html:
    start, end = plot.x(band.start), plot.x(band.end)
    size: dict[str, str | float] = {
        "class": "band",
        "x": start,
        "y": TOP,
        "width": max(1.0, end - start),
        "height": plot.height,
    }
    return join([el("rect", size), label("band-name", start + 5, TOP + 12, band.name)])


def _rule(plot: _Plot, rule: Rule) -> Html:
    if rule.vertical:
        x = plot.x(rule.value)
        drawn = stroke("rule", x, TOP, x, plot.bottom)
        beyond = x > LEFT + plot.width * 0.6
        style, aside = ("rule-name end", -6) if beyond else ("rule-name", 6)
        return join([drawn, label(style, x + aside, TOP + 24, rule.name)])
    y = plot.y(rule.value)
    drawn = stroke("rule", LEFT, y, LEFT + plot.width, y)
    return join([drawn, label("rule-name", LEFT + 6, y - 5, rule.name)])


def _line(plot: _Plot, line: Line) -> Html:
    style = f"s{line.colour % SERIES}"
    parts: list[Html] = []
    for run in _unbroken(line):
        points = [(plot.x(x), plot.y(y)) for x, y in run]
        if line.filled:
            parts.append(el("path", {"class": f"area {style}", "d": _area(points, plot.bottom)}))
        if len(points) == 1:
            dot: dict[str, str | float] = {"cx": points[0][0], "cy": points[0][1], "r": 2}
            parts.append(el("circle", {"class": f"dot {style}", **dot}))
        else:
            dashed = " dashed" if line.dashed else ""
            parts.append(el("path", {"class": f"line {style}{dashed}", "d": _path(points)}))
    return join(parts)


def _unbroken(line: Line) -> list[list[tuple[float, float]]]:
    """The line's runs of points without a gap."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in line.points:
        if y is not None:
            runs[-1].append((x, y))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _area(points: Sequence[tuple[float, float]], bottom: float) -> str:
    ends = f"L{points[-1][0]:.1f} {bottom:.1f}L{points[0][0]:.1f} {bottom:.1f}Z"
    return _path(points) + ends


def stroke(style: str, x1: float, y1: float, x2: float, y2: float) -> Html:
    """A straight line; ``style`` names classes of the style sheet."""
    return el("line", {"class": style, "x1": x1, "y1": y1, "x2": x2, "y2": y2})


def label(style: str, x: float, y: float, shown: str) -> Html:
    """Text at a place; ``style`` names classes of the style sheet."""
    return el("text", {"class": style, "x": x, "y": y}, shown)
