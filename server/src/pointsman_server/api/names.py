"""Domain enums and their protobuf twins, side by side."""

from __future__ import annotations

from typing import TypeVar

from pointsman.v1 import (
    classification_pb2,
    decision_pb2,
    message_pb2,
    registry_pb2,
    router_service_pb2,
)

from pointsman_server.domain.attempts import AttemptOutcome, AttemptReason, FinishReason
from pointsman_server.domain.decision import DecisionBasis, ExecutionStrategy, Ineligibility
from pointsman_server.domain.messages import Role
from pointsman_server.domain.model import Capability, ModelState, Tier
from pointsman_server.domain.profile import Complexity, CostSensitivity, Urgency
from pointsman_server.domain.request import SwitchPolicy

V = TypeVar("V")

_router = router_service_pb2

ROLES: dict[int, Role] = {
    message_pb2.ROLE_SYSTEM: Role.SYSTEM,
    message_pb2.ROLE_USER: Role.USER,
    message_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    message_pb2.ROLE_TOOL: Role.TOOL,
}

TO_COMPLEXITY = {
    Complexity.LOW: classification_pb2.COMPLEXITY_LOW,
    Complexity.MEDIUM: classification_pb2.COMPLEXITY_MEDIUM,
    Complexity.HIGH: classification_pb2.COMPLEXITY_HIGH,
}
COMPLEXITIES: dict[int, Complexity] = {v: k for k, v in TO_COMPLEXITY.items()}

TO_URGENCY = {
    Urgency.LOW: classification_pb2.URGENCY_LOW,
    Urgency.NORMAL: classification_pb2.URGENCY_NORMAL,
    Urgency.HIGH: classification_pb2.URGENCY_HIGH,
}
URGENCIES: dict[int, Urgency] = {v: k for k, v in TO_URGENCY.items()}

TO_COST_SENSITIVITY = {
    CostSensitivity.LOW: classification_pb2.COST_SENSITIVITY_LOW,
    CostSensitivity.MEDIUM: classification_pb2.COST_SENSITIVITY_MEDIUM,
    CostSensitivity.HIGH: classification_pb2.COST_SENSITIVITY_HIGH,
}
COST_SENSITIVITIES: dict[int, CostSensitivity] = {v: k for k, v in TO_COST_SENSITIVITY.items()}

TO_CAPABILITY = {
    Capability.TOOL_USE: registry_pb2.CAPABILITY_TOOL_USE,
    Capability.JSON_SCHEMA: registry_pb2.CAPABILITY_JSON_SCHEMA,
    Capability.VISION: registry_pb2.CAPABILITY_VISION,
    Capability.REASONING: registry_pb2.CAPABILITY_REASONING,
}
CAPABILITIES: dict[int, Capability] = {v: k for k, v in TO_CAPABILITY.items()}

TO_MODEL_STATE = {
    ModelState.ENABLED: registry_pb2.MODEL_STATE_ENABLED,
    ModelState.DRAINING: registry_pb2.MODEL_STATE_DRAINING,
    ModelState.DISABLED: registry_pb2.MODEL_STATE_DISABLED,
}
MODEL_STATES: dict[int, ModelState] = {v: k for k, v in TO_MODEL_STATE.items()}

TO_TIER = {
    Tier.CHEAP: registry_pb2.TIER_CHEAP,
    Tier.MIDDLE: registry_pb2.TIER_MIDDLE,
    Tier.STRONG: registry_pb2.TIER_STRONG,
}

SWITCH_POLICIES: dict[int, SwitchPolicy] = {
    _router.SWITCH_POLICY_UNSPECIFIED: SwitchPolicy.BEFORE_FIRST_TOKEN,
    _router.SWITCH_POLICY_BEFORE_FIRST_TOKEN: SwitchPolicy.BEFORE_FIRST_TOKEN,
    _router.SWITCH_POLICY_RESTART: SwitchPolicy.RESTART,
    # CONTINUE permits a continuation and promises none: until attempts can be joined at the seam,
    # a failure after text ends the call, which it permits too
    _router.SWITCH_POLICY_CONTINUE: SwitchPolicy.BEFORE_FIRST_TOKEN,
}

BASES = {
    DecisionBasis.PINNED: decision_pb2.DECISION_BASIS_PINNED,
    DecisionBasis.DECISION_TREE: decision_pb2.DECISION_BASIS_DECISION_TREE,
    DecisionBasis.DEFAULT: decision_pb2.DECISION_BASIS_DEFAULT,
}

STRATEGIES = {
    ExecutionStrategy.SINGLE: decision_pb2.EXECUTION_STRATEGY_SINGLE,
    ExecutionStrategy.HEDGED: decision_pb2.EXECUTION_STRATEGY_HEDGED,
}

INELIGIBILITIES = {
    Ineligibility.CONSTRAINED: decision_pb2.INELIGIBILITY_CONSTRAINED,
    Ineligibility.MISSING_CAPABILITY: decision_pb2.INELIGIBILITY_MISSING_CAPABILITY,
    Ineligibility.CONTEXT_TOO_LONG: decision_pb2.INELIGIBILITY_CONTEXT_TOO_LONG,
    Ineligibility.OVER_BUDGET: decision_pb2.INELIGIBILITY_OVER_BUDGET,
    Ineligibility.DISABLED: decision_pb2.INELIGIBILITY_DISABLED,
    Ineligibility.TOO_SLOW: decision_pb2.INELIGIBILITY_TOO_SLOW,
}

ATTEMPT_REASONS = {
    AttemptReason.PRIMARY: _router.ATTEMPT_REASON_PRIMARY,
    AttemptReason.HEDGE: _router.ATTEMPT_REASON_HEDGE,
    AttemptReason.RETRY: _router.ATTEMPT_REASON_RETRY,
    AttemptReason.FALLBACK: _router.ATTEMPT_REASON_FALLBACK,
}

ATTEMPT_OUTCOMES = {
    AttemptOutcome.LOST_RACE: _router.ATTEMPT_OUTCOME_LOST_RACE,
    AttemptOutcome.TIMED_OUT: _router.ATTEMPT_OUTCOME_TIMED_OUT,
    AttemptOutcome.RATE_LIMITED: _router.ATTEMPT_OUTCOME_RATE_LIMITED,
    AttemptOutcome.PROVIDER_ERROR: _router.ATTEMPT_OUTCOME_PROVIDER_ERROR,
    AttemptOutcome.UNREACHABLE: _router.ATTEMPT_OUTCOME_UNREACHABLE,
    AttemptOutcome.REJECTED: _router.ATTEMPT_OUTCOME_REJECTED,
    AttemptOutcome.CANCELLED: _router.ATTEMPT_OUTCOME_CANCELLED,
}

FINISH_REASONS = {
    FinishReason.STOP: _router.FINISH_REASON_STOP,
    FinishReason.MAX_TOKENS: _router.FINISH_REASON_MAX_TOKENS,
    FinishReason.TOOL_CALLS: _router.FINISH_REASON_TOOL_CALLS,
    FinishReason.CONTENT_FILTER: _router.FINISH_REASON_CONTENT_FILTER,
    FinishReason.UNKNOWN: _router.FINISH_REASON_UNSPECIFIED,
}


def outcome_name(outcome: AttemptOutcome) -> str:
    """The name of an AttemptOutcome in the API."""
    return _router.AttemptOutcome.Name(ATTEMPT_OUTCOMES[outcome])
