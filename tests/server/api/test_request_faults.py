"""Every rule of a request, each told by the exact path of the field that breaks it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
from google.protobuf.duration_pb2 import Duration
from pointsman.v1 import (
    classification_pb2,
    decision_pb2,
    message_pb2,
    registry_pb2,
    router_service_pb2,
)
from pointsman.v1.message_pb2 import Message as M
from pointsman.v1.message_pb2 import Part as P
from pointsman_server.api import messages as api_messages
from pointsman_server.api import requests, validate
from pointsman_server.api.call import Call
from pointsman_server.domain.errors import InvalidRequest

USER, SYSTEM = message_pb2.ROLE_USER, message_pb2.ROLE_SYSTEM
ASSISTANT, TOOL = message_pb2.ROLE_ASSISTANT, message_pb2.ROLE_TOOL
Request = router_service_pb2.CompleteRequest

CALL = Call(accepted_at=100.0)


def said(role: int, *texts: str) -> M:
    return M(role=role, parts=[P(text=t) for t in texts])  # type: ignore[arg-type]


def called(*ids: str, arguments: str = "{}") -> M:
    calls = (message_pb2.ToolCall(call_id=i, name="f", arguments_json=arguments) for i in ids)
    return M(role=ASSISTANT, parts=[P(tool_call=c) for c in calls])


def returned(*ids: str) -> M:
    results = (message_pb2.ToolResult(call_id=i, text="42") for i in ids)
    return M(role=TOOL, parts=[P(tool_result=r) for r in results])


def tool(name: str = "f", schema: str = "{}") -> message_pb2.Tool:
    return message_pb2.Tool(name=name, parameters_json_schema=schema)


def conversation(*messages: M) -> Callable[[Request], None]:
    def change(request: Request) -> None:
        del request.messages[:]
        request.messages.extend(messages)

    return change


def context(**fields: object) -> Callable[[Request], None]:
    return lambda r: r.context.MergeFrom(router_service_pb2.CallContext(**fields))  # type: ignore[arg-type]


def overrides(**fields: object) -> Callable[[Request], None]:
    return lambda r: r.overrides.MergeFrom(classification_pb2.ClassificationOverrides(**fields))  # type: ignore[arg-type]


def constraints(**fields: object) -> Callable[[Request], None]:
    return lambda r: r.constraints.MergeFrom(decision_pb2.RoutingConstraints(**fields))  # type: ignore[arg-type]


def generation(**fields: object) -> Callable[[Request], None]:
    return lambda r: r.generation.MergeFrom(message_pb2.GenerationOptions(**fields))  # type: ignore[arg-type]


def execution(**fields: object) -> Callable[[Request], None]:
    return lambda r: r.execution.MergeFrom(router_service_pb2.ExecutionOptions(**fields))  # type: ignore[arg-type]


def request_id(value: str) -> Callable[[Request], None]:
    return lambda r: setattr(r, "request_id", value)


def violations_of(*changes: Callable[[Request], None]) -> list[tuple[str, str]]:
    request = Request(messages=[said(USER, "hello")])
    for change in changes:
        change(request)
    with pytest.raises(InvalidRequest) as caught:
        requests.from_complete(request, CALL, 60.0)
    return [(v.field, v.description) for v in caught.value.violations]


HI = said(USER, "hi")

CASES: dict[str, tuple[Callable[[Request], None], str, str]] = {
    # messages
    "no messages": (conversation(), "messages", "is required"),
    "role unset": (conversation(said(0, "hi")), "messages[0].role", "is required"),
    "role unknown": (conversation(said(99, "hi")), "messages[0].role", "99 is not a value"),
    "role negative": (conversation(HI, said(-1, "hi")), "messages[1].role", "-1 is not a value"),
    "no parts": (conversation(M(role=USER)), "messages[0].parts", "is required"),
    "part unset": (
        conversation(M(role=USER, parts=[P(text="a"), P()])),
        "messages[0].parts[1]",
        "is empty, or a kind of content",
    ),
    "empty prompt": (conversation(said(USER, "")), "messages[0].parts", "the prompt is empty"),
    "blank prompt": (conversation(said(USER, " \n", "\t")), "messages[0].parts", "is empty"),
    "last is the assistant's": (
        conversation(HI, said(ASSISTANT, "hello")),
        "messages[1].role",
        "the last message is the assistant's: there is nothing to answer",
    ),
    "last is the system's": (conversation(said(SYSTEM, "be")), "messages[0].role", "system's"),
    "text in a tool message": (
        conversation(HI, called("1"), said(TOOL, "42")),
        "messages[2].parts[0].text",
        "cannot stand in a tool message",
    ),
    "tool call by the user": (
        conversation(M(role=USER, parts=called("1").parts)),
        "messages[0].parts[0].tool_call",
        "cannot stand in a user message",
    ),
    "tool result by the assistant": (
        conversation(M(role=ASSISTANT, parts=returned("1").parts), HI),
        "messages[0].parts[0].tool_result",
        "cannot stand in a assistant message",
    ),
    "call without an id": (
        conversation(HI, called(""), returned("1")),
        "messages[1].parts[0].tool_call.call_id",
        "is required",
    ),
    "call without a name": (
        conversation(
            HI,
            M(
                role=ASSISTANT,
                parts=[P(tool_call=message_pb2.ToolCall(call_id="1", arguments_json="{}"))],
            ),
            returned("1"),
        ),
        "messages[1].parts[0].tool_call.name",
        "is required",
    ),
    "result without an id": (
        conversation(HI, called("1"), returned("")),
        "messages[2].parts[0].tool_result.call_id",
        "is required",
    ),
    "result without a call": (
        conversation(HI, returned("1")),
        "messages[1].parts[0].tool_result.call_id",
        "'1' is not open here",
    ),
    "result of another call": (
        conversation(HI, called("1"), returned("1", "2")),
        "messages[2].parts[1].tool_result.call_id",
        "'2' is not open here",
    ),
    "result twice": (
        conversation(HI, called("1"), returned("1"), returned("1")),
        "messages[3].parts[0].tool_result.call_id",
        "'1' is not open here",
    ),
    "call without a result": (
        conversation(HI, called("1", "2"), returned("1")),
        "messages[1].parts[1].tool_call.call_id",
        "'2' has no tool result after it",
    ),
    "result that comes too late": (
        conversation(HI, called("1"), HI),
        "messages[1].parts[0].tool_call.call_id",
        "'1' has no tool result after it",
    ),
    "call id used twice": (
        conversation(HI, called("1", "1"), returned("1")),
        "messages[1].parts[1].tool_call.call_id",
        "'1' is used twice",
    ),
    "too many messages": (
        conversation(*[HI] * (api_messages.MAX_MESSAGES + 1)),
        "messages",
        "has 4097 messages; the limit is 4096",
    ),
    "too many parts": (
        conversation(HI, said(USER, *["x"] * api_messages.MAX_PARTS)),
        "messages",
        "has 16385 parts; the limit is 16384",
    ),
    # context
    "long user": (context(user_id="u" * 257), "context.user_id", "has 257 characters"),
    "long session": (context(session_id="s" * 257), "context.session_id", "the limit is 256"),
    "many tags": (
        context(tags={str(i): "" for i in range(17)}),
        "context.tags",
        "has 17 tags; the limit is 16",
    ),
    "long tag": (context(tags={"team": "x" * 253}), "context.tags['team']", "has 257 characters"),
    "long tag name": (
        context(tags={"k" * 300: ""}),
        f"context.tags['{'k' * 32}']",
        "has 300 characters",
    ),
    # overrides
    "complexity unset": (overrides(complexity=0), "overrides.complexity", "is required"),
    "complexity unknown": (overrides(complexity=4), "overrides.complexity", "4 is not a value"),
    "urgency unknown": (overrides(urgency=9), "overrides.urgency", "9 is not a value"),
    "cost sensitivity unknown": (
        overrides(cost_sensitivity=-5),
        "overrides.cost_sensitivity",
        "-5 is not a value",
    ),
    "long task type": (overrides(task_type="x" * 257), "overrides.task_type", "has 257"),
    "long domain": (overrides(domain="x" * 257), "overrides.domain", "has 257"),
    "long tone": (overrides(tone="x" * 257), "overrides.tone", "has 257"),
    # constraints
    "capability unset": (
        constraints(required_capabilities=[registry_pb2.CAPABILITY_VISION, 0]),
        "constraints.required_capabilities[1]",
        "is required",
    ),
    "capability unknown": (
        constraints(required_capabilities=[77]),
        "constraints.required_capabilities[0]",
        "77 is not a value",
    ),
    "many capabilities": (
        constraints(required_capabilities=[1] * 33),
        "constraints.required_capabilities",
        "has 33 capabilities; the limit is 32",
    ),
    "many allowed models": (
        constraints(allowed_models=map(str, range(257))),
        "constraints.allowed_models",
        "has 257 names; the limit is 256",
    ),
    "many excluded models": (
        constraints(excluded_models=["x"] * 257),
        "constraints.excluded_models",
        "the limit is 256",
    ),
    "many regions": (
        constraints(allowed_regions=["x"] * 257),
        "constraints.allowed_regions",
        "the limit is 256",
    ),
    "cost below nothing": (
        constraints(max_cost_usd_nanos=-1),
        "constraints.max_cost_usd_nanos",
        "at least 0",
    ),
    "cost without end": (
        constraints(max_cost_usd_nanos=2**63 - 1),
        "constraints.max_cost_usd_nanos",
        "at most 1e+15",
    ),
    "no time to a first token": (
        constraints(max_time_to_first_token=Duration()),
        "constraints.max_time_to_first_token",
        "must be over 0 and at most 86400",
    ),
    "time below nothing": (
        constraints(max_time_to_first_token=Duration(seconds=-1)),
        "constraints.max_time_to_first_token",
        "must be over 0",
    ),
    "too long a time": (
        constraints(max_time_to_first_token=Duration(seconds=86401)),
        "constraints.max_time_to_first_token",
        "at most 86400",
    ),
    "time that no duration is": (
        constraints(max_time_to_first_token=Duration(seconds=2**63 - 1, nanos=-(2**31))),
        "constraints.max_time_to_first_token",
        "at most 86400",
    ),
    # generation
    "no output": (generation(max_output_tokens=0), "generation.max_output_tokens", "at least 1"),
    "negative output": (
        generation(max_output_tokens=-(2**31)),
        "generation.max_output_tokens",
        "at least 1",
    ),
    "output without end": (
        generation(max_output_tokens=2**31 - 1),
        "generation.max_output_tokens",
        "at most 1e+06",
    ),
    "many stop sequences": (
        generation(stop_sequences="abcde"),
        "generation.stop_sequences",
        "has 5 sequences; the limit is 4",
    ),
    "empty stop sequence": (
        generation(stop_sequences=["a", ""]),
        "generation.stop_sequences[1]",
        "is empty",
    ),
    "many tools": (
        generation(tools=[tool(f"t{i}") for i in range(129)]),
        "generation.tools",
        "has 129 tools; the limit is 128",
    ),
    "tool twice": (
        generation(tools=[tool("a"), tool("a")]),
        "generation.tools[1].name",
        "'a' is used twice",
    ),
    "tool without a schema": (
        generation(tools=[tool("a", "")]),
        "generation.tools[0].parameters_json_schema",
        "is not JSON",
    ),
    "tool whose schema is no object": (
        generation(tools=[tool("a", "true")]),
        "generation.tools[0].parameters_json_schema",
        "is not a JSON object",
    ),
    "schema is no JSON": (
        generation(response_json_schema="{'a': 1}"),
        "generation.response_json_schema",
        "is not JSON",
    ),
    "schema is empty": (
        generation(response_json_schema=""),
        "generation.response_json_schema",
        "is not JSON",
    ),
    "schema has a number without end": (
        generation(response_json_schema="1" * 5000),
        "generation.response_json_schema",
        "is not JSON",
    ),
    # execution
    "hedge before the call": (
        execution(hedge_delay=Duration(nanos=-1)),
        "execution.hedge_delay",
        "at least 0",
    ),
    "hedge after days": (
        execution(hedge_delay=Duration(seconds=10**9)),
        "execution.hedge_delay",
        "at most 86400",
    ),
    "switch policy unknown": (execution(switch_policy=8), "execution.switch_policy", "8 is not"),
    # request id
    "request id": (request_id("yesterday"), "request_id", "is not a UUID"),
    "request id with more": (request_id("0" * 33), "request_id", "is not a UUID"),
}
CASES |= {
    f"temperature {value}": (generation(temperature=value), "generation.temperature", "at most 2")
    for value in (math.nan, math.inf, -math.inf, -0.001, 2.001, 1e308)
}
CASES |= {
    f"top_p {value}": (generation(top_p=value), "generation.top_p", "must be over 0 and at most 1")
    for value in (math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 1.0001)
}
CASES |= {
    f"tool called {name!r}": (generation(tools=[tool(name)]), "generation.tools[0].name", "1 to 64")
    for name in ("", "a b", "a.b", "é", "a" * 65, "a\n")
}


@pytest.mark.parametrize("case", CASES)
def test_each_rule_names_its_field(case: str) -> None:
    change, field, description = CASES[case]
    ((found, why),) = violations_of(change)
    assert found == field
    assert description in why


def test_all_violations_at_once() -> None:
    found = violations_of(
        conversation(HI, said(ASSISTANT, "yes")),
        context(user_id="u" * 300),
        overrides(complexity=9),
        constraints(max_cost_usd_nanos=-1),
        generation(temperature=math.nan, max_output_tokens=0, tools=[tool("a b", "x")]),
        execution(switch_policy=9),
        request_id("x"),
    )
    assert sorted(field for field, _ in found) == [
        "constraints.max_cost_usd_nanos",
        "context.user_id",
        "execution.switch_policy",
        "generation.max_output_tokens",
        "generation.temperature",
        "generation.tools[0].name",
        "generation.tools[0].parameters_json_schema",
        "messages[1].role",
        "overrides.complexity",
        "request_id",
    ]


def test_one_fault_of_a_message_is_told_once() -> None:
    assert violations_of(conversation(M())) == [
        ("messages[0].role", "is required"),
        ("messages[0].parts", "is required"),
    ]


def test_a_request_of_nothing_but_faults_is_refused_in_no_time() -> None:
    request = Request(messages=[M(role=USER, parts=[P()] * api_messages.MAX_PARTS)])
    with pytest.raises(InvalidRequest) as caught:
        requests.from_complete(request, CALL, 60.0)
    assert len(caught.value.violations) == validate.MAX_VIOLATIONS


def test_the_same_rules_hold_for_the_other_methods() -> None:
    classify = router_service_pb2.ClassifyRequest(messages=[said(0, "")])
    classify.overrides.urgency = 7  # type: ignore[assignment]
    with pytest.raises(InvalidRequest) as caught:
        requests.from_classify(classify, CALL, 60.0)
    assert [v.field for v in caught.value.violations] == ["messages[0].role", "overrides.urgency"]
    route = router_service_pb2.RouteRequest()
    route.generation.top_p = 7
    with pytest.raises(InvalidRequest) as caught:
        requests.from_route(route, CALL, 60.0)
    assert [v.field for v in caught.value.violations] == ["messages", "generation.top_p"]


def test_faults_of_a_chats_setup_have_paths_in_the_setup() -> None:
    setup = router_service_pb2.ChatSetup(history=[said(ASSISTANT, "hi"), returned("1")])
    setup.context.user_id = "u" * 300
    setup.constraints.max_cost_usd_nanos = -1
    setup.generation.top_p = 2
    setup.execution.hedge_delay.seconds = -1
    with pytest.raises(InvalidRequest) as caught:
        requests.from_setup(setup)
    assert [v.field for v in caught.value.violations] == [
        "setup.history[1].parts[0].tool_result.call_id",
        "setup.context.user_id",
        "setup.constraints.max_cost_usd_nanos",
        "setup.generation.top_p",
        "setup.execution.hedge_delay",
    ]
    broken = router_service_pb2.ChatSetup(history=[called("1"), HI])
    with pytest.raises(InvalidRequest, match=re.escape("history[0].parts[0].tool_call.call_id")):
        requests.from_setup(broken)


def test_a_history_may_end_with_whatever_a_turn_can_follow() -> None:
    for last in (HI, said(ASSISTANT, "hello"), said(SYSTEM, "be brief"), called("1", "2")):
        setup = router_service_pb2.ChatSetup(history=[HI, last])
        assert len(requests.from_setup(setup).history) == 2


TURN_CASES: dict[str, tuple[list[M], list[M], str]] = {
    "no messages": ([], [], "turn.messages"),
    "role": ([HI], [said(0, "x")], "turn.messages[0].role"),
    "empty prompt": ([HI, HI], [HI, said(USER, "")], "turn.messages[1].parts"),
    "assistant": ([HI], [said(ASSISTANT, "x")], "turn.messages[0].role"),
    "result without a call": ([HI], [returned("1")], "turn.messages[0].parts[0].tool_result"),
    "another result": ([called("1")], [returned("1", "2")], "turn.messages[0].parts[1].tool_re"),
    "call of the history without a result": ([HI, called("1")], [HI], "turn.messages"),
    "call of the turn without a result": ([], [called("1"), HI], "turn.messages[0].parts[0].tool"),
}


@pytest.mark.parametrize("case", TURN_CASES)
def test_faults_of_a_turn_have_paths_in_the_turn(case: str) -> None:
    history, messages, field = TURN_CASES[case]
    defaults = requests.from_setup(router_service_pb2.ChatSetup(history=history))
    turn = router_service_pb2.ChatTurn(turn_id="1", messages=messages)
    with pytest.raises(InvalidRequest) as caught:
        requests.from_turn(turn, defaults, defaults.history, CALL, 60.0)
    (violation,) = caught.value.violations
    assert violation.field.startswith(field)
    if "[" not in field:
        assert violation.field == field


def test_a_turns_own_options_are_checked() -> None:
    turn = router_service_pb2.ChatTurn(turn_id="1", messages=[said(USER, "")])
    turn.overrides.complexity = 9  # type: ignore[assignment]
    turn.constraints.max_cost_usd_nanos = -1
    defaults = requests.from_setup(router_service_pb2.ChatSetup())
    with pytest.raises(InvalidRequest) as caught:
        requests.from_turn(turn, defaults, (), CALL, 60.0)
    assert sorted(v.field for v in caught.value.violations) == [
        "turn.constraints.max_cost_usd_nanos",
        "turn.messages[0].parts",
        "turn.overrides.complexity",
    ]
