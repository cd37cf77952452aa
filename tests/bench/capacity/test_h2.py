"""The HTTP/2 connection, driven by canned bytes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.capacity import frames
from pointsman_bench.capacity.frames import FrameError, frame
from pointsman_bench.capacity.h2 import Http2Client

FIELDS = ((":path", "/a/b"), (":authority", "here"))
READY = frames.settings({})


@dataclass
class Seen:
    """What came on streams, as it was told."""

    told: list[tuple[object, ...]] = field(default_factory=list)

    def headers(self, stream: int, block: bytes, *, ended: bool) -> None:
        self.told.append(("headers", stream, block, ended))

    def data(self, stream: int, payload: bytes, *, ended: bool) -> None:
        self.told.append(("data", stream, payload, ended))

    def reset(self, stream: int, code: int) -> None:
        self.told.append(("reset", stream, code))


def client() -> tuple[Http2Client, Seen]:
    """A connection that is ready, its greeting sent."""
    seen = Seen()
    made = Http2Client(seen, FIELDS)
    made.take()
    made.receive(READY)
    assert made.take() == frame(frames.SETTINGS, frames.ACK, 0)
    return made, seen


def test_the_greeting_asks_for_no_table_no_push_and_wide_windows() -> None:
    """So that blocks stand for themselves and answers never wait."""
    greeting = Http2Client(Seen(), FIELDS).take()
    assert greeting.startswith(frames.PREFACE)
    settings = frames.read_settings(greeting[len(frames.PREFACE) + 9 :][:18])
    assert settings == {
        frames.SETTINGS_HEADER_TABLE_SIZE: 0,
        frames.SETTINGS_ENABLE_PUSH: 0,
        frames.SETTINGS_INITIAL_WINDOW_SIZE: (1 << 31) - 1,
    }


def test_nothing_is_sent_before_the_servers_settings() -> None:
    """Its table and windows are not known until then."""
    made = Http2Client(Seen(), FIELDS)
    assert not made.may_send(1)
    made.receive(READY)
    assert made.may_send(1)


def test_a_request_is_headers_and_data_in_one_write() -> None:
    """On odd streams; the second request's block refers to the first one's."""
    made, _ = client()
    assert made.send(b"body") == 1
    first = made.take()
    assert made.send(b"body") == 3
    second = made.take()
    block, later = frames.request_blocks(FIELDS)
    data = frame(frames.DATA, frames.END_STREAM, 1, b"body")
    assert first == frame(frames.HEADERS, frames.END_HEADERS, 1, block) + data
    assert second.startswith(frame(frames.HEADERS, frames.END_HEADERS, 3, later))


ANSWER = b"".join(
    [
        frame(frames.HEADERS, frames.END_HEADERS, 1, b"head"),
        frame(frames.DATA, 0, 1, b"one"),
        frame(0xBE, 0, 0, b"of no known kind"),
        frame(frames.PING, 0, 0, b"12345678"),
        frame(frames.DATA, frames.PADDED, 1, b"\x02twopp"),
        frame(frames.HEADERS, frames.END_STREAM, 1, b"tra"),
        frame(frames.CONTINUATION, frames.END_HEADERS, 1, b"iler"),
        frame(frames.RST_STREAM, 0, 3, (8).to_bytes(4)),
    ]
)
TOLD = [
    ("headers", 1, b"head", False),
    ("data", 1, b"one", False),
    ("data", 1, b"two", False),
    ("headers", 1, b"trailer", True),
    ("reset", 3, 8),
]


@given(st.lists(st.integers(0, len(ANSWER)), max_size=8))
def test_it_does_not_matter_how_bytes_are_cut_into_reads(cuts: list[int]) -> None:
    """The same is told for any division of the same bytes."""
    made, seen = client()
    edges = [0, *sorted(cuts), len(ANSWER)]
    for start, stop in itertools.pairwise(edges):
        made.receive(ANSWER[start:stop])
    assert seen.told == TOLD
    assert made.take() == frame(frames.PING, frames.ACK, 0, b"12345678")


def test_padding_and_priority_are_no_part_of_a_header_block() -> None:
    """Both come before the block; padding also after it."""
    made, seen = client()
    flags = frames.END_HEADERS | frames.PADDED | frames.PRIORITY
    made.receive(frame(frames.HEADERS, flags, 1, b"\x03" + b"prior" + b"block" + b"\0\0\0"))
    assert seen.told == [("headers", 1, b"block", False)]


def test_requests_wait_for_the_connections_window() -> None:
    """What was sent uses it up; the server's updates fill it."""
    made, _ = client()
    size = 16_000
    sent = 0
    while made.may_send(size):
        made.send(bytes(size))
        sent += size
    assert sent + size > frames.DEFAULT_WINDOW >= sent
    made.receive(frames.window_update(0, sent))
    assert made.may_send(size)


