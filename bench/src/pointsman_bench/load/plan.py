"""What the processes of the generator are told, and what they say: all of it is pickled."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_bench.load.activity import Activity
from pointsman_bench.load.schedule import Schedule
from pointsman_bench.load.tally import Slicing, Tallies
from pointsman_bench.load.templates import ArmSpec, Template
from pointsman_bench.results import Objective


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """A run. ``length_s`` is the warm-up and the measured time together.

    ``reference`` begins the references of prompts, and is empty where they are sent as they stand.
    """

    target: str
    schedule: Schedule
    templates: tuple[Template, ...]
    arms: tuple[ArmSpec, ...]
    slicing: Slicing
    length_s: float
    objectives: tuple[Objective, ...]
    timeout_s: float
    max_in_flight: int
    connections: int
    reference: str


@dataclass(frozen=True, slots=True)
class Share:
    """What one process sends, and on which cores (none: anywhere)."""

    index: int
    of: int
    plan: LoadPlan
    cores: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """The process has its connections, and waits for `Go`."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The process cannot connect."""

    why: str


@dataclass(frozen=True, slots=True)
class Go:
    """The warm-up begins at ``at`` (CLOCK_MONOTONIC, which all processes share)."""

    at: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Send nothing more, and give up on what is under way after ``grace_s``."""

    grace_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """What has happened since the last one; in flight as it is now. Latencies as `Sparse` has."""

    index: int
    sent: int
    ended: int
    failed: int
    in_flight: int
    ttft: dict[int, int]
    lag: dict[int, int]


@dataclass(frozen=True, slots=True)
class Done:
    """All that one process measured. ``wall_s`` is the time in which it used ``cpu_s``."""

    index: int
    tallies: Tallies
    activity: Activity
    cpu_s: float
    wall_s: float
    refused_at_limit: int


ToWorker = Go | Stop
FromWorker = Ready | Unreachable | Progress | Done
