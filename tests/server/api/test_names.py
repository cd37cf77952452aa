"""Each member of a domain's enum has a name in the API, and each of these a meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

import pytest
from pointsman.v1 import (
    classification_pb2,
    decision_pb2,
    message_pb2,
    registry_pb2,
    router_service_pb2,
)
from pointsman_server.api import names
from pointsman_server.domain.attempts import AttemptOutcome, AttemptReason, FinishReason
from pointsman_server.domain.decision import DecisionBasis, ExecutionStrategy, Ineligibility
from pointsman_server.domain.messages import Role
from pointsman_server.domain.model import Capability, ModelState, Tier
from pointsman_server.domain.profile import Complexity, CostSensitivity, Urgency
from pointsman_server.domain.request import SwitchPolicy

# Domain's enum, its map to the API, the API's enum.
TO_API: list[tuple[type[Enum], Mapping[object, int], object]] = [
    (Complexity, names.TO_COMPLEXITY, classification_pb2.Complexity),  # type: ignore[list-item]
    (Urgency, names.TO_URGENCY, classification_pb2.Urgency),  # type: ignore[list-item]
    (CostSensitivity, names.TO_COST_SENSITIVITY, classification_pb2.CostSensitivity),  # type: ignore[list-item]
    (Capability, names.TO_CAPABILITY, registry_pb2.Capability),  # type: ignore[list-item]
    (ModelState, names.TO_MODEL_STATE, registry_pb2.ModelState),  # type: ignore[list-item]
    (Tier, names.TO_TIER, registry_pb2.Tier),  # type: ignore[list-item]
    (DecisionBasis, names.BASES, decision_pb2.DecisionBasis),  # type: ignore[list-item]
    (ExecutionStrategy, names.STRATEGIES, decision_pb2.ExecutionStrategy),  # type: ignore[list-item]
    (Ineligibility, names.INELIGIBILITIES, decision_pb2.Ineligibility),  # type: ignore[list-item]
    (AttemptReason, names.ATTEMPT_REASONS, router_service_pb2.AttemptReason),  # type: ignore[list-item]
    (AttemptOutcome, names.ATTEMPT_OUTCOMES, router_service_pb2.AttemptOutcome),  # type: ignore[list-item]
    (FinishReason, names.FINISH_REASONS, router_service_pb2.FinishReason),  # type: ignore[list-item]
]
# An answer that is whole is no AttemptEnded; a reason that is not known has no name but that.
UNNAMED = {AttemptOutcome.COMPLETED}
UNSPECIFIED = {FinishReason.UNKNOWN}


@pytest.mark.parametrize(("kind", "table", "api"), TO_API, ids=lambda x: getattr(x, "__name__", ""))
def test_every_member_has_the_name_that_it_should(
    kind: type[Enum], table: Mapping[object, int], api: type
) -> None:
    assert set(table) == set(kind) - UNNAMED
    for member in set(kind) - UNNAMED - UNSPECIFIED:
        assert api.Name(table[member]).endswith(f"_{member.name}")  # type: ignore[attr-defined]
    assert len(set(table.values())) == len(table)


FROM_API: list[tuple[Mapping[int, object], object, Iterable[object]]] = [
    (names.ROLES, message_pb2.Role, Role),
    (names.COMPLEXITIES, classification_pb2.Complexity, Complexity),
    (names.URGENCIES, classification_pb2.Urgency, Urgency),
    (names.COST_SENSITIVITIES, classification_pb2.CostSensitivity, CostSensitivity),
    (names.CAPABILITIES, registry_pb2.Capability, Capability),
    (names.MODEL_STATES, registry_pb2.ModelState, ModelState),
]


@pytest.mark.parametrize(("table", "api", "members"), FROM_API)
def test_every_value_but_unspecified_is_understood(
    table: Mapping[int, object], api: type, members: Iterable[object]
) -> None:
    assert set(table) == set(api.values()) - {0}  # type: ignore[attr-defined]
    assert set(table.values()) == set(members)


def test_every_switch_policy_is_understood_and_the_default_is_the_careful_one() -> None:
    assert set(names.SWITCH_POLICIES) == set(router_service_pb2.SwitchPolicy.values())
    assert names.SWITCH_POLICIES[0] is SwitchPolicy.BEFORE_FIRST_TOKEN
    assert set(names.SWITCH_POLICIES.values()) == set(SwitchPolicy)
