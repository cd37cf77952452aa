"""What is drawn of a run: percentile curves, distributions, time lines, models and money."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from pointsman_bench import results
from pointsman_bench.report.charts import (
    Band,
    Bar,
    Bars,
    Chart,
    Line,
    Points,
    Rule,
    Segment,
    thinned,
)
from pointsman_bench.report.facts import NANO, TITLES, Facts, names, of_name, share
from pointsman_bench.report.histograms import Distribution, of
from pointsman_bench.report.scales import Linear, Log, Percentile, around, linear_from_zero
from pointsman_bench.report.units import Unit, format_value

CURVE_POINTS = 160
FINEST = 1e-6
"""Seconds: no time is measured finer, and what took none is drawn as this on a log scale."""
CURVES = (results.TTFT, results.E2E, results.GAP, results.TPOT)
LAST_SHARES = (0.99, 0.999, 0.9999, 0.99999)
"""Where a percentile axis may end."""


def seconds_label(value: float) -> str:
    """A time on an axis: as short as can be."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= scale * 0.999:
            return f"{value / scale:g} {unit}" if value / scale < 1000 else f"{value:,.0f} s"
    return "0" if value == 0 else f"{value * 1e6:.2g} µs"


def plain_label(value: float) -> str:
    """A number on an axis."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.6g}"


def distributions(facts: Facts, metric: str) -> Mapping[str, Distribution]:
    """Each arm's distribution of a metric."""
    return {arm.name: of(arm.histograms, metric) for arm in facts.result.arms}


def percentile_chart(
    metric: str, seen: Mapping[str, Distribution], rules: Sequence[Rule] = ()
) -> Chart | None:
    """Latency by percentile, a line for each name in ``seen``; None where there is nothing."""
    kept = {name: found for name, found in seen.items() if found.total}
    if not any(found.highest for found in kept.values()):
        return None
    largest = max(found.total for found in kept.values())
    last = next((s for s in LAST_SHARES if largest * (1 - s) < 1.5), LAST_SHARES[-1])
    axis = Percentile(last)
    shares = 1 - (1 - last) ** np.linspace(0, 1, CURVE_POINTS)
    lines = []
    for colour, (name, found) in enumerate(kept.items()):
        most = 1 - 0.5 / found.total  # beyond it there is but the maximum
        points: Points = [(float(s), found.quantile(float(s))) for s in shares if s <= most]
        lines.append(Line(name, points, colour))
    values = [y for line in lines for _, y in line.points if y is not None]
    lowest = min(found.quantile(0.5) or 0.0 for found in kept.values())
    y = around(lowest, max(values, default=0.0), seconds_label)
    said = "; ".join(_said(name, found) for name, found in kept.items())
    return Chart(
        f"{TITLES[metric]} by percentile",
        f"{TITLES[metric]} by percentile: {said}.",
        "percentile of requests" if metric != results.GAP else "percentile of gaps",
        axis,
        y,
        tuple(lines),
        Unit.SHARE,
        Unit.SECONDS,
        rules=tuple(rules),
    )


def _said(name: str, found: Distribution) -> str:
    quantiles = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))
    parts = (f"{n} {format_value(found.quantile(q), Unit.SECONDS)}" for q, n in quantiles)
    return f"{name}: {', '.join(parts)}"


def cdf_chart(
    metric: str, seen: Mapping[str, Distribution], rules: Sequence[Rule] = ()
) -> Chart | None:
    """The share of requests within each time, a line for each name; None without any."""
    kept = {name: found for name, found in seen.items() if found.total}
    if not kept:
        return None
    low = min(found.quantile(0.001) or FINEST for found in kept.values())
    high = max(found.quantile(0.9995) or FINEST for found in kept.values())
    x = Log(low * 0.95, max(high, low * 1.2) * 1.05, seconds_label)
    lines = []
    for colour, (name, found) in enumerate(kept.items()):
        values, shares = found.curve()
        at = np.geomspace(x.low, x.high, CURVE_POINTS)
        place = np.searchsorted(values, at, side="right")
        ys = np.where(place > 0, shares[np.maximum(place - 1, 0)], 0.0)
        points: Points = [(float(a), float(b)) for a, b in zip(at, ys, strict=True)]
        lines.append(Line(name, points, colour))
    said = "; ".join(_said(name, found) for name, found in kept.items())
    return Chart(
        f"{TITLES[metric]}: share of requests within a time",
        f"Cumulative distribution of {TITLES[metric]}. {said}.",
        f"{TITLES[metric]} (log scale)",
        x,
        Linear(0.0, 1.0, lambda value: f"{value * 100:.0f} %", 5),
        tuple(lines),
        Unit.SECONDS,
        Unit.SHARE,
        rules=tuple(rules),
    )


