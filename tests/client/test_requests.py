"""What callers write becomes the API's messages, and what they leave out stays unset."""

from __future__ import annotations

import json

import pytest
from pointsman.v1.classification_pb2 import Complexity, CostSensitivity, Urgency
from pointsman.v1.message_pb2 import Message, Part, Role, ToolCall
from pointsman.v1.registry_pb2 import Capability
from pointsman.v1.router_service_pb2 import SwitchPolicy
from pointsman_client import (
    Constraints,
    Context,
    Execution,
    Generation,
    Overrides,
    Prompt,
    Tool,
    messages,
)


@pytest.mark.parametrize("group", [Constraints, Context, Execution, Generation, Overrides])
def test_nothing_set_sends_nothing(group: type[Constraints]) -> None:
    assert group().to_proto().SerializeToString() == b""


def test_constraints() -> None:
    sent = Constraints(
        models=("a", "b"),
        exclude=("c",),
        capabilities=("tool_use", "reasoning"),
        max_cost_usd=0.01,
        max_time_to_first_token_s=1.5,
        regions=("eu",),
    ).to_proto()
    assert list(sent.allowed_models) == ["a", "b"]
    assert list(sent.excluded_models) == ["c"]
    assert list(sent.required_capabilities) == [
        Capability.CAPABILITY_TOOL_USE,
        Capability.CAPABILITY_REASONING,
    ]
    assert sent.max_cost_usd_nanos == 10_000_000
    assert sent.max_time_to_first_token.ToMilliseconds() == 1500
    assert list(sent.allowed_regions) == ["eu"]


def test_zero_is_not_the_same_as_unset() -> None:
    assert Constraints(max_cost_usd=0).to_proto().HasField("max_cost_usd_nanos")
    assert Generation(temperature=0.0).to_proto().HasField("temperature")
    assert Generation(seed=0).to_proto().HasField("seed")
    assert Execution(hedging=False).to_proto().HasField("hedging")
    assert Execution(allow_cached=False).to_proto().HasField("allow_cached")
    assert Execution(hedge_delay_s=0.0).to_proto().HasField("hedge_delay")
    assert Overrides(tone="").to_proto().HasField("tone")


def test_generation() -> None:
    schema = {"type": "object", "title": "größe"}
    sent = Generation(
        max_output_tokens=100,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        stop_sequences=("END",),
        tools=(Tool("look_up", schema, "Looks up."), Tool("ping", "{}")),
        json_schema=schema,
    ).to_proto()
    assert (sent.max_output_tokens, sent.temperature, sent.top_p, sent.seed) == (100, 0.5, 0.9, 7)
    assert list(sent.stop_sequences) == ["END"]
    look_up, ping = sent.tools
    assert (look_up.name, look_up.description) == ("look_up", "Looks up.")
    assert json.loads(look_up.parameters_json_schema) == schema
    assert ping.parameters_json_schema == "{}"
    assert json.loads(sent.response_json_schema) == schema


def test_execution_and_context() -> None:
    sent = Execution(hedging=True, hedge_delay_s=0.25, switch_policy="restart").to_proto()
    assert sent.hedging
    assert sent.hedge_delay.ToMilliseconds() == 250
    assert sent.switch_policy == SwitchPolicy.SWITCH_POLICY_RESTART
    assert not sent.HasField("allow_cached")
    context = Context(user_id="u", session_id="s", tags={"team": "x"}).to_proto()
    assert (context.user_id, context.session_id, dict(context.tags)) == ("u", "s", {"team": "x"})


def test_overrides() -> None:
    sent = Overrides(
        task_type="code",
        domain="law",
        tone="formal",
        complexity="high",
        urgency="normal",
        cost_sensitivity="low",
    ).to_proto()
    assert (sent.task_type, sent.domain, sent.tone) == ("code", "law", "formal")
    assert sent.complexity == Complexity.COMPLEXITY_HIGH
    assert sent.urgency == Urgency.URGENCY_NORMAL
    assert sent.cost_sensitivity == CostSensitivity.COST_SENSITIVITY_LOW


def test_a_word_that_the_api_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="COMPLEXITY_EXTREME"):
        Overrides(complexity="extreme").to_proto()  # type: ignore[arg-type]


USER = Message(role=Role.ROLE_USER, parts=[Part(text="Hello")])
SYSTEM = Message(role=Role.ROLE_SYSTEM, parts=[Part(text="Be brief.")])


@pytest.mark.parametrize("prompt", ["Hello", USER, [USER], (USER,)])
def test_a_prompt_is_words_a_message_or_a_conversation(prompt: Prompt) -> None:
    assert messages.conversation(prompt) == [USER]
    assert messages.conversation(prompt, "Be brief.") == [SYSTEM, USER]


def test_messages_of_every_role() -> None:
    call = ToolCall(call_id="1", name="look_up", arguments_json="{}")
    assert messages.system("Be brief.") == SYSTEM
    assert messages.user("Hello") == USER
    said = messages.assistant("Let me see.", [call])
    assert said.role == Role.ROLE_ASSISTANT
    assert [part.WhichOneof("content") for part in said.parts] == ["text", "tool_call"]
    assert len(messages.assistant("", [call]).parts) == 1
    result = messages.tool_result("1", "no such file", is_error=True)
    assert result.role == Role.ROLE_TOOL
    answer = result.parts[0].tool_result
    assert (answer.call_id, answer.text, answer.is_error) == ("1", "no such file", True)
