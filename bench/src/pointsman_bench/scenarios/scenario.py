"""What a scenario is: data. Times within it are shares of the measured time, so that they scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pointsman_bench.results import Objective
from pointsman_bench.scenarios.prompts import ALL, Prompt
from pointsman_bench.simulator.behaviour import Mishap, ModelBehaviour

Tier = Literal["cheap", "middle", "strong"]
DEFAULT_HEDGING = 0.05


@dataclass(frozen=True, slots=True)
class FleetModel:
    """A simulated model and what the server's configuration says of it.

    The name's part before the slash is its provider. Prices are US dollars a million tokens.
    """

    name: str
    tier: Tier
    input_price: float
    output_price: float
    behaviour: ModelBehaviour

    @property
    def provider(self) -> str:
        """The provider account."""
        return self.name.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to models from ``start`` to ``end`` (shares of the measured time)."""

    name: str
    models: tuple[str, ...]
    start: float
    end: float
    mishap: Mishap = "down"
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Burst:
    """From ``start`` to ``end`` the rate is ``factor`` times the base rate."""

    start: float
    end: float
    factor: float


@dataclass(frozen=True, slots=True)
class Leavers:
    """A ``share`` of clients leaves after a time drawn evenly from 0 to ``within_s``."""

    share: float
    within_s: float


@dataclass(frozen=True, slots=True)
class Cap:
    """A ``share`` of requests may cost at most ``usd`` (None: no bound)."""

    share: float
    usd: float | None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A load, the models behind it, and what happens to them.

    ``hedge_share`` is the extra load that the server's policy may spend on hedges; ``objectives``
    are those that goodput is counted by unless the caller names others. ``max_output_tokens``
    bounds answers. ``notes`` are what a reader of the result must know.
    """

    name: str
    summary: str
    rate: float
    duration_s: float
    models: tuple[FleetModel, ...]
    warm_up_s: float = 4.0
    prompts: tuple[Prompt, ...] = ALL
    events: tuple[Event, ...] = ()
    bursts: tuple[Burst, ...] = ()
    leavers: Leavers | None = None
    caps: tuple[Cap, ...] = (Cap(1.0, None),)
    hedge_share: float = DEFAULT_HEDGING
    objectives: tuple[Objective, ...] = (Objective("ttft", 0.5), Objective("e2e", 5.0))
    max_output_tokens: int | None = None
    notes: tuple[str, ...] = ()
