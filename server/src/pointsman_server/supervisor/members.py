"""The workers of a fleet, as their parent knows them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a worker is doing."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before a process is ended, in seconds.

    ``drain_margin_s`` comes on top of what a worker's own configuration allows calls to take.
    """

    start_s: float = 60.0
    drain_margin_s: float = 5.0
    cut_s: float = 5.0


@dataclass(slots=True)
class Member:
    """One worker: its slot, what it is doing, and until when that may take.

    ``overdue`` says what it did not do in time, once its process is ended for that.
    """

    number: int
    slot: int
    generation: int
    state: State
    deadline: float | None
    ready_at: float | None = None
    drain_s: float = 0.0
    overdue: str = ""
