"""Counting tokens by a glance and by reading."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman.v1.router_service_pb2 import CompleteResponse, CompletionEvent, GenerateResponse
from pointsman_bench.capacity.answers import (
    AnswerError,
    Bodies,
    Completions,
    EventStreams,
    Generations,
)

TOKENS = [f"w{number} " for number in range(64)]


def framed(*messages: bytes) -> bytes:
    """Messages with gRPC's prefix."""
    return b"".join(b"\0" + len(m).to_bytes(4) + m for m in messages)


def delta(text: str, sequence: int = 1, nanos: int = 123_456) -> CompletionEvent:
    """An event with text."""
    event = CompletionEvent(sequence=sequence)
    event.elapsed.nanos = nanos
    event.delta.text = text
    return event


def completed() -> CompletionEvent:
    """The last event."""
    event = CompletionEvent(sequence=99)
    event.completed.model = "bench/mock-64-0-0-a"
    event.completed.usage.output_tokens = 64
    return event


def decided() -> CompletionEvent:
    """The first event."""
    event = CompletionEvent()
    event.decision.decision_id = "0191d7a2-1111-7222-8333-123456789abc"
    event.decision.model = "bench/mock-64-0-0-a"
    return event


def message(*events: CompletionEvent) -> bytes:
    """A response of these events."""
    return CompleteResponse(events=events).SerializeToString()


@given(
    st.lists(st.integers(1, 63), max_size=12, unique=True),
    st.integers(0, 999_999_999),
    st.data(),
)
def test_words_are_counted_however_tokens_are_joined(
    cuts: list[int], nanos: int, data: st.DataObject
) -> None:
    """In one delta or many, in one message or many: a reading finds all words."""
    edges = [0, *sorted(cuts), 64]
    texts = ["".join(TOKENS[a:b]) for a, b in itertools.pairwise(edges)]
    deltas = [delta(text, number, nanos) for number, text in enumerate(texts)]
    split = data.draw(st.integers(0, len(deltas)))
    pieces = [framed(message(decided())), framed(message(*deltas[:split]))]
    pieces.append(framed(message(*deltas[split:], completed())))
    answers = Completions()
    assert answers.read(pieces) == 64
    if b"j" not in CompletionEvent(elapsed=deltas[0].elapsed).SerializeToString():
        assert sum(map(answers.glance, pieces)) == 64  # a j there can look like a delta's tag


def test_a_glance_finds_nothing_before_the_first_token() -> None:
    """So that a decision is not taken for it."""
    assert Completions().glance(framed(message(decided()))) == 0


def test_a_stream_without_its_last_event_is_not_whole() -> None:
    """A stream that a server ends early is an error, however many tokens it had."""
    pieces = [framed(message(decided(), delta("".join(TOKENS))))]
    with pytest.raises(AnswerError, match="the last event is delta, not completed"):
        Completions().read(pieces)
    assert Completions(completed=False).read(pieces) == 64


def test_a_cut_message_is_not_whole() -> None:
    """Nor is one that is no protobuf, or compressed."""
    whole = framed(message(delta("w0 "), completed()))
    with pytest.raises(AnswerError, match="cut off"):
        Completions().read([whole[:-3]])
    with pytest.raises(AnswerError, match="no CompleteResponse"):
        Completions().read([framed(b"\xff\xff")])
    with pytest.raises(AnswerError, match="compressed"):
        Completions().read([b"\x01" + whole[1:]])


def test_a_unary_answer_is_one_message() -> None:
    """Its words are counted; two messages are none."""
    body = GenerateResponse(text="".join(TOKENS)).SerializeToString()
    assert Generations().read([framed(body)[:7], framed(body)[7:]]) == 64
    with pytest.raises(AnswerError, match="2 messages"):
        Generations().read([framed(body, body)])
    with pytest.raises(AnswerError, match="no GenerateResponse"):
        Generations().read([framed(b"\xff\xff")])


def event(content: str | None, *, spaced: bool = False) -> bytes:
    """One server-sent event of a chat completion."""
    chunk = {"choices": [{"index": 0, "delta": {} if content is None else {"content": content}}]}
    separators = (", ", ": ") if spaced else (",", ":")
    return b"data: " + json.dumps(chunk, separators=separators).encode() + b"\n\n"


@pytest.mark.parametrize("spaced", [True, False])
def test_events_are_counted_by_a_glance_and_words_by_reading(spaced: bool) -> None:
    """The empty delta that opens a stream, the one that ends it and usage are no tokens."""
    usage = b'data: {"choices":[],"usage":{"completion_tokens":64}}\n\n'
    deltas = (event(text, spaced=spaced) for text in ("", *TOKENS, None))
    pieces = [*deltas, usage, b"data: [DONE]\n\n"]
    answers = EventStreams()
    assert answers.glance(b"".join(pieces)) == 64
    assert answers.read(pieces) == 64


def test_reading_mends_what_a_glance_misses() -> None:
    """Joined tokens."""
    pieces = [event("".join(TOKENS[:32])), *map(event, TOKENS[32:]), b"data: [DONE]\n\n"]
    answers = EventStreams()
    assert answers.glance(b"".join(pieces)) == 33
    assert answers.read(pieces) == 64


def test_a_stream_that_is_not_done_is_not_whole() -> None:
    """Nor is one that is no JSON."""
    with pytest.raises(AnswerError, match=r"without data: \[DONE\]"):
        EventStreams().read([event("w0 ")])
    with pytest.raises(AnswerError, match="none of a chat completion"):
        EventStreams().read([b"data: {}\n\n"])


def test_a_body_is_counted_by_its_words() -> None:
    """However it came in pieces."""
    body = json.dumps({"choices": [{"message": {"content": "".join(TOKENS)}}]}).encode()
    assert Bodies().read([body[:50], body[50:]]) == 64
    assert Bodies().glance(body) == 0
