"""Collects what is wrong with a request, so that a caller sees all of it at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

import msgspec
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from pointsman_server.domain.errors import FieldViolation, InvalidRequest

K = TypeVar("K")
V = TypeVar("V")

MAX_SECONDS = 24 * 3600.0
MAX_VIOLATIONS = 100
"""More than these are not noted: nobody reads them, and a request of 4 MB can have a million."""


class Violations:
    """Violations found so far. Checks return the value, or a stand-in once they have noted one."""

    def __init__(self) -> None:
        self._found: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        """Note one."""
        if len(self._found) < MAX_VIOLATIONS:
            self._found.append(FieldViolation(field, description))

    def __len__(self) -> int:
        return len(self._found)

    def raise_if_any(self) -> None:
        """End the check.

        Raises:
            InvalidRequest: something was noted.
        """
        if self._found:
            raise InvalidRequest(*self._found)

    def enum(self, field: str, value: int, known: Mapping[int, V]) -> V | None:
        """The domain's twin of an enum value; ``None`` where it is not set or not known."""
        twin = known.get(value)
        if twin is None:
            problem = (
                "is required" if value == 0 else f"{value} is not a value that this server knows"
            )
            self.add(field, problem)
        return twin

    def number(
        self, field: str, value: float, low: float, high: float, *, above_low: bool = False
    ) -> float:
        """A finite number within bounds; the lower one excluded with ``above_low``."""
        too_low = value <= low if above_low else value < low
        if not math.isfinite(value) or too_low or value > high:
            bound = f"over {low:g}" if above_low else f"at least {low:g}"
            self.add(field, f"must be {bound} and at most {high:g}, not {value:g}")
        return value

    def seconds(
        self, parent: Message, name: str, field: str, *, zero_ok: bool = False
    ) -> float | None:
        """A Duration in seconds; ``None`` where it is not set."""
        if not parent.HasField(name):
            return None
        value: Duration = getattr(parent, name)
        seconds = value.seconds + value.nanos / 1e9
        return self.number(field, seconds, 0, MAX_SECONDS, above_low=not zero_ok)

    def text(self, field: str, value: str, max_characters: int) -> str:
        """A text of bounded length."""
        if len(value) > max_characters:
            self.add(field, f"has {len(value)} characters; the limit is {max_characters}")
        return value

    def count(self, field: str, number: int, limit: int, what: str) -> bool:
        """Whether a list with ``number`` items is within its limit."""
        if number > limit:
            self.add(field, f"has {number} {what}; the limit is {limit}")
        return number <= limit

    def json_object(self, field: str, value: str) -> str:
        """A text that is a JSON object."""
        try:
            # the parser that providers' requests are written with, so that both agree
            parsed = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            self.add(field, f"is not JSON: {error}")
            return value
        if not isinstance(parsed, dict):
            self.add(field, "is not a JSON object")
        return value
