"""What commands print: for people where there is a terminal, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TextIO

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH_WITHOUT_TERMINAL = 120

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def out() -> Console:
    """Standard output. Colour only on a terminal, and not where NO_COLOR is set."""
    return _console(sys.stdout)


def err() -> Console:
    """Standard error, for what is said beside the result."""
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    # without a terminal there is no width to ask for, and nothing to be gained by a narrow one
    width = None if file.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(file=file, highlight=False, soft_wrap=True, width=width)


def print_json(value: object) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def as_dict(message: Message) -> dict[str, object]:
    """A protobuf message as JSON has it, with the names of the .proto file."""
    found: dict[str, object] = MessageToDict(message, preserving_proto_field_name=True)
    return found


class ModelColours:
    """A colour for each model, the same for as long as a command runs."""

    def __init__(self, models: Sequence[str] = ()) -> None:
        self._colours: dict[str, str] = {}
        for model in models:
            self.of(model)

    def of(self, model: str) -> str:
        """The colour of ``model``."""
        return self._colours.setdefault(model, _COLOURS[len(self._colours) % len(_COLOURS)])

    def text(self, model: str) -> Text:
        """The model's name in its colour."""
        return Text(model, style=f"bold {self.of(model)}")


def table(*columns: str, right: Sequence[str] = (), title: str | None = None) -> Table:
    """A plain table; ``right`` names the columns that hold numbers."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
    for column in columns:
        numeric = column in right
        made.add_column(column, justify="right" if numeric else "left", no_wrap=numeric)
    return made


def bar(share: float, width: int = 10) -> str:
    """A bar for a share from 0 to 1."""
    full = round(max(0.0, min(1.0, share)) * width)
    return "█" * full + "·" * (width - full)


def usd(nanos: int) -> str:
    """A price with the digits that a single call needs."""
    return f"${nanos / 1e9:.6f}"


def millis(seconds: float) -> str:
    """A time as people read it."""
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.2f} ms"
