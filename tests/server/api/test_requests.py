"""Good requests become the domain's."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from pointsman.v1 import message_pb2, registry_pb2, router_service_pb2
from pointsman_server.api import requests
from pointsman_server.api.call import Call
from pointsman_server.api.messages import answer_message, recent
from pointsman_server.domain.decision import RoutingConstraints
from pointsman_server.domain.messages import (
    GenerationOptions,
    Message,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from pointsman_server.domain.model import Capability
from pointsman_server.domain.profile import (
    Complexity,
    CostSensitivity,
    ProfileOverrides,
    Urgency,
)
from pointsman_server.domain.request import CallContext, ExecutionOptions, SwitchPolicy

M, P = message_pb2.Message, message_pb2.Part
CALL = Call(accepted_at=100.0)
HELLO = M(role=message_pb2.ROLE_USER, parts=[P(text="hello")])


def test_a_bare_request_leaves_everything_open() -> None:
    request = requests.from_complete(
        router_service_pb2.CompleteRequest(messages=[HELLO]), CALL, 60.0
    )
    assert request.messages == (Message(Role.USER, (Text("hello"),)),)
    assert (request.accepted_at, request.deadline) == (100.0, 160.0)
    assert request.context == CallContext()
    assert request.overrides == ProfileOverrides()
    assert request.constraints == RoutingConstraints()
    assert request.generation == GenerationOptions()
    assert request.execution == ExecutionOptions()


@pytest.mark.parametrize(("deadline", "then"), [(None, 160.0), (130.0, 130.0), (999.0, 160.0)])
def test_the_earlier_of_the_callers_deadline_and_ours_holds(
    deadline: float | None, then: float
) -> None:
    call = Call(accepted_at=100.0, deadline=deadline)
    for request in (
        requests.from_complete(router_service_pb2.CompleteRequest(messages=[HELLO]), call, 60.0),
        requests.from_route(router_service_pb2.RouteRequest(messages=[HELLO]), call, 60.0),
        requests.from_classify(router_service_pb2.ClassifyRequest(messages=[HELLO]), call, 60.0),
    ):
        assert request.deadline == then


def test_every_field_arrives() -> None:
    message = router_service_pb2.CompleteRequest(
        messages=[
            M(role=message_pb2.ROLE_SYSTEM, parts=[P(text="be brief")]),
            M(role=message_pb2.ROLE_USER, parts=[P(text="a"), P(text="b")]),
            M(
                role=message_pb2.ROLE_ASSISTANT,
                parts=[
                    P(text="let me see"),
                    P(
                        tool_call=message_pb2.ToolCall(
                            call_id="1", name="f", arguments_json='{"x": 1}'
                        )
                    ),
                ],
            ),
            M(
                role=message_pb2.ROLE_TOOL,
                parts=[
                    P(tool_result=message_pb2.ToolResult(call_id="1", text="no", is_error=True))
                ],
            ),
        ],
        request_id="0198c0de-0000-4000-8000-000000000000",
    )
    message.context.user_id, message.context.session_id = "u", "s"
    message.context.tags["team"] = "blue"
    message.overrides.task_type = "code"
    message.overrides.domain = ""
    message.overrides.tone = "neutral"
    message.overrides.complexity = 3  # type: ignore[assignment]
    message.overrides.urgency = 1  # type: ignore[assignment]
    message.overrides.cost_sensitivity = 2  # type: ignore[assignment]
    constraints = message.constraints
    constraints.allowed_models.extend(["a", "b"])
    constraints.excluded_models.append("b")
    constraints.required_capabilities.extend(
        [registry_pb2.CAPABILITY_VISION, registry_pb2.CAPABILITY_VISION]
    )
    constraints.max_cost_usd_nanos = 0
    constraints.max_time_to_first_token.CopyFrom(Duration(seconds=1, nanos=500_000_000))
    constraints.allowed_regions.append("eu")
    generation = message.generation
    generation.max_output_tokens, generation.seed = 1_000_000, -(2**63)
    generation.temperature, generation.top_p = 2.0, 1.0
    generation.stop_sequences.extend(["a", "\n", " ", "é"])
    generation.tools.add(name="f" * 64, description="d", parameters_json_schema="{}")
    generation.response_json_schema = '{"type": "object"}'
    message.execution.hedging = False
    message.execution.hedge_delay.SetInParent()
    message.execution.switch_policy = router_service_pb2.SWITCH_POLICY_RESTART

    request = requests.from_complete(message, CALL, 60.0)
    assert request.messages == (
        Message(Role.SYSTEM, (Text("be brief"),)),
        Message(Role.USER, (Text("a"), Text("b"))),
        Message(Role.ASSISTANT, (Text("let me see"), ToolCall("1", "f", '{"x": 1}'))),
        Message(Role.TOOL, (ToolResult("1", "no", is_error=True),)),
    )
    assert request.context == CallContext("u", "s", {"team": "blue"})
    assert request.overrides == ProfileOverrides(
        "code", "", "neutral", Complexity.HIGH, Urgency.LOW, CostSensitivity.MEDIUM
    )
    assert request.constraints == RoutingConstraints(
        frozenset({"a", "b"}),
        frozenset({"b"}),
        frozenset({Capability.VISION}),
        0,
        1.5,
        frozenset({"eu"}),
    )
    assert request.generation == GenerationOptions(
        1_000_000,
        2.0,
        1.0,
        -(2**63),
        ("a", "\n", " ", "é"),
        (Tool("f" * 64, "d", "{}"),),
        '{"type": "object"}',
    )
    assert request.execution == ExecutionOptions(False, 0.0, SwitchPolicy.RESTART)


@pytest.mark.parametrize("empty", ["temperature", "max_output_tokens", "top_p", "seed"])
def test_zero_is_not_the_same_as_unset(empty: str) -> None:
    unset = router_service_pb2.CompleteRequest(messages=[HELLO])
    assert getattr(requests.from_complete(unset, CALL, 1.0).generation, empty) is None
    zero = router_service_pb2.CompleteRequest(messages=[HELLO])
    setattr(zero.generation, empty, 1)
    assert getattr(requests.from_complete(zero, CALL, 1.0).generation, empty) == 1


def test_a_turn_takes_over_what_was_set_up() -> None:
    setup = router_service_pb2.ChatSetup(history=[HELLO])
    setup.context.user_id = "u"
    setup.constraints.max_cost_usd_nanos = 5
    setup.generation.temperature = 1
    setup.execution.hedging = True
    defaults = requests.from_setup(setup)
    turn = router_service_pb2.ChatTurn(turn_id="1", messages=[HELLO])
    first = requests.from_turn(turn, defaults, defaults.history, CALL, 60.0)
    assert len(first.messages) == 2
    assert first.context.user_id == "u"
    assert first.constraints.max_cost_nanos == 5
    assert first.generation.temperature == 1
    assert first.execution.hedging is True
    assert first.overrides == ProfileOverrides()


def test_a_turns_constraints_replace_those_that_were_set_up() -> None:
    setup = router_service_pb2.ChatSetup()
    setup.constraints.max_cost_usd_nanos = 5
    setup.constraints.allowed_regions.append("eu")
    defaults = requests.from_setup(setup)
    turn = router_service_pb2.ChatTurn(turn_id="1", messages=[HELLO])
    turn.constraints.max_cost_usd_nanos = 7
    turn.overrides.complexity = 1  # type: ignore[assignment]
    request = requests.from_turn(turn, defaults, (), CALL, 60.0)
    assert request.constraints == RoutingConstraints(max_cost_nanos=7)
    assert request.overrides.complexity is Complexity.LOW
    turn.constraints.Clear()
    turn.constraints.SetInParent()
    request = requests.from_turn(turn, defaults, (), CALL, 60.0)
    assert request.constraints == RoutingConstraints()


def test_a_turn_may_bring_the_results_that_the_history_waits_for() -> None:
    history = (
        Message(Role.USER, (Text("go"),)),
        Message(Role.ASSISTANT, (ToolCall("1", "f", ""),)),  # as the model wrote it
    )
    result = P(tool_result=message_pb2.ToolResult(call_id="1", text="42"))
    turn = router_service_pb2.ChatTurn(
        turn_id="1", messages=[M(role=message_pb2.ROLE_TOOL, parts=[result]), HELLO]
    )
    defaults = requests.from_setup(router_service_pb2.ChatSetup())
    request = requests.from_turn(turn, defaults, history, CALL, 60.0)
    assert [m.role for m in request.messages] == [Role.USER, Role.ASSISTANT, Role.TOOL, Role.USER]


def test_what_was_said_as_a_message() -> None:
    call = ToolCall("1", "f", "{}")
    assert answer_message([], []) is None
    assert answer_message(["", ""], []) is None
    assert answer_message(["a", "b"], []) == Message(Role.ASSISTANT, (Text("ab"),))
    assert answer_message([], [call]) == Message(Role.ASSISTANT, (call,))
    assert answer_message(["a"], [call]) == Message(Role.ASSISTANT, (Text("a"), call))


def text(role: Role, characters: int) -> Message:
    return Message(role, (Text("x" * characters),))


def test_a_history_that_fits_is_kept_whole() -> None:
    history = (text(Role.SYSTEM, 10), text(Role.USER, 10), text(Role.ASSISTANT, 10))
    assert recent(history, 30) == history
    assert recent((), 0) == ()


def test_a_history_that_does_not_fit_loses_its_oldest_exchanges_but_not_its_system_prompt() -> None:
    system = text(Role.SYSTEM, 10)
    exchanges = [(text(Role.USER, 10 + i), text(Role.ASSISTANT, 10)) for i in range(4)]
    history = (system, *(m for e in exchanges for m in e))
    assert recent(history, 70) == (system, *exchanges[2], *exchanges[3])
    assert recent(history, 54) == (system, *exchanges[3])
    assert recent(history, 1) == (system, *exchanges[3])


def test_no_tool_result_is_left_without_its_call() -> None:
    call = Message(Role.ASSISTANT, (ToolCall("1", "f", "x" * 100),))
    result = Message(Role.TOOL, (ToolResult("1", "y" * 10),))
    last = (text(Role.USER, 5), text(Role.ASSISTANT, 5))
    history = (text(Role.USER, 5), call, result, text(Role.ASSISTANT, 5), *last)
    assert recent(history, 10_000) == history
    assert recent(history, 100) == last  # the call's arguments count too
    assert recent(history[:4], 10) == history[:4]


@pytest.mark.parametrize("arguments", ["", "{", "[]", "not JSON at all", "[" * 100_000])
def test_what_a_model_wrote_as_arguments_is_taken_back(arguments: str) -> None:
    """Servers pass on what a model wrote, so a client may give it back whatever it is."""
    call = message_pb2.ToolCall(call_id="1", name="f", arguments_json=arguments)
    result = message_pb2.ToolResult(call_id="1", text="no such file")
    conversation = [
        HELLO,
        M(role=message_pb2.ROLE_ASSISTANT, parts=[P(tool_call=call)]),
        M(role=message_pb2.ROLE_TOOL, parts=[P(tool_result=result)]),
    ]
    message = router_service_pb2.CompleteRequest(messages=conversation)
    request = requests.from_complete(message, Call(accepted_at=1.0), 10.0)
    (kept,) = request.messages[1].parts
    assert isinstance(kept, ToolCall)
    assert kept.arguments_json == arguments
