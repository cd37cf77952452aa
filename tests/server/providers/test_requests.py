"""What both dialects make of a call, checked by the official SDKs' own types."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from anthropic.types.message_create_params import (
    MessageCreateParamsStreaming as AnthropicParams,
)
from calls import model_call, user
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsStreaming as OpenAIParams,
)
from pointsman_server.domain.attempts import FailureKind
from pointsman_server.domain.messages import (
    GenerationOptions,
    Message,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from pointsman_server.providers.anthropic_request import messages_request
from pointsman_server.providers.base import ModelCall, ProviderError
from pointsman_server.providers.openai import default_max_tokens_field
from pointsman_server.providers.openai_request import MaxTokensField, chat_completion_request
from pydantic import TypeAdapter, ValidationError

SCHEMA = '{"type": "object", "properties": {"city": {"type": "string"}}}'
WEATHER = Tool("weather", "Tells the weather.", SCHEMA)

CONVERSATION = (
    Message(Role.SYSTEM, (Text("Be brief."),)),
    user("Weather in Bäle?"),
    Message(
        Role.ASSISTANT,
        (
            Text("Let me look."),
            ToolCall("call_a", "weather", '{"city": "Bäle"}'),
            ToolCall("call_b", "now", ""),
        ),
    ),
    Message(
        Role.TOOL,
        (ToolResult("call_a", "no such city", is_error=True), ToolResult("call_b", "noon")),
    ),
    user("And now?"),
)

EVERYTHING = GenerationOptions(
    temperature=0.5,
    top_p=0.9,
    seed=7,
    stop_sequences=("END",),
    tools=(WEATHER,),
    response_json_schema=SCHEMA,
)

JsonObject = dict[str, Any]


def openai_body(call: ModelCall, field: MaxTokensField = "max_tokens") -> JsonObject:
    body = chat_completion_request(call, max_tokens_field=field, ask_for_usage=True)
    return accepted(OpenAIParams, body)


def anthropic_body(call: ModelCall) -> JsonObject:
    return accepted(AnthropicParams, messages_request(call))


def accepted(params: Any, body: bytes) -> JsonObject:
    """The body, once the SDK's type has taken all of it and knows every top-level name in it."""
    decoded: JsonObject = json.loads(body)
    assert set(decoded) <= known_names(params)
    exhaust(adapter(params).validate_python(decoded))
    return decoded


@cache
def adapter(params: Any) -> TypeAdapter[Any]:
    return TypeAdapter(params)


@cache
def known_names(params: Any) -> frozenset[str]:
    return frozenset(params.__required_keys__ | params.__optional_keys__)


def exhaust(value: Any) -> None:
    """Walk through it all: pydantic checks what is declared as an Iterable only when it is read."""
    if isinstance(value, dict):
        value = value.values()
    elif isinstance(value, str) or not hasattr(value, "__iter__"):
        return
    for item in value:
        exhaust(item)


@pytest.mark.parametrize(
    ("params", "body"),
    [
        (OpenAIParams, {"messages": [{"role": "user"}], "model": "m", "stream": True}),
        (OpenAIParams, {"messages": [], "model": "m", "stream": True, "max_token": 3}),
        (
            AnthropicParams,
            {
                "messages": [{"role": "user", "content": [{"type": "text"}]}],
                "model": "m",
                "max_tokens": 1,
                "stream": True,
            },
        ),
        (
            AnthropicParams,
            {"messages": [], "model": "m", "max_tokens": 1, "stream": True, "temperature": 1},
        ),
    ],
)
def test_the_sdks_types_do_refuse(params: Any, body: JsonObject) -> None:
    with pytest.raises((ValidationError, AssertionError)):
        accepted(params, json.dumps(body).encode())


def test_openai_conversation() -> None:
    body = openai_body(model_call(*CONVERSATION))
    calls = [
        {
            "id": "call_a",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Bäle"}'},
        },
        {"id": "call_b", "type": "function", "function": {"name": "now", "arguments": "{}"}},
    ]
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather in Bäle?"},
        {"role": "assistant", "content": "Let me look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_a", "content": "no such city"},
        {"role": "tool", "tool_call_id": "call_b", "content": "noon"},
        {"role": "user", "content": "And now?"},
    ]


def test_openai_options() -> None:
    body = openai_body(model_call(generation=EVERYTHING, max_output_tokens=99))
    assert body["model"] == "scripted"
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.5, 0.9, 7)
    assert body["stop"] == ["END"]
    assert body["max_tokens"] == 99
    assert "max_completion_tokens" not in body
    function = {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": json.loads(SCHEMA),
    }
    assert body["tools"] == [{"type": "function", "function": function}]
    json_schema = {"name": "response", "schema": json.loads(SCHEMA)}
    assert body["response_format"] == {"type": "json_schema", "json_schema": json_schema}


def test_openai_leaves_out_what_is_not_asked_for() -> None:
    body = chat_completion_request(
        model_call(), max_tokens_field="max_completion_tokens", ask_for_usage=False
    )
    assert accepted(OpenAIParams, body) == {
        "model": "scripted",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "max_completion_tokens": 64,
    }


def test_an_assistant_that_only_calls_has_null_content() -> None:
    message = Message(Role.ASSISTANT, (ToolCall("a", "f", "{}"),))
    body = openai_body(model_call(user("x"), message))
    assert body["messages"][1]["content"] is None


