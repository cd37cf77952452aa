from __future__ import annotations

import json
from itertools import pairwise

import pytest
from answers import openai_chunk, openai_events, openai_tool_piece, openai_usage, sse
from calls import Outcome
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain.attempts import FailureKind, FinishReason
from pointsman_server.domain.messages import ToolCall
from pointsman_server.domain.money import Usage
from pointsman_server.providers.base import Finish, ProviderError, TextChunk
from pointsman_server.providers.openai_stream import ChatCompletionStream
from pointsman_server.providers.sse import DEFAULT_MAX_EVENT_BYTES

K = FailureKind
DONE = sse("[DONE]")


def read(*chunks: bytes, end: bool = True) -> Outcome:
    stream = ChatCompletionStream()
    outcome = Outcome()
    for chunk in chunks:
        outcome.add(stream.feed(chunk))
    if end:
        outcome.add(stream.end())
    if stream.finish is not None:
        outcome.add([stream.finish])
    if stream.failure is not None:
        outcome.error = ProviderError(stream.failure, stream.usage)
    return outcome


def failure_kind(outcome: Outcome) -> FailureKind | None:
    return None if outcome.error is None else outcome.error.failure.kind


def test_reads_text_usage_and_finish() -> None:
    events = openai_events(["Hel", "lo ", "🚆"], prompt=20, cached=8, reasoning=5)
    outcome = read(*events)
    assert outcome.texts == ["Hel", "lo ", "🚆"]
    usage = Usage(input_tokens=20, cached_input_tokens=8, output_tokens=8, reasoning_tokens=5)
    assert outcome.finish == Finish(FinishReason.STOP, usage)


def test_all_text_of_one_read_is_one_chunk() -> None:
    stream = ChatCompletionStream()
    assert stream.feed(b"".join(openai_events(["a", "b", "c"]))) == [TextChunk("abc")]
    assert stream.finish is not None


def tool_events() -> list[bytes]:
    return [
        openai_chunk({"role": "assistant", "content": None}),
        openai_tool_piece(0, "call_a", "weather", ""),
        openai_tool_piece(0, "", "", '{"city": "Bä'),
        openai_tool_piece(1, "call_b", "time", "{}"),
        openai_tool_piece(0, "", "", 'le"}'),
        openai_chunk({}, "tool_calls"),
        openai_usage(9, 4),
        DONE,
    ]


def test_tool_calls_are_put_together_by_index() -> None:
    outcome = read(*tool_events())
    assert outcome.calls == [
        ToolCall("call_a", "weather", '{"city": "Bäle"}'),
        ToolCall("call_b", "time", "{}"),
    ]
    assert outcome.finish == Finish(FinishReason.TOOL_CALLS, Usage(9, 0, 4))


@pytest.mark.parametrize("index", [0, None])
def test_calls_that_share_an_index_or_have_none_are_told_apart_by_id(index: int | None) -> None:
    pieces = [
        {"index": index, "id": f"call_{n}", "function": {"name": "f", "arguments": f"{n}"}}
        for n in range(2)
    ]
    more = {"index": index, "function": {"arguments": "7"}}
    outcome = read(
        openai_chunk({"tool_calls": pieces}), openai_chunk({"tool_calls": [more]}, "stop"), DONE
    )
    assert outcome.calls == [ToolCall("call_0", "f", "0"), ToolCall("call_1", "f", "17")]
    assert outcome.finish is not None
    assert outcome.finish.reason is FinishReason.TOOL_CALLS


def test_a_call_without_id_or_arguments_gets_what_a_caller_needs() -> None:
    outcome = read(openai_tool_piece(0, "", "now", ""), openai_chunk({}, "tool_calls"), DONE)
    assert outcome.calls == [ToolCall("call_0", "now", "{}")]


