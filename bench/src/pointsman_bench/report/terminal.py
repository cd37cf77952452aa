"""The terminal: consoles that behave without a terminal, and plain tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table

WIDTH_WITHOUT_TERMINAL = 120
NARROW = 72
"""Columns below which wide tables are turned on their side."""


def out() -> Console:
    """Standard output. Colour only on a terminal, and not where NO_COLOR is set."""
    return _console(sys.stdout)


def err() -> Console:
    """Standard error, for what is said beside the result."""
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    # without a terminal there is no width to ask for
    width = None if file.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(file=file, highlight=False, width=width, markup=False, emoji=False)


def table(*columns: str, right: Sequence[str] = (), title: str | None = None) -> Table:
    """A plain table; ``right`` names the columns that hold numbers, which never wrap."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    made.header_style = "dim"
    for column in columns:
        numeric = column in right
        made.add_column(
            column,
            justify="right" if numeric else "left",
            no_wrap=numeric,
            overflow="ellipsis" if numeric else "fold",
        )
    return made
