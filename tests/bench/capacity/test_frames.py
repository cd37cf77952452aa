"""HTTP/2 frames and header blocks, byte by byte."""

from __future__ import annotations

import hpack
import pytest
from pointsman_bench.capacity import frames
from pointsman_bench.capacity.frames import FrameError

FIELDS = (
    (":path", "/pointsman.v1.RouterService/Complete"),
    (":authority", "127.0.0.1:50051"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
    ("user-agent", "pointsman-bench"),
)


def encoded(*fields: tuple[str, str], huffman: bool) -> bytes:
    """A block from an encoder that was told to keep no table."""
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    return bytes(encoder.encode(list(fields), huffman=huffman))


def test_later_requests_refer_to_the_first() -> None:
    """A server with one table for the connection reads the same fields from both blocks."""
    first, later = frames.request_blocks(FIELDS)
    decoder = hpack.Decoder()
    expected = [(":method", "POST"), (":scheme", "http"), *FIELDS]
    assert [(str(n), str(v)) for n, v in decoder.decode(first)] == expected
    for _ in range(3):
        assert [(str(n), str(v)) for n, v in decoder.decode(later)] == expected
    assert len(later) == 2 + len(FIELDS)


def test_a_header_too_long_for_its_length_byte_is_refused() -> None:
    """The name of the fault is in the error, not a broken block on the wire."""
    with pytest.raises(ValueError, match="up to 126 characters"):
        frames.request_blocks((("x-long", "a" * 127),))


@pytest.mark.parametrize("huffman", [True, False])
@pytest.mark.parametrize("status", [0, 1, 14])
def test_a_status_is_read_in_either_coding(huffman: bool, status: int) -> None:
    """The quick way and the full one agree, whatever stands around the status."""
    fields = (
        ("x-pointsman-cost-usd", "0.000012"),
        ("grpc-status", str(status)),
        ("grpc-message", "why"),
        ("x-pointsman-attempts", "1"),
    )
    block = encoded(*fields, huffman=huffman)
    code, _ = frames.grpc_status(block)
    assert code == status
    assert frames.decoded_status(block) == (status, "why")


@pytest.mark.parametrize("huffman", [True, False])
def test_status_zero_takes_no_decoding(huffman: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what makes the client cheap."""
    block = encoded(("grpc-status", "0"), huffman=huffman)
    monkeypatch.setattr(frames, "decode", None)
    assert frames.grpc_status(block) == (0, "")


def test_another_field_with_a_zero_is_no_status() -> None:
    """Only the whole name counts."""
    block = encoded(("x-grpc-statuses", "0"), (":status", "503"), huffman=False)
    with pytest.raises(FrameError, match="no grpc-status; HTTP status 503"):
        frames.grpc_status(block)


def test_a_block_that_needs_another_is_refused() -> None:
    """A server that keeps a table for responses although asked not to cannot be read."""
    with pytest.raises(FrameError, match="stands not for itself"):
        frames.grpc_status(b"\xbe")


@pytest.mark.parametrize("huffman", [True, False])
def test_a_response_is_ok_only_with_status_200(
    huffman: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With or without the size update that opens an encoder's first block."""
    ok = encoded((":status", "200"), ("content-type", "application/grpc"), huffman=huffman)
    assert ok[0] == 0x20
    assert frames.response_is_ok(ok)
    assert frames.response_is_ok(ok[1:])
    monkeypatch.setattr(frames, "decode", None)
    assert frames.response_is_ok(ok)  # and takes no decoding
    monkeypatch.undo()
    bad = encoded((":status", "503"), ("x-status", "200"), huffman=huffman)
    assert not frames.response_is_ok(bad)


def test_settings_are_written_as_they_are_read() -> None:
    """Identifier and value, six bytes each."""
    values = {frames.SETTINGS_HEADER_TABLE_SIZE: 0, frames.SETTINGS_INITIAL_WINDOW_SIZE: 1 << 30}
    assert frames.read_settings(frames.settings(values)[9:]) == values
