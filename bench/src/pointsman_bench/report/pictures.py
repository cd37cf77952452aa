"""The main charts of a run as PNG files, drawn by matplotlib without a display."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from pointsman_bench import results
from pointsman_bench.report.charts import SERIES, Bars, Chart
from pointsman_bench.report.facts import Facts
from pointsman_bench.report.run_charts import (
    CURVES,
    cdf_chart,
    cost_bars,
    distributions,
    hedge_bars,
    model_bars,
    percentile_chart,
    timelines,
)
from pointsman_bench.report.svg_bars import short

COLOURS = ("#2a6f9e", "#cf6f22", "#2f8767", "#8659a6", "#b8455a", "#8b8f94")
INK, SOFT, GRID, PAPER, SHADE = "#20242a", "#646a72", "#eae7e1", "#ffffff", "#9a6700"
DPI = 160
_SYMBOLS = frozenset("–—…×≤≥∞−·≈•’")
_LAST_DRAWN = 0x052F
"""The last of the Latin, Greek and Cyrillic letters, which the bundled font surely has."""


def save_pictures(facts: Facts, folder: Path) -> list[Path]:
    """Draw into ``folder``: latency.png, timeline.png and mix.png; return those there are.

    Raises:
        OSError: the folder cannot be written to.
        ResultFileError: a histogram is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "latency.png": latency_figure(facts),
        "timeline.png": timeline_figure(facts),
        "mix.png": mix_figure(facts),
    }
    saved = []
    for name, figure in figures.items():
        if figure is not None:
            _stamp(figure, facts)
            engine = figure.get_layout_engine()
            if isinstance(engine, ConstrainedLayoutEngine):
                engine.set(w_pad=0.15, h_pad=0.12)
            figure.savefig(folder / name, dpi=DPI, facecolor=PAPER)
            saved.append(folder / name)
    return saved


def latency_figure(facts: Facts) -> Figure | None:
    """Percentile curves of the four latencies, and the distribution of the first two."""
    charts = [percentile_chart(metric, distributions(facts, metric)) for metric in CURVES]
    charts += [cdf_chart(m, distributions(facts, m)) for m in (results.TTFT, results.E2E)]
    kept = [chart for chart in charts if chart is not None]
    if not kept:
        return None
    rows = -(-len(kept) // 2)
    figure = Figure(figsize=(11, 3.3 * rows), layout="constrained")
    for number, chart in enumerate(kept):
        _draw(figure.add_subplot(rows, 2, number + 1), chart)
    return figure


def timeline_figure(facts: Facts) -> Figure | None:
    """Rate, time to first text, errors and requests in flight by the clock."""
    charts = timelines(facts)
    if not charts:
        return None
    figure = Figure(figsize=(11, 2.1 * len(charts)), layout="constrained")
    for number, chart in enumerate(charts):
        axes = figure.add_subplot(len(charts), 1, number + 1)
        _draw(axes, chart)
        if number < len(charts) - 1:
            axes.set_xlabel("")
    return figure


def mix_figure(facts: Facts) -> Figure | None:
    """Who answered, what it cost, and how hedges ended."""
    found = (model_bars(facts), cost_bars(facts), hedge_bars(facts))
    charts = [bars for bars in found if bars is not None]
    if not charts:
        return None
    heights = [0.8 + 0.4 * len(bars.bars) for bars in charts]
    figure = Figure(figsize=(11, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(charts), 1, height_ratios=heights)
    for number, bars in enumerate(charts):
        _draw_bars(figure.add_subplot(grid[number]), bars)
    return figure


def _stamp(figure: Figure, facts: Facts) -> None:
    """Name the run, and say of an invalid one that it is."""
    run, valid = facts.result.run, facts.result.verdict.valid
    title = _plain(run.scenario)
    if valid:
        figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=13, fontweight="bold")
    else:
        title = f"INVALID, do not use: {title}"
        figure.suptitle(title, x=0.01, ha="left", color="#b3261e", fontsize=15, fontweight="bold")


def _draw(axes: Axes, chart: Chart) -> None:
    """Draw in the unit square, so that every scale lies as it does on the page."""
    for line in chart.lines:
        xs = [chart.x.at(x) for x, _ in line.points]
        ys = [float("nan") if y is None else chart.y.at(y) for _, y in line.points]
        colour, dash = COLOURS[line.colour % SERIES], "--" if line.dashed else "-"
        axes.plot(xs, ys, color=colour, linestyle=dash, linewidth=1.5, label=_plain(line.name))
        if line.filled:
            axes.fill_between(xs, ys, color=colour, alpha=0.12, linewidth=0)
    for band in chart.bands:
        start, end = chart.x.at(band.start), chart.x.at(band.end)
        axes.axvspan(start, end, color=SHADE, alpha=0.09, linewidth=0)
        axes.text(start + 0.005, 0.9, _plain(band.name), color=SHADE, fontsize=8)
    x_ticks, y_ticks = chart.x.ticks, chart.y.ticks
    axes.set_xticks([chart.x.at(t.value) for t in x_ticks], [t.label for t in x_ticks])
    axes.set_yticks([chart.y.at(t.value) for t in y_ticks], [t.label for t in y_ticks])
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_xlabel(_plain(chart.x_title), color=SOFT, fontsize=8, loc="right")
    _dress(axes, chart.title)
    if len(chart.lines) > 1:
        axes.legend(fontsize=8, frameon=False, labelcolor=SOFT, loc="upper left", ncols=4)


def _draw_bars(axes: Axes, bars: Bars) -> None:
    longest = max((bar.total for bar in bars.bars), default=0.0) or 1.0
    named: set[str] = set()
    for row, bar in enumerate(bars.bars):
        left = 0.0
        for part in bar.segments:
            name = "" if part.name in named else _plain(part.name)
            named.add(part.name)
            colour = COLOURS[part.colour % SERIES]
            axes.barh(row, part.value, left=left, height=0.6, color=colour, label=name or None)
            if len(bar.segments) > 1 and part.value > 0.07 * longest:
                middle = left + part.value / 2
                axes.text(
                    middle,
                    row,
                    _plain(part.label),
                    color="white",
                    ha="center",
                    va="center",
                    fontsize=9,
                )
            left += part.value
        axes.text(
            left + 0.01 * longest, row, _plain(bar.shown), color=SOFT, va="center", fontsize=9
        )
    axes.set_yticks(range(len(bars.bars)), [_plain(short(bar.name)) for bar in bars.bars])
    axes.set_xticks([])
    axes.set_ylim(len(bars.bars) - 0.5, -0.5)
    axes.set_xlim(0, longest * 1.1)
    _dress(axes, bars.title)
    axes.spines["bottom"].set_visible(False)
    if len(named) > 1:
        where = (0.0, -0.02)
        axes.legend(
            fontsize=8,
            frameon=False,
            labelcolor=SOFT,
            loc="upper left",
            bbox_to_anchor=where,
            ncols=6,
        )


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(_plain(title), loc="left", color=INK, fontsize=10, fontweight="bold")
    axes.tick_params(colors=SOFT, labelsize=8, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)


def _plain(text: str) -> str:
    """Text as it stands: no mathematics between dollars, no letters that the font lacks."""
    known = (c if ord(c) <= _LAST_DRAWN or c in _SYMBOLS else "?" for c in text)
    return "".join(c if c.isprintable() else "?" for c in known).replace("$", r"\$")
