"""The numbers of a chart as a table, for whoever cannot see it or wants to copy them."""

from __future__ import annotations

from pointsman_bench.report.charts import Chart, Line
from pointsman_bench.report.fragments import table
from pointsman_bench.report.markup import Html
from pointsman_bench.report.scales import Percentile
from pointsman_bench.report.sheets import Column, Row
from pointsman_bench.report.units import NOTHING, format_value

MAX_ROWS = 40


def chart_table(chart: Chart) -> Html:
    """A table of up to `MAX_ROWS` of the x values that the lines have, evenly chosen."""
    xs = sorted({x for line in chart.lines for x, _ in line.points})
    if isinstance(chart.x, Percentile):
        xs = [tick.value for tick in chart.x.ticks if tick.value > 0]
    elif len(xs) > MAX_ROWS:
        xs = [xs[round(n * (len(xs) - 1) / (MAX_ROWS - 1))] for n in range(MAX_ROWS)]
    columns = [Column(chart.x_title, numeric=False)]
    columns += [Column(line.name) for line in chart.lines]
    rows: list[Row] = [
        [format_value(x, chart.x_unit), *(_nearest(chart, line, x) for line in chart.lines)]
        for x in xs
    ]
    return table(columns, rows)


def _nearest(chart: Chart, line: Line, x: float) -> str:
    """The line's value at the point that is nearest to ``x``."""
    if not line.points:
        return NOTHING
    y = min(line.points, key=lambda point: abs(point[0] - x))[1]
    return NOTHING if y is None else format_value(y, chart.y_unit)
