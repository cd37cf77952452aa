"""HTTP/2 by hand: a client that shows what is on the wire, and may send what no stock client would.

One `Http2` is one connection. It knows frames and header compression and nothing of gRPC, besides
`message`, which puts a length before a message. It takes no part in flow control but to open its
own windows wide at the start.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from hpack import Decoder, Encoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0x0, 0x1, 0x3, 0x4, 0x6, 0x8
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS = 0x4, 0x3
WIDE = 2**30
LARGEST_FRAME = 16384

Header = tuple[str, str]


def message(data: bytes, *, compressed: bool = False) -> bytes:
    """A message as gRPC frames it."""
    return bytes([compressed]) + struct.pack(">I", len(data)) + data


@dataclass(slots=True)
class Response:
    """What came on one stream: blocks of headers, data, and how it ended."""

    blocks: list[dict[str, str]] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The first block."""
        return self.blocks[0]

    @property
    def trailers(self) -> dict[str, str]:
        """The last block: the first one too where nothing but an error came."""
        return self.blocks[-1]

    @property
    def done(self) -> bool:
        """Whether nothing more comes."""
        return self.ended or self.reset is not None

    def messages(self) -> list[bytes]:
        """The whole messages so far."""
        found, at = [], 0
        while len(self.data) - at >= 5:
            length = int.from_bytes(self.data[at + 1 : at + 5], "big")
            if len(self.data) - at - 5 < length:
                break
            found.append(bytes(self.data[at + 5 : at + 5 + length]))
            at += 5 + length
        return found


class Http2:
    """One connection; get one from `http2`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._encoder, self._decoder = Encoder(), Decoder()
        self._next_stream = 1
        self._block = bytearray()
        self._block_flags = 0
        self._changed = asyncio.Condition()
        self.streams: dict[int, Response] = {}
        self.settings: dict[int, int] = {}
        self.pongs: list[bytes] = []
        self.goaway: tuple[int, int] | None = None
        self.closed = False

    def frame(self, kind: int, flags: int, stream: int, payload: bytes = b"") -> None:
        """Send a frame."""
        head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
        self.writer.write(head + struct.pack(">I", stream) + payload)

    def begin(self) -> None:
        """Send the preface, with wide windows for what the server sends."""
        self.writer.write(PREFACE)
        self.frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, WIDE))
        self.frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WIDE))

    def open(self, headers: Iterable[Header], *, end: bool = False) -> int:
        """Open a stream; returns its number."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self.streams[stream] = Response()
        flags = END_HEADERS | (END_STREAM if end else 0)
        self.frame(HEADERS, flags, stream, self._encoder.encode(list(headers)))
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Send data, in frames as large as any server must take."""
        pieces = [data[i : i + LARGEST_FRAME] for i in range(0, len(data), LARGEST_FRAME)] or [b""]
        for i, piece in enumerate(pieces):
            last = end and i == len(pieces) - 1
            self.frame(DATA, END_STREAM if last else 0, stream, piece)

    def ping(self, payload: bytes) -> None:
        """Send a ping of eight bytes."""
        self.frame(PING, 0, 0, payload)

    def reset(self, stream: int, code: int = 8) -> None:
        """Reset a stream; 8 is CANCEL."""
        self.frame(RST_STREAM, 0, stream, struct.pack(">I", code))

    async def wait_for(self, happened: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Wait until something has come, or the connection has closed, that makes this true."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(happened)

    async def response(self, stream: int, timeout_s: float = 5.0) -> Response:
        """The whole response of a stream."""
        found = self.streams[stream]
        await self.wait_for(lambda: found.done or self.closed, timeout_s)
        return found

    async def call(
        self, headers: Sequence[Header], *pieces: bytes, timeout_s: float = 5.0
    ) -> Response:
        """Open a stream, send these pieces, end it, and wait for the response."""
        stream = self.open(headers)
        for piece in pieces:
            self.send(stream, piece)
        self.frame(DATA, END_STREAM, stream)
        return await self.response(stream, timeout_s)

    async def listen(self) -> None:
        """Take in what comes, until the connection closes."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await self._reader.readexactly(9)
                length = int.from_bytes(head[:3], "big")
                payload = await self._reader.readexactly(length)
                self._take(head[3], head[4], int.from_bytes(head[5:], "big"), payload)
                await self._tell()
        self.closed = True
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        match kind:
            case 0x0:
                self.streams[stream].data += _unpadded(flags, payload)
                self.streams[stream].ended |= bool(flags & END_STREAM)
            case 0x1:
                self._block_flags = flags
                body = _unpadded(flags, payload)
                self._block = bytearray(body[5:] if flags & PRIORITY else body)
                self._end_block(flags, stream)
            case 0x9:
                self._block += payload
                self._end_block(flags, stream)
            case 0x3 if self.streams[stream].reset is None:
                self.streams[stream].reset = int.from_bytes(payload, "big")
            case 0x4 if not flags & ACK:
                for at in range(0, len(payload), 6):
                    name, value = struct.unpack(">HI", payload[at : at + 6])
                    self.settings[name] = value
                self.frame(SETTINGS, ACK, 0)
            case 0x6 if flags & ACK:
                self.pongs.append(payload)
            case 0x6:
                self.frame(PING, ACK, 0, payload)
            case 0x7:
                last, code = struct.unpack(">II", payload[:8])
                self.goaway = (last, code)

    def _end_block(self, flags: int, stream: int) -> None:
        if not flags & END_HEADERS:
            return
        found = self.streams[stream]
        found.blocks.append(dict(self._decode()))
        found.ended |= bool(self._block_flags & END_STREAM)

    def _decode(self) -> list[Header]:
        headers: Any = self._decoder.decode(bytes(self._block))
        return [(str(name), str(value)) for name, value in headers]


def _unpadded(flags: int, payload: bytes) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & PADDED else payload


@asynccontextmanager
async def http2(address: str) -> AsyncIterator[Http2]:
    """A connection to host:port, begun."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    connection = Http2(reader, writer)
    listening = asyncio.create_task(connection.listen())
    try:
        connection.begin()
        yield connection
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def grpc_headers(path: str, *more: Header, without: str = "") -> list[Header]:
    """The headers of a gRPC request, as stock clients send them, less one."""
    usual = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "127.0.0.1"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
    changed = {name for name, _ in more if name.startswith(":")}
    return [h for h in usual if h[0] not in changed and h[0] != without] + list(more)
