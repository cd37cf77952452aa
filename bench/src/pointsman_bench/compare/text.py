"""A comparison in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from pointsman_bench.compare.report import (
    Comparison,
    Detail,
    caveats,
    condition_sheet,
    finding_sheet,
    summary_lines,
)
from pointsman_bench.report.markup import printable
from pointsman_bench.report.sheets_text import print_invalid, print_sheet

FORCED = "compared by force: what follows proves nothing."

WIDE, MEDIUM = 118, 100
"""Columns from which on a metric's line has its difference, and its interval."""


def print_comparison(found: Comparison, console: Console) -> None:
    """Print the verdicts, every metric, and the conditions last, where a log is read."""
    for name, side in (("A", found.a), ("B", found.b)):
        shown = f"{name}  {side.label} · {side.arm.name} · {side.result.run.started_at}"
        console.print(Text(printable(shown)))
    console.print()
    invalid = tuple(line for line in found.mind if "is INVALID" in line)
    if invalid:
        print_invalid(FORCED, invalid, console)
    for line in found.mind:
        if line not in invalid:
            console.print(Text(f"mind: {printable(line)}", style="yellow"))
    for said in summary_lines(found):
        style = "bold red" if said.startswith("B is worse") else "bold"
        console.print(Text(said, style=style))
    print_sheet(finding_sheet(found, _detail(console.width)), console)
    for line in caveats(found):
        console.print(Text(line, style="dim"))
    conditions = condition_sheet(found)
    if conditions is not None:
        print_sheet(conditions, console)


def _detail(width: int) -> Detail:
    """What fits into a line."""
    if width >= WIDE:
        return Detail.DIFFERENCE
    return Detail.INTERVAL if width >= MEDIUM else Detail.CHANGE