def timelines(facts: Facts) -> list[Chart]:
    """The run by the clock: rate, time to first text, errors, requests in flight.

    What never was more than nothing, as errors mostly, is left out.
    """
    run, moments = facts.result.run, facts.result.moments
    bands = tuple(Band(phase.name, phase.start_s, phase.end_s) for phase in run.phases[:20])
    ends = [m.start_s for m in moments] + [s.start_s for a in facts.result.arms for s in a.slices]
    x = Linear(0.0, max([1.0, run.measured_s, *ends]), seconds_label, 10)
    width = moments[1].start_s - moments[0].start_s if len(moments) > 1 else 1.0

    def of_moments(name: str, colour: int, values: list[float], *, filled: bool = False) -> Line:
        pairs = zip(moments, values, strict=True)
        return Line(name, thinned([(m.start_s, v) for m, v in pairs]), colour, filled=filled)

    sent = [m.sent / width for m in moments]
    ended = [m.ended / width for m in moments]
    failed = [m.failed / width for m in moments]
    flying = [m.in_flight for m in moments]
    rate = _time_chart(
        "Rate", "sent and ended per second", x, bands,
        (of_moments("sent", 0, sent), of_moments("ended", 2, ended)), plain_label,
    )  # fmt: skip
    errors = _time_chart(
        "Errors", "failed requests per second", x, bands,
        (of_moments("failed", 4, failed, filled=True),), plain_label,
    )  # fmt: skip
    in_flight = _time_chart(
        "In flight", "requests under way, mean", x, bands,
        (of_moments("in flight", 3, flying, filled=True),), plain_label,
    )  # fmt: skip
    first = _time_chart(
        "TTFT", "p50 and p99 of the requests due in each slice", x, bands,
        tuple(_slice_lines(facts)), seconds_label,
    )  # fmt: skip
    return [chart for chart in (rate, first, errors, in_flight) if chart is not None]


def _slice_lines(facts: Facts) -> list[Line]:
    lines = []
    for number, arm in enumerate(facts.result.arms):
        named = f" · {arm.name}" if len(facts.result.arms) > 1 else ""
        seen = [(one.start_s, of(one.histograms, results.TTFT)) for one in arm.slices]
        for share_, name, dashed in ((0.5, "p50", True), (0.99, "p99", False)):
            points = [(start, found.quantile(share_)) for start, found in seen]
            lines.append(Line(name + named, thinned(points), number, dashed=dashed))
    return lines


def _time_chart(
    title: str,
    what: str,
    x: Linear,
    bands: tuple[Band, ...],
    lines: tuple[Line, ...],
    label: Callable[[float], str],
) -> Chart | None:
    values = [y for line in lines for _, y in line.points if y is not None]
    if not any(values):
        return None
    show = Unit.SECONDS if label is seconds_label else Unit.PLAIN
    peaks = ((line.name, [y for _, y in line.points if y is not None]) for line in lines)
    highest = "; ".join(
        f"{name}: at most {format_value(max(ys), show)}" for name, ys in peaks if ys
    )
    y = linear_from_zero(max(values), label, 4)
    return Chart(
        f"{title}: {what}",
        f"{what}. {highest}.",
        "time since the measurement began",
        x,
        y,
        lines,
        Unit.SECONDS,
        show,
        bands,
    )


def model_bars(facts: Facts) -> Bars | None:
    """Which model answered which share of each arm's requests; None where nobody said."""
    listed = names([arm.counts.models for arm in facts.arms])
    if not listed:
        return None
    bars = []
    for arm in facts.arms:
        total = sum(arm.counts.models.values())
        segments = []
        for colour, name in enumerate(listed):
            part = share(of_name(arm.counts.models, name, listed), total) or 0.0
            segments.append(Segment(name, part, format_value(part, Unit.SHARE), colour))
        bars.append(Bar(arm.name, tuple(segments)))
    said = "; ".join(f"{s.name} {s.label}" for bar in bars for s in bar.segments)
    return Bars("Who answered", f"Share of answers by model: {said}.", tuple(bars))


def cost_bars(facts: Facts) -> Bars | None:
    """Cost against always the strongest model; None where nothing was charged."""
    if not any(arm.baseline_usd for arm in facts.arms):
        return None
    bars = []
    for arm in facts.arms:
        named = f" · {arm.name}" if len(facts.arms) > 1 else ""
        lost = arm.counts.lost_hedge_cost * NANO
        useful = arm.cost_usd - lost
        parts = [Segment("answers", useful, format_value(useful, Unit.USD), 0)]
        if lost:
            parts.append(Segment("hedges that lost", lost, format_value(lost, Unit.USD), 1))
        charged = format_value(arm.cost_usd, Unit.USD)
        bars.append(Bar(f"as routed{named}", tuple(parts), charged))
        strongest = format_value(arm.baseline_usd, Unit.USD)
        whole = Segment("always the strongest", arm.baseline_usd, strongest, 5)
        bars.append(Bar(f"strongest{named}", (whole,), strongest))
    said = "; ".join(f"{bar.name}: {format_value(bar.total, Unit.USD)}" for bar in bars)
    return Bars("Cost against the strongest model", said, tuple(bars))


def hedge_bars(facts: Facts) -> Bars | None:
    """Who answered the hedged requests; None where none was hedged."""
    arms = [arm for arm in facts.arms if arm.counts.hedged]
    if not arms:
        return None
    bars = []
    for arm in arms:
        wins = arm.counts.hedge_wins
        rest = max(0, arm.counts.hedged - wins)
        won = Segment("the hedge answered", wins, format_value(wins, Unit.COUNT), 2)
        other = Segment("the first answered or all failed", rest, format_value(rest, Unit.COUNT), 5)
        bars.append(Bar(arm.name, (won, other)))
    said = "; ".join(f"{s.name}: {s.label}" for bar in bars for s in bar.segments)
    return Bars("Hedged requests", said, tuple(bars))
