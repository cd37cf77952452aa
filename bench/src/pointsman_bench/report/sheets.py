"""Tables as plain data: what the terminal and the page both show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column; ``explains`` is shown when one points at its heading."""

    title: str
    numeric: bool = True
    explains: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A cell that is more than its text: ``style`` is "good", "bad-text", "faint" or "differs"."""

    shown: str
    style: str


Cell = str | Mark
Row = Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table. The first column names the rows; ``notes`` are small print under it."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def shown(cell: Cell) -> str:
    """A cell's text."""
    return cell.shown if isinstance(cell, Mark) else cell
