"""What a `Fleet` wants done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman_server.supervisor.journal import Field, Level


@dataclass(frozen=True, slots=True)
class Start:
    """Start a worker in a slot, configured by the configuration of this generation."""

    number: int
    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Have a worker take nothing new and end when its calls have."""

    number: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Have a draining worker end its calls now."""

    number: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End a worker's process at once."""

    number: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Log something."""

    level: Level
    event: str
    fields: Mapping[str, Field] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Announce:
    """Say that all workers serve."""


@dataclass(frozen=True, slots=True)
class Finish:
    """End the command; no worker is left. ``message`` says why where that is a failure."""

    exit_code: int
    message: str = ""


Action = Start | Drain | Cut | Kill | Tell | Announce | Finish