def test_a_call_that_the_bound_cut_off_is_not_given_out() -> None:
    outcome = read(
        openai_tool_piece(0, "a", "whole", "{}"),
        openai_tool_piece(1, "b", "cut", '{"x": '),
        openai_chunk({}, "length"),
        DONE,
    )
    assert [call.name for call in outcome.calls] == ["whole"]
    assert outcome.finish is not None
    assert outcome.finish.reason is FinishReason.MAX_TOKENS


@pytest.mark.parametrize(
    "pieces",
    [
        [openai_tool_piece(0, "a", "", "{}")],
        [openai_tool_piece(n, f"id{n}", "f", "") for n in range(129)],
        [openai_tool_piece(0, "a", "f", "x" * 900_000) for _ in range(5)],
    ],
    ids=["no name", "too many", "too long"],
)
def test_tool_calls_that_make_no_sense_are_a_protocol_error(pieces: list[bytes]) -> None:
    assert failure_kind(read(*pieces, openai_chunk({}, "tool_calls"), DONE)) is K.PROTOCOL


@pytest.mark.parametrize(
    ("reported", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.MAX_TOKENS),
        ("model_length", FinishReason.MAX_TOKENS),
        ("tool_calls", FinishReason.TOOL_CALLS),
        ("function_call", FinishReason.TOOL_CALLS),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("something_new", FinishReason.UNKNOWN),
    ],
)
def test_finish_reasons(reported: str, reason: FinishReason) -> None:
    outcome = read(openai_chunk({"content": "x"}), openai_chunk({}, reported), DONE)
    assert outcome.finish == Finish(reason, None)


def test_a_refusal_is_text_and_counts_as_filtered() -> None:
    outcome = read(openai_chunk({"refusal": "I cannot."}), openai_chunk({}, "stop"), DONE)
    assert outcome.text == "I cannot."
    assert outcome.finish == Finish(FinishReason.CONTENT_FILTER, None)


def test_reasoning_is_no_text() -> None:
    outcome = read(
        openai_chunk({"reasoning_content": "hmm", "reasoning": "hmm"}),
        openai_chunk({"content": "42"}, "stop"),
        openai_usage(3, 9, reasoning=8),
        DONE,
    )
    assert outcome.texts == ["42"]
    assert outcome.finish == Finish(FinishReason.STOP, Usage(3, 0, 9, 8))


def test_mistrals_lists_of_content_are_read() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    outcome = read(openai_chunk({"content": content}, "stop"), DONE)
    assert outcome.text == "ab"


def test_mistrals_finish_by_error_is_an_error() -> None:
    outcome = read(openai_chunk({"content": "x"}), openai_chunk({}, "error"), DONE)
    assert outcome.text == "x"
    assert failure_kind(outcome) is K.SERVER_ERROR


def test_other_choices_than_the_first_are_ignored() -> None:
    other = sse({"choices": [{"index": 1, "delta": {"content": "B"}, "finish_reason": "stop"}]})
    assert failure_kind(read(openai_chunk({"content": "A"}), other, DONE)) is K.INTERRUPTED


@pytest.mark.parametrize(
    "chunk",
    [
        sse({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}),
        sse({"choices": None}),
        sse({"choices": [{"delta": None, "finish_reason": None}]}),
        sse({"choices": [{"index": None, "delta": {"tool_calls": None}}], "usage": None}),
        sse({"choices": [{"delta": {"content": None}}], "error": None}),
        b": keep-alive\n\n",
        b"\r\n",
        b"event: message\n\n",
        sse({}),
    ],
)
def test_chunks_that_add_nothing_do_no_harm(chunk: bytes) -> None:
    events = openai_events(["ok"])
    outcome = read(chunk, events[0], chunk, *events[1:])
    assert outcome.text == "ok"
    assert outcome.finish is not None


def test_the_end_of_the_body_completes_a_stream_that_gave_its_reason() -> None:
    assert read(*openai_events(["x"])[:-1]).finish is not None


