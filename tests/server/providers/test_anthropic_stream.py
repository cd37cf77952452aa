from __future__ import annotations

import json
from itertools import pairwise

import pytest
from answers import (
    anthropic_ending,
    anthropic_event,
    anthropic_events,
    anthropic_start,
    anthropic_text_block,
    anthropic_tool_block,
    sse,
)
from calls import Outcome
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain.attempts import FailureKind, FinishReason
from pointsman_server.domain.messages import ToolCall
from pointsman_server.domain.money import Usage
from pointsman_server.providers.anthropic_stream import MessageStream
from pointsman_server.providers.base import Finish, ProviderError, TextChunk

K = FailureKind


def read(*chunks: bytes) -> Outcome:
    stream = MessageStream()
    outcome = Outcome()
    for chunk in chunks:
        outcome.add(stream.feed(chunk))
    outcome.add(stream.end())
    if stream.finish is not None:
        outcome.add([stream.finish])
    if stream.failure is not None:
        outcome.error = ProviderError(stream.failure, stream.usage)
    return outcome


def failure_kind(outcome: Outcome) -> FailureKind | None:
    return None if outcome.error is None else outcome.error.failure.kind


def test_reads_text_and_finish() -> None:
    outcome = read(*anthropic_events(["Hel", "lo ", "🚆"], prompt=20))
    assert outcome.texts == ["Hel", "lo ", "🚆"]
    assert outcome.finish == Finish(FinishReason.STOP, Usage(20, 0, 3))


def test_all_text_of_one_read_is_one_chunk() -> None:
    stream = MessageStream()
    assert stream.feed(b"".join(anthropic_events(["a", "b", "c"]))) == [TextChunk("abc")]
    assert stream.finish is not None


def test_input_tokens_include_those_read_from_and_written_to_the_cache() -> None:
    outcome = read(
        anthropic_start(input_tokens=10, cache_read=200, cache_creation=30),
        *anthropic_text_block(0, ["x"]),
        *anthropic_ending("end_turn", 7, thinking=4),
    )
    assert outcome.finish == Finish(FinishReason.STOP, Usage(240, 200, 7, 4))


def test_later_usage_is_cumulative_and_replaces_only_what_it_names() -> None:
    outcome = read(
        anthropic_start(input_tokens=10, cache_read=5, output_tokens=1),
        *anthropic_text_block(0, ["x"]),
        anthropic_event("message_delta", delta={}, usage={"output_tokens": 3}),
        anthropic_event(
            "message_delta",
            delta={"stop_reason": "end_turn"},
            usage={"input_tokens": 12, "cache_read_input_tokens": None, "output_tokens": 9},
        ),
        anthropic_event("message_stop"),
    )
    assert outcome.finish == Finish(FinishReason.STOP, Usage(17, 5, 9))


def test_tool_calls_are_put_together_by_block() -> None:
    outcome = read(
        anthropic_start(),
        *anthropic_text_block(0, ["Let me look."]),
        *anthropic_tool_block(1, "toolu_a", "weather", ['{"city": ', '"Bäle"}']),
        *anthropic_tool_block(2, "toolu_b", "now", [""]),
        *anthropic_ending("tool_use", 30),
    )
    assert outcome.text == "Let me look."
    assert outcome.calls == [
        ToolCall("toolu_a", "weather", '{"city": "Bäle"}'),
        ToolCall("toolu_b", "now", "{}"),
    ]
    assert outcome.finish == Finish(FinishReason.TOOL_CALLS, Usage(12, 0, 30))


