"""The official SDKs, pointed at the same server, read the same answer and are asked the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import anthropic
import openai
import pytest
from answers import (
    anthropic_ending,
    anthropic_event,
    anthropic_events,
    anthropic_start,
    anthropic_text_block,
    anthropic_tool_block,
    openai_chunk,
    openai_events,
    openai_tool_piece,
    openai_usage,
    paced,
    sse,
)
from calls import Outcome, model_call, outcome_of
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
from pointsman_server.providers.anthropic import AnthropicProvider
from pointsman_server.providers.openai import OpenAIProvider
from pointsman_server.upstream.settings import UpstreamSettings
from upstream import Reply, Send, Step, Upstream
from upstream import whole as whole_reply

KEY = "sk-test"

OPENAI_SCRIPTS = {
    "text": openai_events(["Hel", "lo ", "🚆"]),
    "usage": openai_events(["x"], prompt=50, cached=40, reasoning=7),
    "length": openai_events(["x"], "length"),
    "filtered": openai_events(["x"], "content_filter"),
    "tools": [
        openai_chunk({"role": "assistant", "content": "Let me look."}),
        openai_tool_piece(0, "call_a", "weather", ""),
        openai_tool_piece(0, "", "", '{"city": "Bä'),
        openai_tool_piece(0, "", "", 'le"}'),
        openai_tool_piece(1, "call_b", "now", "{}"),
        openai_chunk({}, "tool_calls"),
        openai_usage(30, 12),
        sse("[DONE]"),
    ],
    "crlf": [event.replace(b"\n", b"\r\n") for event in openai_events(["a", "b"])],
    "comments": [b": hello\n\n", *openai_events(["a"])],
    "reasoning": [
        openai_chunk({"reasoning_content": "hmm"}),
        *openai_events(["42"], reasoning=3),
    ],
}

ANTHROPIC_SCRIPTS = {
    "text": anthropic_events(["Hel", "lo ", "🚆"]),
    "usage": [
        anthropic_start(10, cache_read=200, cache_creation=30),
        *anthropic_text_block(0, ["x"]),
        *anthropic_ending("end_turn", 9, thinking=5),
    ],
    "length": anthropic_events(["x"], "max_tokens"),
    "filtered": anthropic_events(["x"], "refusal"),
    "tools": [
        anthropic_start(),
        *anthropic_text_block(0, ["Let me look."]),
        *anthropic_tool_block(1, "toolu_a", "weather", ['{"city": "Bä', 'le"}']),
        *anthropic_tool_block(2, "toolu_b", "now", []),
        *anthropic_ending("tool_use", 12),
    ],
    "crlf": [event.replace(b"\n", b"\r\n") for event in anthropic_events(["a", "b"])],
    "thinking": [
        anthropic_start(),
        anthropic_event(
            "content_block_start",
            index=0,
            content_block={"type": "thinking", "thinking": "", "signature": ""},
        ),
        anthropic_event(
            "content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hmm"}
        ),
        anthropic_event(
            "content_block_delta", index=0, delta={"type": "signature_delta", "signature": "s"}
        ),
        anthropic_event("content_block_stop", index=0),
        *anthropic_text_block(1, ["42"]),
        *anthropic_ending("stop_sequence", 20, thinking=18),
    ],
}

OPENAI_REASONS = {
    "stop": "stop",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
ANTHROPIC_REASONS = {
    "stop": {"end_turn", "stop_sequence"},
    "max_tokens": {"max_tokens"},
    "tool_calls": {"tool_use"},
    "content_filter": {"refusal"},
}


@dataclass
class Read:
    """What an SDK read."""

    text: str = ""
    calls: list[tuple[str, str, object]] = field(default_factory=list)
    reason: str | None = None
    usage: tuple[int, int, int, int] | None = None


def ours(outcome: Outcome) -> Read:
    assert outcome.finish is not None
    usage = outcome.finish.usage
    assert usage is not None
    return Read(
        outcome.text,
        [(call.call_id, call.name, json.loads(call.arguments_json)) for call in outcome.calls],
        outcome.finish.reason.value,
        (
            usage.input_tokens,
            usage.cached_input_tokens,
            usage.output_tokens,
            usage.reasoning_tokens,
        ),
    )


@pytest.fixture
async def openai_sdk(upstream: Upstream) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{upstream.url}/v1", api_key=KEY, max_retries=0
    ) as client:
        yield client


@pytest.fixture
async def openai_provider(upstream: Upstream) -> AsyncIterator[OpenAIProvider]:
    made = OpenAIProvider("mine", UpstreamSettings(f"{upstream.url}/v1"), KEY)
    yield made
    await made.close()


@pytest.fixture
async def anthropic_sdk(upstream: Upstream) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=upstream.url, api_key=KEY, max_retries=0
    ) as client:
        yield client


@pytest.fixture
async def anthropic_provider(upstream: Upstream) -> AsyncIterator[AnthropicProvider]:
    made = AnthropicProvider("mine", UpstreamSettings(upstream.url), KEY)
    yield made
    await made.close()


def replies(events: list[bytes], pacing: str) -> Reply:
    """The events in one send, each in its own, or cut every seven bytes."""
    data = b"".join(events)
    steps: list[Step] = [Send(data)]
    if pacing == "event by event":
        steps = paced(events, 0.001)
    elif pacing == "in scraps":
        steps = [Send(data[at : at + 7]) for at in range(0, len(data), 7)]
    return Reply(steps)


PACINGS = ["at once", "event by event", "in scraps"]


async def read_by_openai(sdk: openai.AsyncOpenAI) -> Read:
    read = Read()
    calls: dict[int, list[str]] = {}
    stream = await sdk.chat.completions.create(
        model="scripted",
        messages=[{"role": "user", "content": "Hello"}],
        max_tokens=64,
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in stream:
        if chunk.usage is not None:
            prompt, completion = chunk.usage.prompt_tokens_details, chunk.usage
            details = completion.completion_tokens_details
            read.usage = (
                completion.prompt_tokens,
                (prompt.cached_tokens if prompt else None) or 0,
                completion.completion_tokens,
                (details.reasoning_tokens if details else None) or 0,
            )
        for choice in chunk.choices:
            read.text += choice.delta.content or ""
            read.reason = choice.finish_reason or read.reason
            for piece in choice.delta.tool_calls or ():
                call = calls.setdefault(piece.index, ["", "", ""])
                call[0] += piece.id or ""
                if piece.function is not None:
                    call[1] += piece.function.name or ""
                    call[2] += piece.function.arguments or ""
    read.calls = [(call[0], call[1], json.loads(call[2])) for call in calls.values()]
    return read


@pytest.mark.parametrize("pacing", PACINGS)
@pytest.mark.parametrize("script", OPENAI_SCRIPTS)
async def test_openais_sdk_reads_the_same(
    upstream: Upstream,
    openai_sdk: openai.AsyncOpenAI,
    openai_provider: OpenAIProvider,
    script: str,
    pacing: str,
) -> None:
    upstream.enqueue(*[replies(OPENAI_SCRIPTS[script], pacing)] * 2)
    theirs = await read_by_openai(openai_sdk)
    mine = ours(await outcome_of(openai_provider.stream(model_call())))
    assert mine.reason is not None
    mine.reason = OPENAI_REASONS[mine.reason]
    assert mine == theirs
    first, second = upstream.requests
    assert first.json == second.json
    assert first.path == second.path
    assert first.headers["authorization"] == second.headers["authorization"]


async def read_by_anthropic(sdk: anthropic.AsyncAnthropic) -> Read:
    async with sdk.messages.stream(
        model="scripted", messages=[{"role": "user", "content": "Hello"}], max_tokens=64
    ) as stream:
        message = await stream.get_final_message()
    usage = message.usage
    read = Read(reason=message.stop_reason)
    for block in message.content:
        if block.type == "text":
            read.text += block.text
        elif block.type == "tool_use":
            read.calls.append((block.id, block.name, block.input))
    cached = usage.cache_read_input_tokens or 0
    details = usage.output_tokens_details
    read.usage = (
        usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0),
        cached,
        usage.output_tokens,
        details.thinking_tokens if details else 0,
    )
    return read


@pytest.mark.parametrize("pacing", PACINGS)
@pytest.mark.parametrize("script", ANTHROPIC_SCRIPTS)
async def test_anthropics_sdk_reads_the_same(
    upstream: Upstream,
    anthropic_sdk: anthropic.AsyncAnthropic,
    anthropic_provider: AnthropicProvider,
    script: str,
    pacing: str,
) -> None:
    upstream.enqueue(*[replies(ANTHROPIC_SCRIPTS[script], pacing)] * 2)
    theirs = await read_by_anthropic(anthropic_sdk)
    mine = ours(await outcome_of(anthropic_provider.stream(model_call())))
    assert mine.reason is not None
    assert theirs.reason in ANTHROPIC_REASONS[mine.reason]
    theirs.reason = mine.reason
    assert mine == theirs
    first, second = upstream.requests
    assert first.path == second.path == "/v1/messages"
    for header in ("authorization", "anthropic-version"):
        assert first.headers[header] == second.headers[header]


SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
CONVERSATION = (
    Message(Role.SYSTEM, (Text("Be brief."),)),
    Message(Role.USER, (Text("Weather in Bäle?"),)),
    Message(Role.ASSISTANT, (ToolCall("call_a", "weather", '{"city": "Bäle"}'),)),
    Message(Role.TOOL, (ToolResult("call_a", "rain"),)),
)
GENERATION = GenerationOptions(
    seed=7,
    stop_sequences=("END",),
    tools=(Tool("weather", "Tells the weather.", json.dumps(SCHEMA)),),
    response_json_schema=json.dumps(SCHEMA),
)


async def test_openais_sdk_sends_the_same(
    upstream: Upstream, openai_sdk: openai.AsyncOpenAI, openai_provider: OpenAIProvider
) -> None:
    upstream.default = lambda _: Reply((Send(b"".join(openai_events(["x"]))),))
    await outcome_of(openai_provider.stream(model_call(*CONVERSATION, generation=GENERATION)))
    stream = await openai_sdk.chat.completions.create(
        model="scripted",
        max_tokens=64,
        seed=7,
        stop=["END"],
        stream=True,
        stream_options={"include_usage": True},
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Weather in Bäle?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_a",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Bäle"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_a", "content": "rain"},
        ],
        tools=[
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "Tells the weather.",
                    "parameters": SCHEMA,
                },
            }
        ],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "response", "schema": SCHEMA},
        },
    )
    async for _ in stream:
        pass
    mine, theirs = upstream.requests
    assert mine.json == theirs.json


async def test_anthropics_sdk_sends_the_same(
    upstream: Upstream,
    anthropic_sdk: anthropic.AsyncAnthropic,
    anthropic_provider: AnthropicProvider,
) -> None:
    upstream.default = lambda _: Reply((Send(b"".join(anthropic_events(["x"]))),))
    await outcome_of(anthropic_provider.stream(model_call(*CONVERSATION, generation=GENERATION)))
    stream = await anthropic_sdk.messages.create(
        model="scripted",
        max_tokens=64,
        stream=True,
        stop_sequences=["END"],
        system="Be brief.",
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "Weather in Bäle?"}]},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": "call_a",
                        "name": "weather",
                        "input": {"city": "Bäle"},
                    }
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_a",
                        "content": "rain",
                        "is_error": False,
                    }
                ],
            },
        ],
        tools=[{"name": "weather", "description": "Tells the weather.", "input_schema": SCHEMA}],
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
    )
    async for _ in stream:
        pass
    mine, theirs = upstream.requests
    assert mine.json == theirs.json


OPENAI_REFUSALS = {
    401: (openai.AuthenticationError, FailureKind.AUTHENTICATION),
    404: (openai.NotFoundError, FailureKind.MODEL_NOT_FOUND),
    429: (openai.RateLimitError, FailureKind.RATE_LIMITED),
    500: (openai.InternalServerError, FailureKind.SERVER_ERROR),
}


@pytest.mark.parametrize("status", OPENAI_REFUSALS)
async def test_openais_sdk_sees_the_same_refusals(
    upstream: Upstream,
    openai_sdk: openai.AsyncOpenAI,
    openai_provider: OpenAIProvider,
    status: int,
) -> None:
    error, kind = OPENAI_REFUSALS[status]
    body = {"error": {"message": "the model", "type": "x", "param": "model", "code": None}}
    upstream.enqueue(*[whole_reply(json.dumps(body), status)] * 2)
    with pytest.raises(error):
        await read_by_openai(openai_sdk)
    outcome = await outcome_of(openai_provider.stream(model_call()))
    assert outcome.error is not None
    assert outcome.error.failure.kind is kind


ANTHROPIC_REFUSALS = [
    (401, "authentication_error", None, anthropic.AuthenticationError, FailureKind.AUTHENTICATION),
    (402, "billing_error", None, anthropic.PaymentRequiredError, FailureKind.OUT_OF_CREDIT),
    (404, "not_found_error", None, anthropic.NotFoundError, FailureKind.MODEL_NOT_FOUND),
    (413, "request_too_large", None, anthropic.ContentTooLargeError, FailureKind.CONTEXT_TOO_LONG),
    (429, "rate_limit_error", None, anthropic.RateLimitError, FailureKind.RATE_LIMITED),
    (
        429,
        "rate_limit_error",
        "enforced_spend_limit_reached",
        anthropic.RateLimitError,
        FailureKind.OUT_OF_CREDIT,
    ),
    (529, "overloaded_error", None, anthropic.OverloadedError, FailureKind.OVERLOADED),
]


@pytest.mark.parametrize(("status", "name", "code", "error", "kind"), ANTHROPIC_REFUSALS)
async def test_anthropics_sdk_sees_the_same_refusals(
    upstream: Upstream,
    anthropic_sdk: anthropic.AsyncAnthropic,
    anthropic_provider: AnthropicProvider,
    status: int,
    name: str,
    code: str | None,
    error: type[anthropic.APIStatusError],
    kind: FailureKind,
) -> None:
    fields: dict[str, object] = {"type": name, "message": "m"}
    if code is not None:
        fields["details"] = {"error_code": code}
    body = json.dumps({"type": "error", "error": fields, "request_id": "req_1"})
    upstream.enqueue(*[whole_reply(body, status)] * 2)
    with pytest.raises(error) as raised:
        await read_by_anthropic(anthropic_sdk)
    assert raised.value.error_code == code
    outcome = await outcome_of(anthropic_provider.stream(model_call()))
    assert outcome.error is not None
    assert outcome.error.failure.kind is kind


async def test_openais_sdk_takes_a_cut_stream_for_whole_and_the_provider_does_not(
    upstream: Upstream, openai_sdk: openai.AsyncOpenAI, openai_provider: OpenAIProvider
) -> None:
    cut = Reply((Send(b"".join(openai_events(["a", "b", "c"])[:3])),), framing="close")
    upstream.enqueue(cut, cut)
    assert (await read_by_openai(openai_sdk)).text == "ab"
    outcome = await outcome_of(openai_provider.stream(model_call()))
    assert outcome.text == "ab"
    assert outcome.error is not None
    assert outcome.error.failure.kind is FailureKind.INTERRUPTED
