"""gRPC's protocol, sans I/O: whatever the pieces, the same messages; refusals that say why."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from google.rpc.code_pb2 import INTERNAL, UNIMPLEMENTED
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain.errors import InvalidRequest
from pointsman_server.transports.framing import (
    Refusal,
    Unframer,
    code_and_message,
    frame,
    is_grpc,
    metadata,
    status_trailers,
    timeout_s,
)

LIMIT = 1000

messages = st.lists(st.binary(max_size=50), max_size=8)
cuts = st.lists(st.integers(1, 40), max_size=30)


def unframed(body: bytes, sizes: list[int], encoding: bytes | None = None) -> list[bytes]:
    """The messages in a body that comes in pieces of these sizes, and then the rest."""
    unframer, found = Unframer(LIMIT, encoding), []
    for size in [*sizes, len(body)]:
        piece, body = body[:size], body[size:]
        unframer.feed(piece)
        while (message := unframer.take()) is not None:
            found.append(message)
    unframer.finish()
    return found


@given(messages, cuts)
def test_messages_are_found_wherever_the_body_is_cut(sent: list[bytes], sizes: list[int]) -> None:
    assert unframed(b"".join(map(frame, sent)), sizes) == sent


@given(messages, cuts, st.sampled_from([b"gzip", b"deflate"]))
def test_compressed_messages_inflate(sent: list[bytes], sizes: list[int], encoding: bytes) -> None:
    """Each message says for itself whether it is compressed: here, every second is not."""
    squeeze = gzip.compress if encoding == b"gzip" else zlib.compress
    body = b""
    for i, message in enumerate(sent):
        body += frame(message) if i % 2 else b"\x01" + frame(squeeze(message))[1:]
    assert unframed(body, sizes, encoding) == sent


def test_a_body_that_ends_in_the_middle_of_a_message_is_no_request() -> None:
    for body in (b"\0", frame(b"abc")[:-1], frame(b"abc") + b"\0\0"):
        with pytest.raises(InvalidRequest, match="broke off"):
            unframed(body, [])


def test_what_is_too_long_is_refused_by_its_prefix() -> None:
    """Nothing of it is waited for, or kept."""
    unframer = Unframer(LIMIT)
    unframer.feed(frame(bytes(LIMIT)))
    assert unframer.take() == bytes(LIMIT)
    unframer.feed(b"\0" + (LIMIT + 1).to_bytes(4, "big"))
    with pytest.raises(InvalidRequest, match=r"has 1001 bytes; the limit is 1000$"):
        unframer.take()


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_a_bomb_is_not_inflated(encoding: bytes) -> None:
    squeeze = gzip.compress if encoding == b"gzip" else zlib.compress
    bomb = squeeze(bytes(50_000_000))
    unframer = Unframer(100_000, encoding)
    unframer.feed(b"\x01" + frame(bomb)[1:])
    tracemalloc.start()
    with pytest.raises(InvalidRequest, match="inflates to more than 100000 bytes"):
        unframer.take()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"no gzip at all", "does not inflate"),
        (gzip.compress(b"x" * 100)[:-9], "breaks off"),
        (b"", "breaks off"),
    ],
)
def test_what_does_not_inflate_is_no_request(data: bytes, problem: str) -> None:
    unframer = Unframer(LIMIT, b"gzip")
    unframer.feed(b"\x01" + frame(data)[1:])
    with pytest.raises(InvalidRequest, match=problem):
        unframer.take()


def test_an_encoding_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(Refusal, match="identity,deflate,gzip") as caught:
        Unframer(LIMIT, b"brotli")
    assert caught.value.code == UNIMPLEMENTED
    assert len(str(_refusal(b"x" * 10_000))) < 200


def _refusal(encoding: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        Unframer(LIMIT, encoding)
    return caught.value


@pytest.mark.parametrize("encoding", [None, b"identity"])
def test_compression_that_was_not_announced_breaks_the_protocol(encoding: bytes | None) -> None:
    unframer = Unframer(LIMIT, encoding)
    unframer.feed(b"\x01" + frame(gzip.compress(b"x"))[1:])
    with pytest.raises(Refusal) as caught:
        unframer.take()
    assert caught.value.code == INTERNAL


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"2H", 7200),
        (b"3M", 180),
        (b"5S", 5),
        (b"250m", 0.25),
        (b"40u", 40e-6),
        (b"99999999n", 0.099999999),
        (b"0S", 0),
    ],
)
def test_timeouts_have_a_unit(value: bytes, seconds: float) -> None:
    assert timeout_s(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", [b"", b"S", b"1", b"1s", b"-1S", b"1.5S", b"123456789S", b"1 S"])
def test_what_is_no_timeout_is_named(value: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        timeout_s(value)
    assert [v.field for v in caught.value.violations] == ["grpc-timeout"]


@pytest.mark.parametrize(
    ("content_type", "ours"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"Application/gRPC; charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"application/grpc+json", False),
        (b"application/json", False),
        (b"", False),
    ],
)
def test_what_is_grpc(content_type: bytes, ours: bool) -> None:
    assert is_grpc(content_type) is ours


@given(st.text())
def test_messages_of_statuses_travel_as_printable_ascii(text: str) -> None:
    from urllib.parse import unquote_to_bytes

    said = text.encode(errors="ignore").decode()
    ((_, code), (_, sent)) = code_and_message(5, said)
    assert code == b"5"
    assert all(0x20 <= byte < 0x7F for byte in sent)
    assert unquote_to_bytes(sent) == said.encode()


def test_only_what_must_be_is_escaped() -> None:
    """As gRPC's own servers do it, so that logs of proxies can be read."""
    ((_, _), (_, sent)) = code_and_message(5, 'say "hi", 100% ~é\n')
    assert sent == b'say "hi", 100%25 ~%C3%A9%0A'


def test_binary_metadata_goes_in_base64_without_padding() -> None:
    assert metadata({"x-a": "b", "x-b-bin": "é?"}) == [(b"x-a", b"b"), (b"x-b-bin", b"w6k/")]
    assert metadata({"c-bin": "a"}) == [(b"c-bin", b"YQ")]


def test_a_status_comes_with_its_details_and_the_calls_trailers() -> None:
    status = Status(code=3, message="no")
    fields = dict(status_trailers(status, {"x-t": "1"}))
    assert fields.keys() == {b"grpc-status", b"grpc-message", b"grpc-status-details-bin", b"x-t"}
