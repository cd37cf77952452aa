"""A comparison as a page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from pointsman_bench import results
from pointsman_bench.compare.judge import Finding, Outcome
from pointsman_bench.compare.metrics import Quantile
from pointsman_bench.compare.report import (
    Comparison,
    Detail,
    caveats,
    change_text,
    condition_sheet,
    finding_sheet,
    level_text,
    setting_sheet,
    summary_lines,
)
from pointsman_bench.compare.slices import Side
from pointsman_bench.compare.text import FORCED
from pointsman_bench.report.charts import Bar, Bars, Chart, Forest, Segment, Span
from pointsman_bench.report.facts import names, of_name, share
from pointsman_bench.report.fragments import (
    banner,
    bars_legend,
    figure,
    legend,
    notes,
    section,
    sheet_table,
)
from pointsman_bench.report.histograms import Distribution, of
from pointsman_bench.report.markup import Html, el, join
from pointsman_bench.report.page import page
from pointsman_bench.report.run_charts import CURVES, cdf_chart, percentile_chart
from pointsman_bench.report.scales import ratio_axis
from pointsman_bench.report.series_tables import chart_table
from pointsman_bench.report.svg import HALF, draw
from pointsman_bench.report.svg_bars import draw_bars, draw_forest
from pointsman_bench.report.units import Unit, format_value

COLOURS = {Outcome.BETTER: 2, Outcome.WORSE: 4, Outcome.HIGHER: 0, Outcome.LOWER: 0}
NEUTRAL = 5


def comparison_page(found: Comparison) -> Html:
    """The whole document."""
    made = [
        ("changes", "What changed", _changes(found)),
        ("curves", "Latency", _curves(found)),
        ("models", "Models", _models(found)),
        ("runs", "The two runs", _runs(found)),
    ]
    kept = [(name, title, part) for name, title, part in made if part is not None]
    return page(
        "B against A",
        [_head(found), *(part for _, _, part in kept)],
        subtitle=f"A: {_named(found.a)}. B: {_named(found.b)}.",
        eyebrow="pointsman bench compare",
        contents=[(name, title) for name, title, _ in kept],
    )


def _named(side: Side) -> str:
    return f"{side.label} ({side.arm.name})"


def _head(found: Comparison) -> Html:
    parts: list[Html] = []
    invalid = [line for line in found.mind if "is INVALID" in line]
    if invalid:
        parts.append(banner("bad", "INVALID", [FORCED, *invalid]))
    if found.failed:
        parts.append(
            banner("bad", "FAILED", [f"{c.condition.text}: {c.why}" for c in found.failed])
        )
    worse = any(one.outcome is Outcome.WORSE for one in found.findings)
    lines = summary_lines(found)
    parts.append(banner("mind" if worse else "good", lines[0], lines[1:]))
    rest = [line for line in found.mind if line not in invalid]
    if rest:
        parts.append(banner("mind", "To mind", rest))
    conditions = condition_sheet(found)
    if conditions is not None:
        parts.append(sheet_table(conditions))
    return el("section", {"class": "plain"}, *parts)


def _changes(found: Comparison) -> Html:
    latency = [f for f in found.findings if isinstance(f.metric.source, Quantile)]
    rest = [f for f in found.findings if not isinstance(f.metric.source, Quantile)]
    drawn = [
        _forest("Latency: change of B against A", latency, "forest-latency"),
        _forest("Everything else: change of B against A", rest, "forest-rest"),
    ]
    level = level_text(found.method)
    intro = (
        f"Each line is a {level} interval of the change; one that crosses the middle line shows no "
        "difference. Green is better, red is worse, grey shows nothing."
    )
    table = sheet_table(finding_sheet(found, Detail.ALL), caption=False)
    small = notes(caveats(found))
    return section("changes", "What changed", *drawn, table, small, intro=intro)


def _forest(title: str, findings: Sequence[Finding], name: str) -> Html:
    spans = tuple(
        Span(
            one.metric.title,
            one.ratio,
            one.ratio_interval.low,
            one.ratio_interval.high,
            change_text(one),
            COLOURS.get(one.outcome, NEUTRAL),
        )
        for one in findings
        if one.ratio is not None and one.ratio_interval is not None
    )
    if not spans:
        return Html("")
    ends = [v for span in spans for v in (span.low, span.middle, span.high)]
    said = "; ".join(f"{span.name} {span.label}" for span in spans)
    forest = Forest(title, said, ratio_axis(ends, _percent), 1.0, spans)
    return figure(title, draw_forest(forest, name), numbers=None)


def _percent(ratio: float) -> str:
    if ratio >= 5:
        return f"×{ratio:g}"
    change = round((ratio - 1) * 100, 4)
    return "0" if change == 0 else f"{change:+g} %".replace("-", "−")


def _curves(found: Comparison) -> Html | None:
    charts: list[Chart | None] = []
    for metric in CURVES:
        charts.append(percentile_chart(metric, _seen(found, metric)))
    for metric in (results.TTFT, results.E2E):
        charts.append(cdf_chart(metric, _seen(found, metric)))
    drawn = [
        figure(
            chart.title,
            draw(chart, f"curve-{number}", width=HALF, height=300),
            legend=legend(chart.lines),
            numbers=chart_table(chart),
        )
        for number, chart in enumerate(charts)
        if chart is not None
    ]
    if not drawn:
        return None
    return section("curves", "Latency", el("div", {"class": "pair"}, *drawn))


def _seen(found: Comparison, metric: str) -> dict[str, Distribution]:
    return {n: of(s.arm.histograms, metric) for n, s in (("A", found.a), ("B", found.b))}


def _models(found: Comparison) -> Html | None:
    sides = (("A", found.a), ("B", found.b))
    listed = names([side.arm.counts.models for _, side in sides])
    if not listed:
        return None
    bars = tuple(Bar(name, _segments(side, listed)) for name, side in sides)
    parts = chain.from_iterable(((bar.name, s) for s in bar.segments) for bar in bars)
    said = "; ".join(f"{name}: {segment.name} {segment.label}" for name, segment in parts)
    chart = Bars("Who answered", f"Share of answers by model. {said}.", bars)
    drawn = figure(chart.title, draw_bars(chart, "models"), legend=bars_legend(chart), numbers=None)
    return section("models", "Models", drawn)


def _segments(side: Side, listed: list[str]) -> tuple[Segment, ...]:
    mix = side.arm.counts.models
    total = sum(mix.values())
    shares = [(name, share(of_name(mix, name, listed), total) or 0.0) for name in listed]
    return tuple(
        Segment(name, part, format_value(part, Unit.SHARE), colour)
        for colour, (name, part) in enumerate(shares)
    )


def _runs(found: Comparison) -> Html:
    table = sheet_table(setting_sheet(found), caption=False)
    return section("runs", "The two runs", join([table]))
