"""A rounds table as text and as Markdown."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from pointsman_bench.report.markup import printable
from pointsman_bench.report.rounds import (
    Better,
    Metric,
    RoundsTable,
    best,
    cell,
    range_text,
    ratio_text,
)
from pointsman_bench.report.terminal import NARROW, table
from pointsman_bench.report.units import format_value


def print_rounds(rounds: RoundsTable, console: Console) -> None:
    """Print a block for each metric: every system's median, and its ratio to the reference."""
    console.print(Text(printable(rounds.title), style="bold"))
    console.print(Text(_explained(rounds), style="dim"))
    for metric in rounds.metrics:
        console.print()
        console.print(_heading(metric))
        _print_metric(rounds, metric, console)
    for note in rounds.notes:
        console.print(Text(printable(note), style="dim"))


def _print_metric(rounds: RoundsTable, metric: Metric, console: Console) -> None:
    wide = console.width >= NARROW
    columns = ["", "median", f"× {rounds.reference}"]
    if wide:
        columns.insert(2, "min – max")
    shown = table(*(printable(name) for name in columns), right=columns[1:])
    shown.show_header = wide
    winner = best(rounds, metric.key)
    for system in rounds.systems:
        found = cell(rounds, system, metric.key)
        style = "bold" if system == winner else ""
        ratio = "reference" if system == rounds.reference else ratio_text(found)
        cells = [format_value(found.median, metric.unit), ratio]
        if wide:
            cells.insert(1, range_text(found, metric.unit))
        shown.add_row(Text(printable(system), style=style), *cells)
    console.print(shown)


def _heading(metric: Metric) -> Text:
    heading = Text(printable(metric.title))
    if metric.better is not Better.NEITHER:
        heading.append(f"  {metric.better} is better", style="dim")
    return heading


def _explained(rounds: RoundsTable) -> str:
    if rounds.rounds == 1:
        return f"One round; ratios to {printable(rounds.reference)}."
    return (
        f"Medians of {rounds.rounds} interleaved rounds; ratios to "
        f"{printable(rounds.reference)} within a round (lowest–highest round)."
    )


def rounds_markdown(rounds: RoundsTable) -> str:
    """The table in GitHub's Markdown: systems down, metrics across, in each cell both numbers."""
    lines = [f"### {_escaped(rounds.title)}", "", _escaped(_explained(rounds)), ""]
    titles = (_escaped(metric.title) for metric in rounds.metrics)
    lines.append("| | " + " | ".join(titles) + " |")
    lines.append("|---|" + "---:|" * len(rounds.metrics))
    for system in rounds.systems:
        cells = (_markdown_cell(rounds, system, metric) for metric in rounds.metrics)
        lines.append(f"| {_escaped(system)} | " + " | ".join(cells) + " |")
    if rounds.notes:
        lines += ["", *(f"- {_escaped(note)}" for note in rounds.notes)]
    return "\n".join(lines) + "\n"


def _markdown_cell(rounds: RoundsTable, system: str, metric: Metric) -> str:
    found = cell(rounds, system, metric.key)
    value = format_value(found.median, metric.unit)
    if system == best(rounds, metric.key):
        value = f"**{value}**"
    if system == rounds.reference or found.ratio is None:
        return value
    return f"{value}<br>{ratio_text(found)}"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it stands."""
    flat = " ".join(printable(text).split())
    for character in "\\`*_[]|#":
        flat = flat.replace(character, f"\\{character}")
    return flat.replace("<", "&lt;").replace(">", "&gt;")
