"""A rounds table as a section of the page."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman_bench.report.charts import Forest, Span
from pointsman_bench.report.fragments import figure, notes, section, table
from pointsman_bench.report.markup import Html, join
from pointsman_bench.report.rounds import (
    Better,
    Metric,
    RoundsTable,
    best,
    cell,
    range_text,
    ratio_text,
)
from pointsman_bench.report.scales import ratio_axis
from pointsman_bench.report.sheets import Column, Mark, Row
from pointsman_bench.report.svg_bars import draw_forest
from pointsman_bench.report.units import format_value


def rounds_html(rounds: RoundsTable, *, name: str = "rounds") -> Html:
    """A fragment: an overview of medians, then each metric's ratios as a picture with its table.

    ``name`` must be unique in the page; ids begin with it.
    """
    reference = rounds.reference
    intro = (
        f"Medians of {rounds.rounds} interleaved rounds. Ratios are taken to {reference} within a "
        "round, where both saw the same state of the machine; the range goes from the lowest round "
        "to the highest."
    )
    parts = [_overview(rounds)]
    figures = [_metric(rounds, m, f"{name}-{n}") for n, m in enumerate(rounds.metrics)]
    parts.append(join(figures))
    return section(name, rounds.title, *parts, notes(rounds.notes), intro=intro)


def _overview(rounds: RoundsTable) -> Html:
    columns = [Column("", numeric=False)]
    columns += [Column(m.title, explains=_explained(m)) for m in rounds.metrics]
    winners = {metric.key: best(rounds, metric.key) for metric in rounds.metrics}
    rows: list[Row] = []
    for system in rounds.systems:
        cells: list[str | Mark] = [system]
        for metric in rounds.metrics:
            shown = format_value(cell(rounds, system, metric.key).median, metric.unit)
            cells.append(Mark(shown, "good") if winners[metric.key] == system else shown)
        rows.append(cells)
    return table(columns, rows, caption="Medians (best in green)")


def _explained(metric: Metric) -> str:
    better = "" if metric.better is Better.NEITHER else f"{metric.better.capitalize()} is better."
    return f"{metric.explains} {better}".strip()


def _metric(rounds: RoundsTable, metric: Metric, name: str) -> Html:
    spans = _spans(rounds, metric)
    columns = [Column("", numeric=False), Column("median"), Column("min – max")]
    columns += [Column(f"ratio to {rounds.reference} (min–max)"), Column("rounds")]
    rows: list[Row] = []
    for system in rounds.systems:
        found = cell(rounds, system, metric.key)
        ratio = "reference" if system == rounds.reference else ratio_text(found)
        median = format_value(found.median, metric.unit)
        rows.append([system, median, range_text(found, metric.unit), ratio, str(found.rounds)])
    numbers = table(columns, rows)
    if not spans:
        return join([table(columns, rows, caption=metric.title)])
    axis = ratio_axis([v for span in spans for v in (span.low, span.middle, span.high)])
    said = "; ".join(f"{span.name}: {span.label}" for span in spans)
    forest = Forest(metric.title, f"Ratios to {rounds.reference}. {said}", axis, 1.0, spans)
    title = metric.title
    if metric.better is not Better.NEITHER:
        title += f" ({metric.better} is better)"
    return figure(title, draw_forest(forest, name), numbers=numbers)


def _spans(rounds: RoundsTable, metric: Metric) -> tuple[Span, ...]:
    """The ratios of all systems but the reference; none where the metric has no positive ones."""
    found: list[Span] = []
    for colour, system in enumerate(_others(rounds)):
        seen = cell(rounds, system, metric.key)
        if seen.ratio is None or seen.ratio_low is None or seen.ratio_high is None:
            continue
        if seen.ratio_low <= 0:
            continue
        median = format_value(seen.median, metric.unit)
        label = f"{ratio_text(seen)} · {median}"
        found.append(Span(system, seen.ratio, seen.ratio_low, seen.ratio_high, label, colour))
    return tuple(found)


def _others(rounds: RoundsTable) -> Sequence[str]:
    return [system for system in rounds.systems if system != rounds.reference]
