"""gRPC calls, driven by canned bytes."""

from __future__ import annotations

import itertools

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.capacity import frames
from pointsman_bench.capacity.frames import frame
from pointsman_bench.capacity.grpc_calls import GrpcCalls
from pointsman_bench.capacity.tally import Exchange, Tally
from pointsman_bench.capacity.work import COUNTER, WorkError


class Spaces:
    """Takes each space for a token."""

    def glance(self, piece: bytes) -> int:
        return piece.count(b" ")

    def read(self, pieces: list[bytes]) -> int:
        return b"".join(pieces).count(b" ")


def calls(body: bytes = b"request") -> tuple[GrpcCalls, Tally]:
    """A connection that is ready."""
    tally = Tally()
    tally.open = True
    made = GrpcCalls("/a.B/C", "here", body, Spaces(), tally)
    made.take()
    made.receive(frames.settings({}), 0.0)
    made.take()
    return made, tally


def block(*fields: tuple[str, str]) -> bytes:
    """A header block from an encoder without a table."""
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    return bytes(encoder.encode(list(fields)))


def head(stream: int, status: str = "200") -> bytes:
    """Response headers."""
    return frame(frames.HEADERS, frames.END_HEADERS, stream, block((":status", status)))


def trailers(stream: int, *fields: tuple[str, str]) -> bytes:
    """Trailers; without fields, those of a call that went well."""
    flags = frames.END_HEADERS | frames.END_STREAM
    return frame(frames.HEADERS, flags, stream, block(*(fields or (("grpc-status", "0"),))))


def data(stream: int, payload: bytes) -> bytes:
    """A DATA frame."""
    return frame(frames.DATA, 0, stream, payload)


def message(text: bytes) -> bytes:
    """A message with gRPC's prefix."""
    return b"\0" + len(text).to_bytes(4) + text


def test_a_call_ends_with_its_status() -> None:
    """Messages, tokens and the time of the first of them are noted on the way."""
    made, tally = calls()
    made.begin(Exchange(1.0, 0))
    assert made.receive(head(1) + data(1, message(b"decided")), 2.0) == []
    assert made.receive(data(1, message(b"w0 ") + message(b"w1 ")), 3.0) == []
    (ended,) = made.receive(data(1, message(b"w2 ")) + trailers(1), 4.0)
    assert (ended.error, ended.tokens, ended.messages) == ("", 3, 4)
    assert ended.first_token_at == 3.0
    assert b"".join(ended.pieces).count(b"w") == 3
    assert (tally.tokens, tally.messages) == (3, 4)


@given(st.lists(st.binary(max_size=300), max_size=6), st.lists(st.integers(0, 2000), max_size=6))
def test_messages_are_counted_wherever_data_is_cut(texts: list[bytes], cuts: list[int]) -> None:
    """In the middle of a prefix, too."""
    made, _ = calls()
    made.begin(Exchange(1.0, 0))
    body = b"".join(map(message, texts))
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for start, stop in itertools.pairwise(edges):
        made.receive(data(1, body[start:stop]), 2.0)
    (ended,) = made.receive(trailers(1), 3.0)
    assert (ended.error, ended.messages) == ("", len(texts))


def test_a_status_that_is_not_ok_fails_the_call() -> None:
    """With the server's message."""
    made, _ = calls()
    made.begin(Exchange(1.0, 0))
    fields = (("grpc-status", "8"), ("grpc-message", "too many calls"))
    (ended,) = made.receive(trailers(1, (":status", "200"), *fields), 2.0)
    assert ended.error == "grpc-status 8: too many calls"


def test_a_message_that_is_cut_off_fails_the_call() -> None:
    """Whatever the status says."""
    for cut in (2, 7):
        made, _ = calls()
        made.begin(Exchange(1.0, 0))
        made.receive(head(1) + data(1, message(b"w0 w1 ")[:cut]), 2.0)
        (ended,) = made.receive(trailers(1), 3.0)
        assert ended.error == "the last message is cut off"


def test_an_http_status_that_is_not_200_fails_the_call() -> None:
    """A proxy in between answers so."""
    made, _ = calls()
    made.begin(Exchange(1.0, 0))
    made.receive(head(1, "502"), 2.0)
    (ended,) = made.receive(trailers(1), 3.0)
    assert ended.error == "HTTP status 502"


def test_a_stream_without_trailers_fails_the_call() -> None:
    """As does one that is reset."""
    made, _ = calls()
    made.begin(Exchange(1.0, 0))
    made.begin(Exchange(1.0, 1))
    (ended,) = made.receive(frame(frames.DATA, frames.END_STREAM, 1, b""), 2.0)
    assert ended.error == "the stream ended without trailers"
    (ended,) = made.receive(frame(frames.RST_STREAM, 0, 3, (8).to_bytes(4)), 2.0)
    assert ended.error == "RST_STREAM 8"


def test_each_request_has_its_number() -> None:
    """In place of the counter, at the same length."""
    made, _ = calls(b"ticket " + COUNTER + b" please")
    made.begin(Exchange(1.0, 12))
    made.begin(Exchange(1.0, 100_000_007))
    out = made.take()
    assert out.count(b"ticket 00000012 please") == 1
    assert out.count(b"ticket 00000007 please") == 1
    assert COUNTER not in out


def test_calls_wait_for_the_servers_settings_and_limits() -> None:
    """And go out in order as soon as they may."""
    made = GrpcCalls("/a.B/C", "here", b"request", Spaces(), Tally())
    for number in range(3):
        made.begin(Exchange(1.0, number))
    assert b"request" not in made.take()
    made.receive(frames.settings({frames.SETTINGS_MAX_CONCURRENT_STREAMS: 2}), 0.0)
    assert made.take().count(b"request") == 2
    made.receive(trailers(1), 2.0)
    assert made.take().count(b"request") == 1


def test_what_a_lost_connection_took_with_it_is_known() -> None:
    """Calls under way and calls that waited."""
    made, _ = calls()
    made.receive(frames.settings({frames.SETTINGS_MAX_CONCURRENT_STREAMS: 1}), 0.0)
    for number in range(2):
        made.begin(Exchange(1.0, number))
    lost = made.lose("gone")
    assert [exchange.number for exchange in lost] == [0, 1]
    assert {exchange.error for exchange in lost} == {"gone"}
    assert made.lose("gone") == []


def test_frames_of_streams_that_have_ended_are_passed_over() -> None:
    """A server may still have some on the way."""
    made, tally = calls()
    made.begin(Exchange(1.0, 0))
    made.receive(trailers(1), 2.0)
    late = head(1) + data(1, message(b"w0 ")) + trailers(1)
    assert made.receive(late + frame(frames.RST_STREAM, 0, 1, bytes(4)), 3.0) == []
    assert tally.tokens == 0


@pytest.mark.parametrize("number", [0, 99_999_999])
def test_a_request_without_a_counter_is_sent_as_it_is(number: int) -> None:
    """Not every body has one."""
    made, _ = calls(b"plain")
    made.begin(Exchange(1.0, number))
    assert made.take().endswith(message(b"plain"))


def test_a_request_that_no_frame_takes_is_refused() -> None:
    """At once, and not when it is sent."""
    with pytest.raises(WorkError, match="up to 16 kB"):
        calls(bytes(16_380))
