"""Events read without parsing say exactly what they say when parsed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pointsman_server.providers import plain_text
from pointsman_server.providers.answer import AnswerStream
from pointsman_server.providers.anthropic_stream import MessageStream
from pointsman_server.providers.base import TextChunk
from pointsman_server.providers.openai_stream import ChatCompletionStream
from pointsman_server.providers.plain_text import MAX_LESSONS, PlainTextReader


def content(event: bytes) -> str | None:
    """A dialect that knows {"c": text, ...} and nothing else."""
    try:
        return str(json.loads(event)["c"])
    except (ValueError, KeyError):
        return None


class Counting:
    """`content`, which counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, event: bytes) -> str | None:
        self.calls += 1
        return content(event)


def reader(*events: bytes, parse: Callable[[bytes], str | None] = content) -> PlainTextReader:
    made = PlainTextReader(parse)
    for event in events:
        made.learn(event, str(content(event)))
    return made


def test_nothing_is_read_before_something_was_learned() -> None:
    assert reader().read(b'{"c": "a"}') is None


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (b'{"i": "x", "c": "two words", "n": 1}', "two words"),
        ('{"i": "x", "c": "é 漢 🚀", "n": 1}'.encode(), "é 漢 🚀"),
        (b'{"i": "x", "c": "", "n": 1}', None),
        (b'{"i": "x", "c": "a\\nb", "n": 1}', None),
        (b'{"i": "x", "c": "a\\"b", "n": 1}', None),
        (b'{"i": "x", "c": "a", "c": "b", "n": 1}', None),
        (b'{"i": "x", "c": "a\x01", "n": 1}', None),
        (b'{"i": "x", "c": "\xff", "n": 1}', None),
        (b'{"i": "y", "c": "a", "n": 1}', None),
        (b'{"i": "x", "c": "a", "n": 2}', None),
        (b'{"i": "x", "c": "', None),
        (b'{"i": "x", "c": ", "n": 1}', None),
        (b"", None),
    ],
)
def test_what_is_read_without_parsing(event: bytes, text: str | None) -> None:
    """Only what differs in a string that stands there as it is; the rest is left to a parser."""
    assert reader(b'{"i": "x", "c": "hello", "n": 1}').read(event) == text


@pytest.mark.parametrize(
    ("events", "read"),
    [
        (["a", " b", "é"], ("a bé", 3)),
        (["a", "", "b"], ("ab", 3)),
        (["a", b'{"other": 1}'], ("a", 1)),
        (["a", b"[DONE]"], ("a", 1)),
        (["a", "b", b'{"i": "y", "c": "c", "n": 1}'], ("", 0)),
        (["a", b"[DONE]", "b"], ("", 0)),
        (["a", b'{"other": 1}', "b"], ("", 0)),
        (["a", "\\n", "b"], ("", 0)),
        ([b"[DONE]", "a"], ("", 0)),
        ([b'{"other": 1}'], ("", 0)),
        ([b'{"i": "x", "c": "\xc3', b'\xa9", "n": 1}'], ("", 0)),
        ([b'{"i": "x", "c": "\xc3", "n": 1}', b'{"i": "x", "c": "\xa9", "n": 1}'], ("", 0)),
        ([], ("", 0)),
    ],
)
def test_many_events_at_once(events: list[str | bytes], read: tuple[str, int]) -> None:
    """All of them up to the last that looks alike, or none where one in between does not."""
    around = b'{"i": "x", "c": "%b", "n": 1}'
    run = [around % e.encode() if isinstance(e, str) else e for e in events]
    assert reader(around % b"hello").read_run(run) == read


def test_the_same_string_elsewhere_is_not_taken_for_the_text() -> None:
    """An event in which the text cannot be told from another value teaches nothing."""
    assert reader(b'{"i": "same", "c": "same"}').read(b'{"i": "same", "c": "x"}') is None
    escaped = b'{"i": "hello", "c": "\\u0068ello"}'
    assert content(escaped) == "hello"
    assert reader(escaped).read(b'{"i": "x", "c": "\\u0068ello"}') is None


def test_a_stream_whose_events_all_differ_is_not_studied_for_ever() -> None:
    parse = Counting()
    learner = reader(*(b'{"i": %d, "c": "a"}' % i for i in range(50)), parse=parse)
    assert parse.calls == MAX_LESSONS
    learner.learn(b'{"i": 50, "c": "a"}', "a")
    assert parse.calls == MAX_LESSONS


def test_a_stream_that_changes_once_is_learned_anew() -> None:
    changed = reader(b'{"i": 1, "c": "a"}', b'{"i": 2, "c": "a"}')
    assert changed.read(b'{"i": 2, "c": "b"}') == "b"


TEXTS = st.text(max_size=8) | st.sampled_from(['"', "\\", "\n", "stop", "m", "gpt", "é", "\x7f"])


def openai_event(text: str, style: int) -> bytes:
    body: dict[str, object] = {"id": "m", "choices": [{"index": 0, "delta": {"content": text}}]}
    if style == 1:
        body["model"] = "gpt"
        body["usage"] = None
    if style == 2:
        body["choices"] = [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]
    if style == 3:
        body["usage"] = {"prompt_tokens": 1, "completion_tokens": len(text)}
    if style == 4:
        body["choices"] = [{"delta": {"content": "", "reasoning_content": text}}]
    if style == 5:
        body["choices"] = [{"delta": {"content": "c", "refusal": text}}]
    return json.dumps(body, ensure_ascii=len(text) % 2 == 0).encode(errors="replace")


def anthropic_event(text: str, style: int) -> bytes:
    delta: dict[str, object] = {"type": "text_delta", "text": text}
    if style in (2, 3):
        delta = {"type": "thinking_delta", "thinking": text}
    kind = "ping" if style == 4 else "content_block_delta"
    body = {"type": kind, "index": style, "delta": delta}
    return json.dumps(body, ensure_ascii=len(text) % 2 == 0).encode(errors="replace")


Event = Callable[[str, int], bytes]


@pytest.mark.parametrize(
    ("stream", "event"),
    [(ChatCompletionStream, openai_event), (MessageStream, anthropic_event)],
)
@settings(max_examples=300)
@given(pieces=st.lists(st.tuples(TEXTS, st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4, 5])), max_size=24))
@example(pieces=[("a", 0), ("b", 0), ("", 0), ("c", 2), ("d", 0)])
def test_an_answer_is_the_same_as_with_every_event_parsed(
    stream: type[AnswerStream], event: Event, pieces: list[tuple[str, int]]
) -> None:
    body = b"".join(b"data: " + event(text, style) + b"\n\n" for text, style in pieces)
    answers = []
    for lessons in (MAX_LESSONS, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plain_text, "MAX_LESSONS", lessons)
            answer = stream()
            told = [answer.feed(body[:40]), answer.feed(body[40:]), answer.end()]
        answers.append((told, answer.finish, answer.failure, answer.usage))
    assert answers[0] == answers[1]


def test_most_of_an_answer_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    parse = ChatCompletionStream._take

    def take(self: ChatCompletionStream, event: bytes) -> None:
        nonlocal taken
        taken += 1
        parse(self, event)

    monkeypatch.setattr(ChatCompletionStream, "_take", take)
    answer = ChatCompletionStream()
    words = [f"w{i} " for i in range(100)]
    body = b"".join(b"data: " + openai_event(word, 0) + b"\n\n" for word in words)
    assert answer.feed(body) == [TextChunk("".join(words))]
    assert taken == 1
