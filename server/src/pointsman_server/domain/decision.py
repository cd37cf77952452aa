"""Which model was chosen, from what, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pointsman_server.domain.model import Capability
from pointsman_server.domain.profile import Profile


class DecisionBasis(StrEnum):
    """How a decision was reached."""

    PINNED = "pinned"
    DECISION_TREE = "decision_tree"
    DEFAULT = "default"


class ExecutionStrategy(StrEnum):
    """How a decision is carried out."""

    SINGLE = "single"
    HEDGED = "hedged"


class Ineligibility(StrEnum):
    """Why a model could not be chosen."""

    CONSTRAINED = "constrained"
    MISSING_CAPABILITY = "missing_capability"
    CONTEXT_TOO_LONG = "context_too_long"
    OVER_BUDGET = "over_budget"
    DISABLED = "disabled"
    TOO_SLOW = "too_slow"


@dataclass(frozen=True, slots=True)
class RoutingConstraints:
    """What a caller demands of the model that serves it; empty means anything goes."""

    allowed_models: frozenset[str] = frozenset()
    excluded_models: frozenset[str] = frozenset()
    required_capabilities: frozenset[Capability] = frozenset()
    max_cost_nanos: int | None = None
    max_first_token_s: float | None = None
    allowed_regions: frozenset[str] = frozenset()

    @property
    def pinned(self) -> bool:
        """Whether the caller has chosen the model already."""
        return len(self.allowed_models) == 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that was considered.

    ``score`` is the policy's own, comparable only within one decision. ``expected_quality`` is a
    probability, ``expected_cost_nanos`` the price of the whole call, ``expected_first_token_s``
    seconds. ``why_not`` is a sentence for a person wherever ``ineligibility`` is set.
    """

    model: str
    score: float
    expected_quality: float
    expected_cost_nanos: int
    expected_first_token_s: float
    ineligibility: Ineligibility | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of routing one prompt; immutable, since later switches of model are events.

    ``fallback_models`` are tried in order; ``hedge_model`` is the one of them raced against
    ``model`` once ``hedge_delay_s`` has passed, and both are ``None`` where the request must not
    be hedged. ``propensity`` is the probability with which the policy chose ``model``.
    ``output_bounds`` has the most tokens that each of these models may generate. ``candidates`` are
    listed where the request asked to have it explained.
    """

    decision_id: str
    model: str
    fallback_models: tuple[str, ...]
    profile: Profile | None
    confidence: float
    basis: DecisionBasis
    strategy: ExecutionStrategy
    policy_version: str
    propensity: float
    candidates: tuple[Candidate, ...]
    reasons: tuple[str, ...]
    output_bounds: Mapping[str, int]
    baseline_model: str
    hedge_model: str | None = None
    hedge_delay_s: float | None = None
    duration_s: float = 0.0