@pytest.mark.parametrize("last", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\n\n"])
def test_the_terminator_needs_no_blank_line_at_the_end(last: bytes) -> None:
    assert read(*openai_events(["x"])[:-1], last).finish is not None


@pytest.mark.parametrize("kept", range(1, 4))
def test_a_stream_that_was_cut_is_interrupted(kept: int) -> None:
    outcome = read(*openai_events(["a", "b", "c"])[:kept])
    assert failure_kind(outcome) is K.INTERRUPTED
    assert outcome.finish is None


def test_a_stream_that_was_cut_anywhere_before_its_reason_is_interrupted() -> None:
    events = openai_events(["a", "b"])
    first, before_reason = len(events[0]), len(b"".join(events[:3]))
    stream = b"".join(events)
    for at in range(before_reason):
        outcome = read(stream[:at])
        # Before anything was said, there is no answer that could be interrupted.
        assert failure_kind(outcome) is (K.PROTOCOL if at < first - 2 else K.INTERRUPTED), at
        assert outcome.finish is None


def test_the_terminator_without_a_reason_is_what_a_proxy_sends_after_a_cut() -> None:
    outcome = read(*openai_events(["a", "b"])[:2], DONE)
    assert outcome.text == "a"
    assert failure_kind(outcome) is K.INTERRUPTED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        DONE,
        b"<!doctype html><html><body>Sign in</body></html>",
        b'{"id": "chatcmpl-1", "choices": []}',
        b"\x00\xff\xfe",
        b": only comments\n\n",
    ],
)
def test_a_body_without_an_answer_is_a_protocol_error(body: bytes) -> None:
    assert failure_kind(read(body)) is K.PROTOCOL


@pytest.mark.parametrize(
    "event",
    [
        sse("not json"),
        sse("[]"),
        sse("7"),
        sse({"choices": {}}),
        sse({"choices": [[]]}),
        sse({"choices": [{"delta": "text"}]}),
        sse({"choices": [{"delta": {"content": 7}}]}),
        sse({"choices": [{"delta": {"tool_calls": [{"index": "0"}]}}]}),
        sse({"choices": [{"delta": {"tool_calls": [{"function": {"arguments": {}}}]}}]}),
        sse({"choices": [{"finish_reason": 1}]}),
        b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"data: " + b"x" * (DEFAULT_MAX_EVENT_BYTES + 1),
    ],
)
def test_nonsense_is_a_protocol_error_and_the_text_before_it_is_given(event: bytes) -> None:
    outcome = read(openai_chunk({"content": "before"}) + event + b"\n\n" + DONE, end=False)
    assert outcome.text == "before"
    assert failure_kind(outcome) is K.PROTOCOL


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"error": {"message": "m", "type": "server_error", "code": None}}, K.SERVER_ERROR),
        ({"error": {"message": "m", "code": 429}}, K.RATE_LIMITED),
        ({"error": {"message": "m", "code": "context_length_exceeded"}}, K.CONTEXT_TOO_LONG),
        ({"error": "m"}, K.SERVER_ERROR),
        ({"object": "error", "message": "m", "type": "BadRequestError", "code": 400}, K.REJECTED),
        ({"error": {"message": "m", "code": 502}, "choices": [{"delta": {}}]}, K.SERVER_ERROR),
    ],
)
def test_an_error_inside_the_stream_ends_it(error: dict[str, object], kind: FailureKind) -> None:
    outcome = read(openai_chunk({"content": "half"}), openai_usage(5, 1), sse(error), DONE)
    assert outcome.text == "half"
    assert failure_kind(outcome) is kind
    assert outcome.error is not None
    assert outcome.error.usage == Usage(5, 0, 1)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -1, "completion_tokens": 2},
        {"prompt_tokens": 1, "completion_tokens": 2_000_000_000},
        {"prompt_tokens": 10**30, "completion_tokens": 2},
        {"prompt_tokens": "many"},
        {"prompt_tokens": 1.5},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": -2}},
        {},
        [],
        7,
    ],
)
def test_usage_that_cannot_be_true_is_not_believed(usage: object) -> None:
    chunk = sse({"choices": [], "usage": usage})
    outcome = read(openai_chunk({"content": "x"}, "stop"), chunk, DONE)
    assert outcome.finish == Finish(FinishReason.STOP, None)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2}, Usage(5, 0, 2)),
        ({"prompt_tokens": 5}, Usage(5, 0, 0)),
        (
            {"prompt_tokens": 5, "prompt_tokens_details": None, "completion_tokens_details": None},
            Usage(5, 0, 0),
        ),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}, Usage(5, 5, 0)),
        ({"prompt_tokens": 5, "prompt_cache_hit_tokens": 3}, Usage(5, 3, 0)),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 2,
                "total_tokens": 17,
                "completion_tokens_details": {"reasoning_tokens": 10},
            },
            Usage(5, 0, 12, 10),
        ),
    ],
)
def test_usage_shapes(usage: dict[str, object], expected: Usage) -> None:
    chunk = sse({"choices": [], "usage": usage})
    outcome = read(openai_chunk({"content": "x"}, "stop"), chunk, DONE)
    assert outcome.finish == Finish(FinishReason.STOP, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\ud83d\ude86", "🚆"),
        (r"a\ud83db", "a\ufffdb"),
        (r"\ude86", "\ufffd"),
        (r"\\ud83d \ud83d", "\\ud83d \ufffd"),
    ],
)
def test_half_a_surrogate_pair_costs_one_character(text: str, expected: str) -> None:
    event = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % text.encode()
    assert read(event, openai_chunk({}, "stop"), DONE).text == expected


