"""What a caller may ask of a call, grouped as the API groups it. Nothing set means: your choice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

from google.protobuf.duration_pb2 import Duration
from pointsman.v1.classification_pb2 import ClassificationOverrides
from pointsman.v1.decision_pb2 import RoutingConstraints
from pointsman.v1.message_pb2 import GenerationOptions
from pointsman.v1.message_pb2 import Tool as ToolMessage
from pointsman.v1.router_service_pb2 import CallContext, ExecutionOptions

from pointsman_client.money import to_nanos

JsonSchema: TypeAlias = Mapping[str, object] | str
"""A JSON Schema (draft 2020-12): a mapping, or its JSON text."""

Level: TypeAlias = Literal["low", "medium", "high"]
UrgencyLevel: TypeAlias = Literal["low", "normal", "high"]
CapabilityName: TypeAlias = Literal["tool_use", "json_schema", "vision", "reasoning"]
SwitchPolicyName: TypeAlias = Literal["before_first_token", "restart", "continue"]


@dataclass(frozen=True, slots=True)
class Constraints:
    """What the model that serves must meet."""

    models: tuple[str, ...] = ()
    """Only these may serve; none means any. One alone pins it."""

    exclude: tuple[str, ...] = ()
    """These must not serve. Wins over ``models``."""

    capabilities: tuple[CapabilityName, ...] = ()
    """What the model must be able to do."""

    max_cost_usd: Decimal | float | str | None = None
    """The most that the call may cost, in US dollars, hedges included."""

    max_time_to_first_token_s: float | None = None
    """The expected time to the first token must not exceed this."""

    regions: tuple[str, ...] = ()
    """Where the prompt may be processed, such as "eu"; none means anywhere."""

    def to_proto(self) -> RoutingConstraints:
        """Make the API's message."""
        cost, wait = self.max_cost_usd, self.max_time_to_first_token_s
        return RoutingConstraints(
            allowed_models=self.models,
            excluded_models=self.exclude,
            required_capabilities=[f"CAPABILITY_{name.upper()}" for name in self.capabilities],
            max_cost_usd_nanos=None if cost is None else to_nanos(cost),
            max_time_to_first_token=None if wait is None else _duration(wait),
            allowed_regions=self.regions,
        )


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model may ask the caller to invoke."""

    name: str
    parameters: JsonSchema
    """The schema of its arguments."""

    description: str = ""
    """What it does, for the model to read."""

    def to_proto(self) -> ToolMessage:
        """Make the API's message."""
        return ToolMessage(
            name=self.name,
            description=self.description,
            parameters_json_schema=_json_text(self.parameters),
        )


@dataclass(frozen=True, slots=True)
class Generation:
    """How the model should generate. What is not set is left to the router's policy."""

    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop_sequences: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    json_schema: JsonSchema | None = None
    """What the output must satisfy."""

    def to_proto(self) -> GenerationOptions:
        """Make the API's message."""
        schema = self.json_schema
        return GenerationOptions(
            max_output_tokens=self.max_output_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            stop_sequences=self.stop_sequences,
            tools=[tool.to_proto() for tool in self.tools],
            response_json_schema=None if schema is None else _json_text(schema),
        )


@dataclass(frozen=True, slots=True)
class Execution:
    """How a call may trade money and steadiness for speed."""

    hedging: bool | None = None
    hedge_delay_s: float | None = None
    switch_policy: SwitchPolicyName | None = None
    """What may happen once text has been sent. "restart" may make the client drop text."""

    allow_cached: bool | None = None

    def to_proto(self) -> ExecutionOptions:
        """Make the API's message."""
        delay, policy = self.hedge_delay_s, self.switch_policy
        options = ExecutionOptions(
            hedge_delay=None if delay is None else _duration(delay),
            switch_policy=None if policy is None else f"SWITCH_POLICY_{policy.upper()}",
        )
        if self.hedging is not None:
            options.hedging = self.hedging
        if self.allow_cached is not None:
            options.allow_cached = self.allow_cached
        return options


@dataclass(frozen=True, slots=True)
class Context:
    """Whom and what a call is for: budgets, experiments and usage reports group by it."""

    user_id: str = ""
    session_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_proto(self) -> CallContext:
        """Make the API's message."""
        return CallContext(user_id=self.user_id, session_id=self.session_id, tags=self.tags)


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the caller already knows of a prompt: it replaces the classifier's reading."""

    task_type: str | None = None
    domain: str | None = None
    tone: str | None = None
    complexity: Level | None = None
    urgency: UrgencyLevel | None = None
    cost_sensitivity: Level | None = None

    def to_proto(self) -> ClassificationOverrides:
        """Make the API's message."""
        complexity, urgency, cost = self.complexity, self.urgency, self.cost_sensitivity
        return ClassificationOverrides(
            task_type=self.task_type,
            domain=self.domain,
            tone=self.tone,
            complexity=None if complexity is None else f"COMPLEXITY_{complexity.upper()}",
            urgency=None if urgency is None else f"URGENCY_{urgency.upper()}",
            cost_sensitivity=None if cost is None else f"COST_SENSITIVITY_{cost.upper()}",
        )


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def _json_text(schema: JsonSchema) -> str:
    return schema if isinstance(schema, str) else json.dumps(schema, ensure_ascii=False)