def test_parts_of_text_are_joined_as_the_rest_of_the_server_reads_them() -> None:
    message = Message(Role.USER, (Text("a"), Text("b")))
    assert openai_body(model_call(message))["messages"][0]["content"] == message.text


@pytest.mark.parametrize(
    ("base_url", "field"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://API.OpenAI.com/v1", "max_completion_tokens"),
        ("https://api.openai.com.example/v1", "max_tokens"),
        ("http://localhost:8080/v1", "max_tokens"),
    ],
)
def test_the_name_of_the_bound_follows_the_address(base_url: str, field: str) -> None:
    assert default_max_tokens_field(base_url) == field


def test_anthropic_conversation() -> None:
    later = Message(Role.SYSTEM, (Text("Be kind."),))
    body = anthropic_body(model_call(*CONVERSATION, later))
    assert body["system"] == "Be brief.\n\nBe kind."
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Weather in Bäle?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "call_a", "name": "weather", "input": {"city": "Bäle"}},
                {"type": "tool_use", "id": "call_b", "name": "now", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "call_a",
                    "content": "no such city",
                    "is_error": True,
                },
                {
                    "type": "tool_result",
                    "tool_use_id": "call_b",
                    "content": "noon",
                    "is_error": False,
                },
                {"type": "text", "text": "And now?"},
            ],
        },
    ]


def test_anthropic_options_without_what_the_api_refuses() -> None:
    body = anthropic_body(model_call(generation=EVERYTHING, max_output_tokens=99))
    del body["messages"]
    assert body == {
        "model": "scripted",
        "max_tokens": 99,
        "stream": True,
        "stop_sequences": ["END"],
        "tools": [
            {
                "name": "weather",
                "description": "Tells the weather.",
                "input_schema": json.loads(SCHEMA),
            }
        ],
        "output_config": {"format": {"type": "json_schema", "schema": json.loads(SCHEMA)}},
    }


def test_anthropic_leaves_out_what_is_not_asked_for() -> None:
    assert anthropic_body(model_call()) == {
        "model": "scripted",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        "stream": True,
    }


def test_anthropic_refuses_empty_texts_so_they_are_left_out() -> None:
    empty = Message(Role.ASSISTANT, (Text(""),))
    body = anthropic_body(model_call(user("a"), empty, user("b"), Message(Role.USER, ())))
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert body["messages"] == [{"role": "user", "content": texts}]


def test_results_of_tools_come_first_in_their_turn() -> None:
    body = anthropic_body(model_call(user("x"), Message(Role.TOOL, (ToolResult("a", "1"),))))
    assert [block["type"] for block in body["messages"][0]["content"]] == ["tool_result", "text"]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("", {}),
        (" ", {}),
        ('{"a": 1}', {"a": 1}),
        ('{"a": ', {"invalid_arguments": '{"a": '}),
        ("[1]", {"invalid_arguments": "[1]"}),
        ("[" * 50_000, {"invalid_arguments": "[" * 50_000}),
    ],
)
def test_arguments_that_are_no_object_do_not_cost_the_conversation(
    written: str, sent: JsonObject
) -> None:
    call = Message(Role.ASSISTANT, (ToolCall("a", "f", written),))
    assert anthropic_body(model_call(user("x"), call))["messages"][1]["content"][0]["input"] == sent


BAD_SCHEMAS = ["{", "[]", "7", '{"a": 1} {"b": 2}', '{"a": 1}, "temperature": 2', "[" * 50_000]


@pytest.mark.parametrize("schema", BAD_SCHEMAS)
@pytest.mark.parametrize("where", ["tool", "response"])
def test_a_schema_that_is_no_object_is_rejected(schema: str, where: str) -> None:
    generation = (
        GenerationOptions(tools=(Tool("t", "", schema),))
        if where == "tool"
        else GenerationOptions(response_json_schema=schema)
    )
    call = model_call(generation=generation)
    for write in (openai_body, anthropic_body):
        with pytest.raises(ProviderError) as raised:
            write(call)
        assert raised.value.failure.kind is FailureKind.REJECTED
        assert not raised.value.failure.kind.transient


def test_a_tool_without_parameters_needs_no_schema() -> None:
    call = model_call(generation=GenerationOptions(tools=(Tool("now", "", ""),)))
    nothing = {"type": "object", "properties": {}}
    assert openai_body(call)["tools"][0]["function"]["parameters"] == nothing
    assert anthropic_body(call)["tools"] == [{"name": "now", "input_schema": nothing}]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
PARTS = st.one_of(
    TEXTS.map(Text),
    st.builds(ToolCall, TEXTS, TEXTS, TEXTS),
    st.builds(ToolResult, TEXTS, TEXTS, st.booleans()),
)
MESSAGES = st.builds(Message, st.sampled_from(Role), st.lists(PARTS, max_size=4).map(tuple))


@given(st.lists(MESSAGES, min_size=1, max_size=6))
def test_any_conversation_is_one_that_the_sdks_take(messages: list[Message]) -> None:
    openai_body(model_call(*messages))
    turns = anthropic_body(model_call(*messages))["messages"]
    roles = [turn["role"] for turn in turns]
    assert all(a != b for a, b in pairwise(roles))
