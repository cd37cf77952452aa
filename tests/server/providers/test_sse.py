from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pointsman_server.providers.sse import SseDecoder, SseEvent, SseLimitExceeded


def decoded(chunks: Iterable[bytes], limit: int = 1 << 20) -> list[SseEvent]:
    decoder = SseDecoder(limit)
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events + decoder.end()


def reference(stream: bytes) -> list[SseEvent]:
    """The standard's algorithm, written down slowly."""
    lines = stream.removeprefix(b"\xef\xbb\xbf")
    lines = lines.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[SseEvent] = []
    name = ""
    data: list[bytes] = []
    for line in [*lines.split(b"\n"), b""]:
        if line == b"":
            if data:
                events.append((name, b"\n".join(data)))
            name, data = "", []
            continue
        key, colon, value = line.partition(b":")
        if colon and value[:1] == b" ":
            value = value[1:]
        if key == b"event":
            name = value.decode("utf-8", "replace")
        if key == b"data":
            data.append(value)
    return events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"data: a\n\n", [("", b"a")]),
        (b"data:a\n\ndata:  b\n\n", [("", b"a"), ("", b" b")]),
        (b"event: ping\ndata: {}\n\n", [("ping", b"{}")]),
        (b"data: {}\nevent: late\n\ndata: x\n\n", [("late", b"{}"), ("", b"x")]),
        (b"data: a\r\ndata: b\r\n\r\n", [("", b"a\nb")]),
        (b"data: a\rdata: b\r\r", [("", b"a\nb")]),
        (b": comment\n\n:\ndata: x\n\n", [("", b"x")]),
        (b"\xef\xbb\xbfdata: bom\n\n", [("", b"bom")]),
        (b"data\ndata\n\n", [("", b"\n")]),
        (b"event: nothing\n\ndata: x\n\n", [("", b"x")]),
        (b"id: 3\nretry: 10\nerror: {}\ndata: x\n\n", [("", b"x")]),
        (b"data: [DONE]", [("", b"[DONE]")]),
        (b"data: [DONE]\n", [("", b"[DONE]")]),
        (b"<html>\n<body>\n\n</html>", []),
    ],
)
def test_decodes(stream: bytes, events: list[SseEvent]) -> None:
    assert decoded([stream]) == events


PIECES = st.sampled_from(
    [b"data: ", b"data:", b"data", b"event: e", b":", b"\n", b"\r", b"\r\n", b"\n\n", b"x", b" ",
     "é🚆".encode(), b"\xef\xbb\xbf", b"\xff", b"id: 1"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40).map(b"".join), st.data())
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", None)
def test_any_chunking_gives_the_standards_events(stream: bytes, data: st.DataObject | None) -> None:
    if data is None:
        cuts = list(range(len(stream) + 1))
    else:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    edges = [0, *cuts, len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]
    assert decoded(chunks) == reference(stream)


def test_a_cr_ends_its_line_without_waiting_for_what_follows() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\r\r") == [("", b"a")]
    assert decoder.feed(b"\ndata: b\n\n") == [("", b"b")]


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: " + b"x" * 101 + b"\n\n"],
        [b"data: " + b"x" * 60, b"y" * 60],
        [b": " + b"c" * 200 + b"\n"],
        [b"data: " + b"x" * 60 + b"\n"] * 2,
        [b"data:\n"] * 102,
        [b"x" * 200],
    ],
)
def test_lines_and_events_are_bounded(chunks: list[bytes]) -> None:
    with pytest.raises(SseLimitExceeded):
        decoded(chunks, limit=100)


def test_an_event_of_just_the_limit_passes_in_one_piece_or_many() -> None:
    stream = b"data: " + b"x" * 100 + b"\n\n"
    assert decoded([stream], limit=100) == [("", b"x" * 100)]
    assert decoded([bytes([byte]) for byte in stream], limit=100) == [("", b"x" * 100)]


def test_events_before_one_that_is_too_long_are_not_lost() -> None:
    with pytest.raises(SseLimitExceeded) as raised:
        SseDecoder(10).feed(b"data: a\n\ndata: " + b"x" * 20 + b"\n\n")
    assert raised.value.events == [("", b"a")]


def test_a_long_line_in_tiny_pieces_takes_linear_time() -> None:
    decoder = SseDecoder(1 << 20)
    started = time.perf_counter()
    for _ in range(250_000):
        decoder.feed(b"xxxx")
    # Joining at each piece would copy 125 GB.
    assert time.perf_counter() - started < 5


def test_a_thousand_events_take_well_below_ten_milliseconds() -> None:
    stream = b"".join(b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n' for _ in range(1000))
    best = min(_timed(stream) for _ in range(5))
    assert best < 0.01


def _timed(stream: bytes) -> float:
    started = time.perf_counter()
    assert len(SseDecoder().feed(stream)) == 1000
    return time.perf_counter() - started
