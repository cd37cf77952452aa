"""How the simulated models behave: plain data, which JSON carries to the simulator's process."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

MAX_TOKENS = 4096

Mishap = Literal["down", "reset", "hang", "slow"]
"""What a `Change` does: every call gets 503; the connection is reset; nothing is ever answered;
first tokens and gaps take ``factor`` times as long."""


class BehaviourError(ValueError):
    """A behaviour cannot be; ``str()`` names the field and says how to mend it."""


def _shares(named: Iterable[tuple[str, float]]) -> None:
    for name, value in named:
        if not 0 <= value <= 1:
            raise BehaviourError(f"{name}: {value} is no share; give a number from 0 to 1")


@dataclass(frozen=True, slots=True)
class Lognormal:
    """A lognormal distribution by its median and the spread of its logarithm."""

    median: float
    sigma: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.median) and self.median >= 0):
            raise BehaviourError(f"median: {self.median} is not 0 or more; give a finite number")
        if not 0 <= self.sigma <= 5:
            raise BehaviourError(f"sigma: {self.sigma} is not between 0 and 5")


@dataclass(frozen=True, slots=True)
class Tail:
    """A ``share`` of calls whose first token takes ``factor`` times as long.

    ``shared`` is how much of that slowness lies in the request, and so meets every model that is
    called for it: 0 for none (a hedge to another model escapes it), 1 for all (it never does).
    """

    share: float = 0.0
    factor: float = 1.0
    shared: float = 0.0

    def __post_init__(self) -> None:
        _shares((("share", self.share), ("shared", self.shared)))
        if self.factor < 1:
            raise BehaviourError(f"factor: {self.factor} is less than 1")


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of calls that go wrong: 429, 500, 529, a cut in mid-answer, silence in mid-answer."""

    rate_limited: float = 0.0
    server_error: float = 0.0
    overloaded: float = 0.0
    cut: float = 0.0
    stall: float = 0.0
    retry_after_s: float | None = 1.0
    error_after_s: float = 0.01

    def __post_init__(self) -> None:
        shares = {
            "rate_limited": self.rate_limited,
            "server_error": self.server_error,
            "overloaded": self.overloaded,
            "cut": self.cut,
            "stall": self.stall,
        }
        _shares(shares.items())
        if sum(shares.values()) > 1:
            raise BehaviourError("the shares of all faults come to more than 1; lower them")


@dataclass(frozen=True, slots=True)
class ModelBehaviour:
    """One simulated model. Times are seconds; ``gap`` lies between two tokens of an answer.

    A ``gap`` whose median is 0 sends the whole answer at once with the first token.
    """

    name: str
    first_token: Lognormal = Lognormal(0.2, 0.4)
    gap: Lognormal = Lognormal(0.01, 0.3)
    tokens: Lognormal = Lognormal(64, 0.5)
    tail: Tail = Tail()
    faults: Faults = Faults()


@dataclass(frozen=True, slots=True)
class Change:
    """From ``start_s`` until ``end_s`` (seconds of the run's clock) ``models`` have a mishap."""

    models: tuple[str, ...]
    start_s: float
    end_s: float
    mishap: Mishap = "down"
    factor: float = 1.0

    def __post_init__(self) -> None:
        if not self.start_s < self.end_s:
            raise BehaviourError(f"end_s: {self.end_s} does not lie after start_s {self.start_s}")
        if not (self.factor > 0 and math.isfinite(self.factor)):
            raise BehaviourError(f"factor: {self.factor} is not over 0")


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """All that the simulator's process is told. Port 0 takes any."""

    models: tuple[ModelBehaviour, ...]
    changes: tuple[Change, ...] = ()
    seed: int = 1
    port: int = 0

    def __post_init__(self) -> None:
        names = [model.name for model in self.models]
        if not names or len(set(names)) != len(names):
            raise BehaviourError("models: at least one, and each name once")
        unknown = {name for change in self.changes for name in change.models} - set(names)
        if unknown:
            raise BehaviourError(f"changes: no model is called {', '.join(sorted(unknown))}")


def to_json(config: SimulatorConfig) -> bytes:
    """The configuration in one line."""
    return msgspec.json.encode(config)


def from_json(data: bytes) -> SimulatorConfig:
    """Read a configuration.

    Raises:
        BehaviourError: it is none, and why.
    """
    try:
        return msgspec.json.decode(data, type=SimulatorConfig)
    except msgspec.MsgspecError as error:
        raise BehaviourError(str(error)) from None
