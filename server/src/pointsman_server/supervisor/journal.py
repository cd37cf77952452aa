"""The parent's log: JSON lines such as the workers write."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal, TextIO

Level = Literal["info", "warning", "error"]
Field = str | int | float | list[str] | list[int] | None


def utc_now() -> datetime:
    """The time of day, in UTC."""
    return datetime.now(UTC)


class Journal:
    """Writes to ``stream``, standard error by default."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock

    def write(self, level: Level, event: str, fields: Mapping[str, Field]) -> None:
        """One line."""
        stamp = self._clock().isoformat().replace("+00:00", "Z")
        line = {**fields, "event": event, "level": level, "timestamp": stamp}
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()

    def say(self, text: str) -> None:
        """A sentence for people."""
        self._stream.write(text + "\n")
        self._stream.flush()
