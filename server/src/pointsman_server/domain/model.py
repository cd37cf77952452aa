"""A model that can be routed to, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from pointsman_server.domain.money import Pricing


class Capability(StrEnum):
    """What a model can do."""

    TOOL_USE = "tool_use"
    JSON_SCHEMA = "json_schema"
    VISION = "vision"
    REASONING = "reasoning"


class ModelState(StrEnum):
    """Whether a model may be routed to."""

    ENABLED = "enabled"
    DRAINING = "draining"
    DISABLED = "disabled"


class Tier(IntEnum):
    """How strong a model is, coarsely: what the decision tree chooses between."""

    CHEAP = 1
    MIDDLE = 2
    STRONG = 3


@dataclass(frozen=True, slots=True)
class LatencyPrior:
    """How fast a model is expected to be before this server has seen it answer."""

    first_token_s: float = 1.0
    tokens_per_s: float = 50.0


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the registry.

    ``provider`` names an account in the configuration; ``provider_model`` is that provider's own
    name for the model. ``strengths`` and ``weaknesses`` are task types and domains of the
    classifier. Models with the same ``machine`` compete for its cores, so that racing one against
    another slows both.
    """

    name: str
    provider: str
    provider_model: str
    tier: Tier
    context_window: int
    max_output_tokens: int
    pricing: Pricing = Pricing()
    capabilities: frozenset[Capability] = frozenset()
    quality_priors: Mapping[str, float] = field(default_factory=dict, hash=False)
    strengths: frozenset[str] = frozenset()
    weaknesses: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    open_weights: bool = False
    state: ModelState = ModelState.ENABLED
    latency: LatencyPrior = LatencyPrior()
    machine: str | None = None
    first_token_timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """One server's view of a model over its sliding window; times in seconds."""

    in_flight: int
    calls: int
    failure_rate: float
    first_token_p50_s: float | None
    first_token_p95_s: float | None
    tokens_per_s_p50: float | None