def test_a_streams_own_window_does_not_fill_the_connections() -> None:
    """Only updates of stream 0 count."""
    made, _ = client()
    while made.may_send(16_000):
        made.send(bytes(16_000))
    made.receive(frames.window_update(1, 1 << 20))
    assert not made.may_send(16_000)


def test_requests_keep_to_a_streams_window() -> None:
    """A server may give each stream less than the whole connection."""
    made, _ = client()
    made.receive(frames.settings({frames.SETTINGS_INITIAL_WINDOW_SIZE: 100}))
    assert made.may_send(100)
    assert not made.may_send(101)


def test_the_server_gets_new_credit_for_what_it_sent() -> None:
    """Before the window that it was given at first is used up."""
    made, _ = client()
    piece = frame(frames.DATA, 0, 1, bytes(1 << 23))
    credited = 0
    for _ in range(200):
        made.receive(piece)
        out = made.take()
        if out:
            assert out[:9] == frames.window_update(0, 1)[:9]
            credited += int.from_bytes(out[9:])
    assert credited >= 200 * (1 << 23) - (1 << 28)


def test_goaway_without_an_error_ends_new_requests_only() -> None:
    """A server that drains lets calls under way end."""
    made, seen = client()
    made.send(b"x")
    made.receive(frame(frames.GOAWAY, 0, 0, (1).to_bytes(4) + (0).to_bytes(4)))
    assert made.closing
    assert not made.may_send(1)
    made.receive(frame(frames.DATA, 0, 1, b"still"))
    assert seen.told == [("data", 1, b"still", False)]


def test_goaway_with_an_error_says_which() -> None:
    """And what the server said to it."""
    made, _ = client()
    with pytest.raises(FrameError, match="GOAWAY 11: too_many_pings"):
        made.receive(
            frame(frames.GOAWAY, 0, 0, (0).to_bytes(4) + (11).to_bytes(4) + b"too_many_pings")
        )


def test_a_server_without_a_header_table_is_refused() -> None:
    """Later requests refer to entries that it would not keep."""
    made = Http2Client(Seen(), FIELDS)
    with pytest.raises(FrameError, match="keeps no header table"):
        made.receive(frames.settings({frames.SETTINGS_HEADER_TABLE_SIZE: 0}))


def test_the_servers_limit_of_streams_is_known() -> None:
    """Callers keep to it."""
    made, _ = client()
    made.receive(frames.settings({frames.SETTINGS_MAX_CONCURRENT_STREAMS: 7}))
    assert made.max_streams == 7


def test_a_continuation_of_nothing_breaks_the_protocol() -> None:
    """And a block of another stream's."""
    made, _ = client()
    with pytest.raises(FrameError, match="CONTINUATION of no headers"):
        made.receive(frame(frames.CONTINUATION, frames.END_HEADERS, 1, b"x"))


def test_a_header_block_has_an_end() -> None:
    """A server cannot fill our memory with one."""
    made, _ = client()
    made.receive(frame(frames.HEADERS, 0, 1, b"x"))
    endless = frame(frames.CONTINUATION, 0, 1, bytes(16_000)) * 100
    endless = frame(frames.CONTINUATION, 0, 1, bytes(16_000)) * 100
    with pytest.raises(FrameError, match="without end"):
        made.receive(endless)