def test_whatever_follows_the_terminator_is_ignored() -> None:
    outcome = read(*openai_events(["x"]), sse({"error": "late"}), b"garbage")
    assert outcome.text == "x"
    assert outcome.finish is not None


SCRIPTS = [
    b"".join(openai_events(["Hel", "lo ", "🚆é", "\r\n"], cached=3)),
    b"".join(openai_events(["a", "b"])).replace(b"\n", b"\r\n"),
    b"".join(tool_events()),
    b"".join(openai_events(["a", "b", "c"])[:3]),
    openai_chunk({"content": "half"}) + sse({"error": {"code": 503}}) + DONE,
    openai_chunk({"content": "half"}) + sse("nonsense") + DONE,
    b"<html>",
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
    stream = ChatCompletionStream()
    outcome = Outcome()
    outcome.add(stream.whole(body if isinstance(body, bytes) else json.dumps(body).encode()))
    if stream.finish is not None:
        outcome.add([stream.finish])
    if stream.failure is not None:
        outcome.error = ProviderError(stream.failure)
    return outcome


def test_an_answer_that_was_not_streamed_is_read_all_the_same() -> None:
    function = {"name": "f", "arguments": '{"a": 1}'}
    message = {
        "role": "assistant",
        "content": "Hi",
        "tool_calls": [{"id": "c", "type": "function", "function": function}],
    }
    outcome = whole(
        {
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        }
    )
    assert outcome.texts == ["Hi"]
    assert outcome.calls == [ToolCall("c", "f", '{"a": 1}')]
    assert outcome.finish == Finish(FinishReason.TOOL_CALLS, Usage(3, 0, 1))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, K.PROTOCOL),
        ([], K.PROTOCOL),
        (b"", K.PROTOCOL),
        (b"{", K.PROTOCOL),
        ({"choices": []}, K.PROTOCOL),
        ({"choices": [{"message": {"content": "x"}}]}, K.INTERRUPTED),
        ({"error": {"code": "insufficient_quota"}}, K.OUT_OF_CREDIT),
    ],
)
def test_json_that_is_no_answer_is_an_error(body: object, kind: FailureKind) -> None:
    assert failure_kind(whole(body)) is kind
