"""One HTTP/2 connection from the client's side, without I/O: frames, settings, flow control."""

from __future__ import annotations

from typing import Protocol

from pointsman_bench.capacity import frames
from pointsman_bench.capacity.frames import FRAME_HEAD, FrameError

MAX_BODY_BYTES = 1 << 14
"""Of a request: what every server takes in one frame."""

_STREAM_WINDOW = (1 << 31) - 1
_CONNECTION_WINDOW = 1 << 30
_TOP_UP = 1 << 28
"""Bytes received until the server gets new credit: answers never wait for any."""
_MASK = (1 << 31) - 1
_MAX_BLOCK_BYTES = 1 << 18
_BLOCK_BYTES_NEEDED = 512
"""What our first header block takes in the server's table."""


class Streams(Protocol):
    """Is told what comes on streams. ``ended``: the server sends nothing more on it."""

    def headers(self, stream: int, block: bytes, *, ended: bool) -> None:
        """A header block."""

    def data(self, stream: int, payload: bytes, *, ended: bool) -> None:
        """Bytes of the body."""

    def reset(self, stream: int, code: int) -> None:
        """The server gave a stream up."""


class Http2Client:
    """A connection on which each request is a POST with the same header fields.

    ``ready`` once the server's settings are known; ``closing`` once it wants no further streams.
    """

    def __init__(self, streams: Streams, fields: tuple[tuple[str, str], ...]) -> None:
        self.ready = False
        self.closing = False
        self.max_streams = _MASK
        self._streams = streams
        self._block, self._later_block = frames.request_blocks(fields)
        self._next_stream = 1
        self._rest = b""
        self._headers: tuple[int, bool, bytes] | None = None
        self._window = self._stream_window = frames.DEFAULT_WINDOW
        self._consumed = 0
        asked = {
            frames.SETTINGS_HEADER_TABLE_SIZE: 0,
            frames.SETTINGS_ENABLE_PUSH: 0,
            frames.SETTINGS_INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
        }
        credit = frames.window_update(0, _CONNECTION_WINDOW)
        self._out = [frames.PREFACE, frames.settings(asked), credit]

    def may_send(self, size: int) -> bool:
        """Whether a request with a body of ``size`` bytes can be sent now."""
        return self.ready and not self.closing and size <= min(self._window, self._stream_window)

    def send(self, body: bytes) -> int:
        """Send a request with a body of up to `MAX_BODY_BYTES`; returns its stream."""
        size = len(body)
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        block, self._block = self._block, self._later_block
        pack = FRAME_HEAD.pack
        self._out += (
            pack(len(block) << 8 | frames.HEADERS, frames.END_HEADERS, stream),
            block,
            pack(size << 8 | frames.DATA, frames.END_STREAM, stream),
            body,
        )
        self._window -= size
        self.closing = self.closing or self._next_stream > _MASK
        return stream

    def take(self) -> bytes:
        """What has to be sent to the server now."""
        if self._consumed >= _TOP_UP:
            self._out.append(frames.window_update(0, self._consumed))
            self._consumed = 0
        out, self._out = b"".join(self._out), []
        return out

    def receive(self, data: bytes) -> None:
        """Take what the server sent.

        Raises:
            FrameError: it broke the protocol, or does what this client has no part of.
        """
        if self._rest:
            data = self._rest + data
        at, end, unpack, head = 0, len(data), FRAME_HEAD.unpack_from, FRAME_HEAD.size
        while end - at >= head:
            size_and_kind, flags, stream = unpack(data, at)
            stop = at + head + (size_and_kind >> 8)
            if stop > end:
                break
            payload = data[at + head : stop]
            at = stop
            if size_and_kind & 0xFF == frames.DATA:
                self._consumed += len(payload)
                if flags & frames.PADDED:
                    payload = payload[1 : len(payload) - payload[0]]
                self._streams.data(stream & _MASK, payload, ended=bool(flags & frames.END_STREAM))
            else:
                self._on_frame(size_and_kind & 0xFF, flags, stream & _MASK, payload)
        self._rest = data[at:]

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        match kind:
            case frames.HEADERS:
                self._on_headers(flags, stream, payload)
            case frames.CONTINUATION:
                self._on_continuation(flags, stream, payload)
            case frames.RST_STREAM:
                self._streams.reset(stream, int.from_bytes(payload))
            case frames.SETTINGS if not flags & frames.ACK:
                self._on_settings(frames.read_settings(payload))
            case frames.PING if not flags & frames.ACK:
                self._out.append(frames.frame(frames.PING, frames.ACK, 0, payload))
            case frames.WINDOW_UPDATE if stream == 0:
                self._window += int.from_bytes(payload) & _MASK
            case frames.GOAWAY:
                self.closing = True
                if code := int.from_bytes(payload[4:8]):
                    raise FrameError(f"GOAWAY {code}: {payload[8:208].decode(errors='replace')}")
            case _:
                pass  # RFC 9113: frames of unknown kinds are skipped

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        if flags & frames.PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        if flags & frames.PRIORITY:
            payload = payload[5:]
        ended = bool(flags & frames.END_STREAM)
        if flags & frames.END_HEADERS:
            self._streams.headers(stream, payload, ended=ended)
        else:
            self._headers = (stream, ended, payload)

    def _on_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        if self._headers is None or self._headers[0] != stream:
            raise FrameError("CONTINUATION of no headers")
        _, ended, block = self._headers
        block += payload
        if len(block) > _MAX_BLOCK_BYTES:
            raise FrameError("a header block without end")
        self._headers = (stream, ended, block)
        if flags & frames.END_HEADERS:
            self._headers = None
            self._streams.headers(stream, block, ended=ended)

    def _on_settings(self, values: dict[int, int]) -> None:
        if values.get(frames.SETTINGS_HEADER_TABLE_SIZE, 4096) < _BLOCK_BYTES_NEEDED:
            raise FrameError("the server keeps no header table; this client needs one")
        self.max_streams = values.get(frames.SETTINGS_MAX_CONCURRENT_STREAMS, self.max_streams)
        self._stream_window = values.get(frames.SETTINGS_INITIAL_WINDOW_SIZE, self._stream_window)
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))
        self.ready = True