def test_calls_of_the_providers_own_tools_are_not_the_callers() -> None:
    block = {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": '{"q": 1}'}
    outcome = read(
        anthropic_start(),
        anthropic_event("content_block_start", index=0, content_block=block),
        anthropic_event("content_block_delta", index=0, delta=delta),
        anthropic_event("content_block_stop", index=0),
        *anthropic_text_block(1, ["found"]),
        *anthropic_ending("end_turn", 5),
    )
    assert (outcome.text, outcome.calls) == ("found", [])


def test_a_call_that_the_bound_cut_off_is_not_given_out() -> None:
    outcome = read(
        anthropic_start(),
        *anthropic_tool_block(0, "a", "f", ['{"x": ']),
        *anthropic_ending("max_tokens", 5),
    )
    assert outcome.calls == []
    assert outcome.finish == Finish(FinishReason.MAX_TOKENS, Usage(12, 0, 5))


@pytest.mark.parametrize(
    ("reported", "reason"),
    [
        ("end_turn", FinishReason.STOP),
        ("stop_sequence", FinishReason.STOP),
        ("max_tokens", FinishReason.MAX_TOKENS),
        ("model_context_window_exceeded", FinishReason.MAX_TOKENS),
        ("tool_use", FinishReason.TOOL_CALLS),
        ("refusal", FinishReason.CONTENT_FILTER),
        ("pause_turn", FinishReason.UNKNOWN),
        ("something_new", FinishReason.UNKNOWN),
    ],
)
def test_stop_reasons(reported: str, reason: FinishReason) -> None:
    outcome = read(*anthropic_events(["x"], reported))
    assert outcome.finish is not None
    assert outcome.finish.reason is reason


def test_thinking_is_no_text() -> None:
    thinking = [
        anthropic_event(
            "content_block_start", index=0, content_block={"type": "thinking", "thinking": ""}
        ),
        anthropic_event(
            "content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hmm"}
        ),
        anthropic_event(
            "content_block_delta", index=0, delta={"type": "signature_delta", "signature": "s"}
        ),
        anthropic_event("content_block_stop", index=0),
    ]
    outcome = read(
        anthropic_start(), *thinking, *anthropic_text_block(1, ["42"]),
        *anthropic_ending("end_turn", 9),
    )  # fmt: skip
    assert outcome.texts == ["42"]


def test_text_that_a_block_begins_with_counts() -> None:
    start = anthropic_event(
        "content_block_start", index=0, content_block={"type": "text", "text": "Hi"}
    )
    outcome = read(anthropic_start(), start, *anthropic_ending("end_turn", 1))
    assert outcome.text == "Hi"


@pytest.mark.parametrize(
    "event",
    [
        anthropic_event("ping"),
        anthropic_event("brand_new_event", data={"deep": [1]}),
        anthropic_event("content_block_delta", index=0, delta={"type": "brand_new_delta"}),
        anthropic_event("content_block_start", index=9, content_block={"type": "brand_new"}),
        anthropic_event("content_block_start", index=9),
        anthropic_event("message_delta", delta=None, usage=None),
        b": comment\n\n",
    ],
)
def test_events_that_add_nothing_do_no_harm(event: bytes) -> None:
    events = anthropic_events(["ok"])
    outcome = read(event, *events[:3], event, *events[3:])
    assert outcome.text == "ok"
    assert outcome.finish == Finish(FinishReason.STOP, Usage(12, 0, 1))


@pytest.mark.parametrize("kept", range(1, 8))
def test_only_message_stop_makes_it_whole(kept: int) -> None:
    events = anthropic_events(["a", "b"])
    assert len(events) == 8
    outcome = read(*events[:kept])
    assert failure_kind(outcome) is K.INTERRUPTED
    assert outcome.error is not None
    assert outcome.error.usage is not None
    assert outcome.error.usage.input_tokens == 12


def test_the_terminator_without_a_reason_is_what_a_proxy_sends_after_a_cut() -> None:
    outcome = read(*anthropic_events(["a"])[:4], anthropic_event("message_stop"))
    assert failure_kind(outcome) is K.INTERRUPTED


@pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"type": "message"}', b"\x00\n\n"])
def test_a_body_without_an_answer_is_a_protocol_error(body: bytes) -> None:
    assert failure_kind(read(body)) is K.PROTOCOL


@pytest.mark.parametrize(
    "event",
    [
        sse("not json"),
        sse("[]"),
        sse({"no": "type"}),
        sse({"type": 7}),
        sse({"type": "content_block_delta", "index": "0"}),
        sse({"type": "content_block_delta", "delta": "text"}),
        sse({"type": "content_block_delta", "delta": {"type": "text_delta", "text": 7}}),
        sse({"type": "content_block_start", "content_block": []}),
        b"data: " + b"x" * 2_000_000,
    ],
)
def test_nonsense_is_a_protocol_error_and_the_text_before_it_is_given(event: bytes) -> None:
    outcome = read(b"".join(anthropic_events(["before"])[:4]) + event + b"\n\n")
    assert outcome.text == "before"
    assert failure_kind(outcome) is K.PROTOCOL


