"""Requests: protobuf to domain, everything checked, every fault with its field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pointsman.v1 import classification_pb2, decision_pb2, message_pb2, router_service_pb2

from pointsman_server.api import names
from pointsman_server.api.call import Call
from pointsman_server.api.messages import to_conversation, to_history
from pointsman_server.api.validate import Violations
from pointsman_server.domain.decision import RoutingConstraints
from pointsman_server.domain.messages import GenerationOptions, Message, Tool
from pointsman_server.domain.profile import ProfileOverrides
from pointsman_server.domain.request import CallContext, ExecutionOptions, Request

MAX_OUTPUT_TOKENS = 1_000_000
MAX_ID = 256
MAX_TAGS = 16
MAX_TOOLS = 128
MAX_STOP_SEQUENCES = 4
MAX_NAMES = 256
MAX_CAPABILITIES = 32
MAX_COST_NANOS = 1_000_000 * 1_000_000_000
_UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE
)
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class _Routable(Protocol):
    """What RouteRequest, GenerateRequest and CompleteRequest have in common."""

    @property
    def context(self) -> router_service_pb2.CallContext: ...
    @property
    def overrides(self) -> classification_pb2.ClassificationOverrides: ...
    @property
    def constraints(self) -> decision_pb2.RoutingConstraints: ...
    @property
    def generation(self) -> message_pb2.GenerationOptions: ...
    @property
    def explain(self) -> bool: ...
    def HasField(
        self, field_name: Literal["context", "overrides", "constraints", "generation"]
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class ChatDefaults:
    """What holds for every turn of a Chat."""

    history: tuple[Message, ...]
    context: CallContext
    constraints: RoutingConstraints
    generation: GenerationOptions
    execution: ExecutionOptions


def from_classify(
    message: router_service_pb2.ClassifyRequest, call: Call, total_s: float
) -> Request:
    """A request to read.

    Raises:
        InvalidRequest: with every field that is malformed.
    """
    violations = Violations()
    messages = to_conversation("messages", message.messages, violations)
    overrides = _overrides("overrides", message.overrides, violations)
    return _request(messages, call, total_s, violations, overrides=overrides)


def from_route(message: router_service_pb2.RouteRequest, call: Call, total_s: float) -> Request:
    """A request to route.

    Raises:
        InvalidRequest: with every field that is malformed.
    """
    violations = Violations()
    messages = to_conversation("messages", message.messages, violations)
    return _routable(message, messages, call, total_s, violations)


def from_complete(
    message: router_service_pb2.CompleteRequest | router_service_pb2.GenerateRequest,
    call: Call,
    total_s: float,
) -> Request:
    """A request to answer.

    Raises:
        InvalidRequest: with every field that is malformed.
    """
    violations = Violations()
    messages = to_conversation("messages", message.messages, violations)
    if message.request_id and not _UUID4.fullmatch(message.request_id):
        violations.add("request_id", "is not a UUIDv4")
    execution = ExecutionOptions()
    if message.HasField("execution"):
        execution = _execution("execution", message.execution, violations)
    return _routable(message, messages, call, total_s, violations, execution)


def from_setup(setup: router_service_pb2.ChatSetup) -> ChatDefaults:
    """The defaults of a conversation.

    Raises:
        InvalidRequest: with every field that is malformed.
    """
    violations = Violations()
    defaults = ChatDefaults(
        history=to_history("setup.history", setup.history, violations),
        context=_context("setup.context", setup.context, violations),
        constraints=_constraints("setup.constraints", setup.constraints, violations),
        generation=_generation("setup.generation", setup.generation, violations),
        execution=_execution("setup.execution", setup.execution, violations),
    )
    violations.raise_if_any()
    return defaults


def from_turn(
    turn: router_service_pb2.ChatTurn,
    defaults: ChatDefaults,
    history: tuple[Message, ...],
    call: Call,
    total_s: float,
) -> Request:
    """One turn of a conversation, as a request of its own.

    Raises:
        InvalidRequest: with every field that is malformed.
    """
    violations = Violations()
    messages = to_conversation("turn.messages", turn.messages, violations, history)
    constraints = defaults.constraints
    if turn.HasField("constraints"):
        constraints = _constraints("turn.constraints", turn.constraints, violations)
    return _request(
        history + messages,
        call,
        total_s,
        violations,
        context=defaults.context,
        overrides=_overrides("turn.overrides", turn.overrides, violations),
        constraints=constraints,
        generation=defaults.generation,
        execution=defaults.execution,
    )


def _routable(
    message: _Routable,
    messages: tuple[Message, ...],
    call: Call,
    total_s: float,
    violations: Violations,
    execution: ExecutionOptions = ExecutionOptions(),
) -> Request:
    # most calls set few of these, and looking through one that is not there costs as much
    context, overrides = CallContext(), ProfileOverrides()
    constraints, generation = RoutingConstraints(), GenerationOptions()
    if message.HasField("context"):
        context = _context("context", message.context, violations)
    if message.HasField("overrides"):
        overrides = _overrides("overrides", message.overrides, violations)
    if message.HasField("constraints"):
        constraints = _constraints("constraints", message.constraints, violations)
    if message.HasField("generation"):
        generation = _generation("generation", message.generation, violations)
    return _request(
        messages,
        call,
        total_s,
        violations,
        context=context,
        overrides=overrides,
        constraints=constraints,
        generation=generation,
        execution=execution,
        explain=message.explain,
    )


def _request(
    messages: tuple[Message, ...],
    call: Call,
    total_s: float,
    violations: Violations,
    *,
    context: CallContext = CallContext(),
    overrides: ProfileOverrides = ProfileOverrides(),
    constraints: RoutingConstraints = RoutingConstraints(),
    generation: GenerationOptions = GenerationOptions(),
    execution: ExecutionOptions = ExecutionOptions(),
    explain: bool = False,
) -> Request:
    violations.raise_if_any()
    latest = call.accepted_at + total_s
    return Request(
        messages=messages,
        accepted_at=call.accepted_at,
        deadline=latest if call.deadline is None else min(latest, call.deadline),
        context=context,
        overrides=overrides,
        constraints=constraints,
        generation=generation,
        execution=execution,
        explain=explain,
    )


def _context(
    field: str, message: router_service_pb2.CallContext, violations: Violations
) -> CallContext:
    if violations.count(f"{field}.tags", len(message.tags), MAX_TAGS, "tags"):
        for key, value in message.tags.items():
            violations.text(f"{field}.tags[{key[:32]!r}]", key + value, MAX_ID)
    return CallContext(
        user_id=violations.text(f"{field}.user_id", message.user_id, MAX_ID),
        session_id=violations.text(f"{field}.session_id", message.session_id, MAX_ID),
        tags=dict(message.tags),
    )


def _overrides(
    field: str, message: classification_pb2.ClassificationOverrides, violations: Violations
) -> ProfileOverrides:
    def scale(name: str, known: dict[int, names.V]) -> names.V | None:
        if not message.HasField(name):
            return None
        return violations.enum(f"{field}.{name}", getattr(message, name), known)

    def label(name: str) -> str | None:
        if not message.HasField(name):
            return None
        return violations.text(f"{field}.{name}", getattr(message, name), MAX_ID)

    return ProfileOverrides(
        task_type=label("task_type"),
        domain=label("domain"),
        tone=label("tone"),
        complexity=scale("complexity", names.COMPLEXITIES),
        urgency=scale("urgency", names.URGENCIES),
        cost_sensitivity=scale("cost_sensitivity", names.COST_SENSITIVITIES),
    )


def _constraints(
    field: str, message: decision_pb2.RoutingConstraints, violations: Violations
) -> RoutingConstraints:
    for name in ("allowed_models", "excluded_models", "allowed_regions"):
        violations.count(f"{field}.{name}", len(getattr(message, name)), MAX_NAMES, "names")
    at, needed = f"{field}.required_capabilities", message.required_capabilities
    capabilities = set()
    if violations.count(at, len(needed), MAX_CAPABILITIES, "capabilities"):
        for i, value in enumerate(needed):
            capability = violations.enum(f"{at}[{i}]", value, names.CAPABILITIES)
            if capability is not None:
                capabilities.add(capability)
    max_cost = None
    if message.HasField("max_cost_usd_nanos"):
        max_cost = message.max_cost_usd_nanos
        violations.number(f"{field}.max_cost_usd_nanos", max_cost, 0, MAX_COST_NANOS)
    return RoutingConstraints(
        allowed_models=frozenset(message.allowed_models),
        excluded_models=frozenset(message.excluded_models),
        required_capabilities=frozenset(capabilities),
        max_cost_nanos=max_cost,
        max_first_token_s=violations.seconds(
            message, "max_time_to_first_token", f"{field}.max_time_to_first_token"
        ),
        allowed_regions=frozenset(message.allowed_regions),
    )


def _generation(
    field: str, message: message_pb2.GenerationOptions, violations: Violations
) -> GenerationOptions:
    output = temperature = top_p = None
    if message.HasField("max_output_tokens"):
        output = message.max_output_tokens
        violations.number(f"{field}.max_output_tokens", output, 1, MAX_OUTPUT_TOKENS)
    if message.HasField("temperature"):
        temperature = violations.number(f"{field}.temperature", message.temperature, 0, 2)
    if message.HasField("top_p"):
        top_p = violations.number(f"{field}.top_p", message.top_p, 0, 1, above_low=True)
    at, stops = f"{field}.stop_sequences", message.stop_sequences
    if violations.count(at, len(stops), MAX_STOP_SEQUENCES, "sequences"):
        for i, stop in enumerate(stops):
            if not stop:
                violations.add(f"{at}[{i}]", "is empty")
    schema = None
    if message.HasField("response_json_schema"):
        schema = violations.json_object(
            f"{field}.response_json_schema", message.response_json_schema
        )
    return GenerationOptions(
        max_output_tokens=output,
        temperature=temperature,
        top_p=top_p,
        seed=message.seed if message.HasField("seed") else None,
        stop_sequences=tuple(message.stop_sequences),
        tools=_tools(f"{field}.tools", message.tools, violations),
        response_json_schema=schema,
    )


def _tools(
    field: str, tools: Sequence[message_pb2.Tool], violations: Violations
) -> tuple[Tool, ...]:
    if not violations.count(field, len(tools), MAX_TOOLS, "tools"):
        return ()
    seen: set[str] = set()
    for i, tool in enumerate(tools):
        if not _TOOL_NAME.fullmatch(tool.name):
            violations.add(f"{field}[{i}].name", "must be 1 to 64 of [a-zA-Z0-9_-]")
        elif tool.name in seen:
            violations.add(f"{field}[{i}].name", f"{tool.name!r} is used twice")
        seen.add(tool.name)
        violations.json_object(f"{field}[{i}].parameters_json_schema", tool.parameters_json_schema)
    return tuple(Tool(t.name, t.description, t.parameters_json_schema) for t in tools)


def _execution(
    field: str, message: router_service_pb2.ExecutionOptions, violations: Violations
) -> ExecutionOptions:
    switch = violations.enum(f"{field}.switch_policy", message.switch_policy, names.SWITCH_POLICIES)
    options = ExecutionOptions(
        hedging=message.hedging if message.HasField("hedging") else None,
        hedge_delay_s=violations.seconds(
            message, "hedge_delay", f"{field}.hedge_delay", zero_ok=True
        ),
    )
    if switch is None:
        return options
    return ExecutionOptions(options.hedging, options.hedge_delay_s, switch)
