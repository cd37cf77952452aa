"""What commands print: for people where there is a terminal, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def out() -> Console:
    """Standard output. Colour only on a terminal, and not where NO_COLOR is set."""
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    """Standard error, for what is said beside the result."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


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
        made.add_column(column, justify="right" if column in right else "left")
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


def words(values: Mapping[str, object]) -> str:
    """``a=1 b=2``."""
    return " ".join(f"{k}={v}" for k, v in values.items())