@pytest.mark.parametrize(
    ("kind_of_error", "kind"),
    [("overloaded_error", K.OVERLOADED), ("api_error", K.SERVER_ERROR)],
)
def test_an_error_event_ends_it(kind_of_error: str, kind: FailureKind) -> None:
    error = anthropic_event("error", error={"type": kind_of_error, "message": "m"})
    outcome = read(*anthropic_events(["half"])[:4], error)
    assert outcome.text == "half"
    assert failure_kind(outcome) is kind


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": -1},
        {"input_tokens": 10**10},
        {"cache_read_input_tokens": -5},
        {"input_tokens": 0, "output_tokens": 0},
    ],
)
def test_usage_that_cannot_be_true_is_not_believed(usage: dict[str, int]) -> None:
    outcome = read(
        anthropic_start(),
        anthropic_event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage),
        anthropic_event("message_stop"),
    )
    assert outcome.finish == Finish(FinishReason.STOP, None)


def test_usage_of_the_wrong_type_leaves_what_was_known() -> None:
    outcome = read(
        anthropic_start(input_tokens=4, output_tokens=1),
        anthropic_event(
            "message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": "many"}
        ),
        anthropic_event("message_stop"),
    )
    assert outcome.finish == Finish(FinishReason.STOP, Usage(4, 0, 1))


SCRIPTS = [
    b"".join(anthropic_events(["Hel", "lo ", "🚆é", "\r\n"])),
    b"".join(anthropic_events(["a", "b"])).replace(b"\n", b"\r\n"),
    b"".join(
        [
            anthropic_start(),
            *anthropic_text_block(0, ["Let me look."]),
            *anthropic_tool_block(1, "a", "f", ['{"x": ', "1}"]),
            *anthropic_ending("tool_use", 3),
        ]
    ),
    b"".join(anthropic_events(["a", "b"])[:5]),
    b"".join(anthropic_events(["a"])[:4]) + anthropic_event("error", error={"type": "api_error"}),
    b"".join(anthropic_events(["a"])[:4]) + sse("nonsense"),
]


@given(st.sampled_from(SCRIPTS), st.data())
def test_any_chunking_gives_the_same_answer(script: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(script)), max_size=12)))
    edges = [0, *cuts, len(script)]
    split = read(*(script[a:b] for a, b in pairwise(edges)))
    once = read(script)
    assert (split.text, split.calls, split.finish) == (once.text, once.calls, once.finish)
    assert failure_kind(split) is failure_kind(once)


def whole(body: object) -> Outcome:
    stream = MessageStream()
    outcome = Outcome()
    outcome.add(stream.whole(json.dumps(body).encode()))
    if stream.finish is not None:
        outcome.add([stream.finish])
    if stream.failure is not None:
        outcome.error = ProviderError(stream.failure)
    return outcome


def test_an_answer_that_was_not_streamed_is_read_all_the_same() -> None:
    outcome = whole(
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hmm", "signature": "s"},
                {"type": "text", "text": "Hi"},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
            ],
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 3, "output_tokens": 4},
        }
    )
    assert outcome.texts == ["Hi"]
    assert outcome.calls == [ToolCall("a", "f", '{"x": 1}')]
    assert outcome.finish == Finish(FinishReason.TOOL_CALLS, Usage(3, 0, 4))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, K.PROTOCOL),
        ([], K.PROTOCOL),
        ({"type": "completion"}, K.PROTOCOL),
        ({"type": "message", "content": "text"}, K.PROTOCOL),
        ({"type": "message", "content": []}, K.INTERRUPTED),
        ({"type": "error", "error": {"type": "overloaded_error"}}, K.OVERLOADED),
    ],
)
def test_json_that_is_no_answer_is_an_error(body: object, kind: FailureKind) -> None:
    assert failure_kind(whole(body)) is kind
