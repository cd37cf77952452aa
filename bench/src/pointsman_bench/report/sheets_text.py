"""Sheets in a terminal: as tables, or turned on their side where there is little room."""

from __future__ import annotations

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pointsman_bench.report.markup import printable
from pointsman_bench.report.sheets import Cell, Mark, Sheet

PADDING = 2
MAX_CELL = 200
"""Characters of a cell that are printed."""

_STYLES = {"good": "green", "bad-text": "bold red", "faint": "dim", "differs": "yellow"}


def print_sheet(sheet: Sheet, console: Console) -> None:
    """Print a sheet. One that is wider than the console is printed as a list of its rows."""
    console.print()
    console.print(Text(printable(sheet.title), style="bold"))
    made = _table(sheet)
    if _least_width(sheet) <= console.width or len(sheet.columns) <= 2:
        console.print(made)
    else:
        _print_list(sheet, console)
    for note in sheet.notes:
        console.print(Text(printable(note), style="dim"))


def _least_width(sheet: Sheet) -> int:
    """The columns that a sheet needs where names and numbers must not wrap, but text may."""
    width = 0
    for number, column in enumerate(sheet.columns):
        texts = [column.title, *(_styled(row[number]).plain for row in sheet.rows)]
        if not column.numeric and number > 0:
            texts = [word for text in texts for word in text.split()]
        width += max((cell_len(text) for text in texts), default=0) + PADDING
    return width


def _table(sheet: Sheet) -> Table:
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, PADDING, 0, 0))
    made.show_header = any(column.title for column in sheet.columns)
    short = len(sheet.columns) <= 2
    for number, column in enumerate(sheet.columns):
        made.add_column(
            printable(column.title),
            justify="right" if column.numeric else "left",
            overflow="fold",
            no_wrap=not short and (column.numeric or number == 0),
        )
    for row in sheet.rows:
        made.add_row(*(_styled(cell) for cell in row))
    return made


def _print_list(sheet: Sheet, console: Console) -> None:
    names = [printable(column.title) for column in sheet.columns[1:]]
    width = max(len(name) for name in names)
    for row in sheet.rows:
        console.print(_styled(row[0]))
        for name, cell in zip(names, row[1:], strict=True):
            line = Text(f"  {name:<{width}}  ", style="dim")
            line.append_text(_styled(cell))
            console.print(line)


def _styled(cell: Cell) -> Text:
    text = cell.shown if isinstance(cell, Mark) else cell
    style = _STYLES.get(cell.style, "") if isinstance(cell, Mark) else ""
    short = printable(" ".join(text.split()))
    return Text(short if len(short) <= MAX_CELL else short[:MAX_CELL] + "…", style=style)


def print_invalid(headline: str, reasons: tuple[str, ...], console: Console) -> None:
    """The verdict that nobody may overlook: a box, in red where there is colour."""
    text = Text(f"INVALID: {headline}", style="bold red")
    if reasons:
        text.append("\n")
    for reason in reasons:
        text.append(f"\n• {printable(reason)}", style="red")
    console.print(Panel(text, box.HEAVY, border_style="bold red", padding=(1, 2)))
