"""gRPC calls over one HTTP/2 connection, without I/O: bytes in, ended calls and bytes out."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

from pointsman_bench.capacity import frames
from pointsman_bench.capacity.answers import Answers
from pointsman_bench.capacity.frames import FrameError
from pointsman_bench.capacity.h2 import MAX_BODY_BYTES, Http2Client
from pointsman_bench.capacity.tally import Exchange, Tally
from pointsman_bench.capacity.work import COUNTER, WorkError

_PREFIX = 5
_COUNTS = 10 ** len(COUNTER)


@dataclass(slots=True)
class _Stream:
    """One call's stream.

    ``owed`` bytes of the current message have yet to come; ``cut`` is the beginning of a message's
    prefix, where DATA ended within it.
    """

    exchange: Exchange
    owed: int = 0
    cut: bytes = b""
    began: bool = False


class GrpcCalls:
    """Calls of one method, each with the same request, but its number.

    `begin` starts a call; `receive` takes what came and returns the calls that have ended; what
    has to be sent is in `take`.

    Raises:
        WorkError: the request is too large for this client.
    """

    def __init__(
        self, path: str, authority: str, body: bytes, answers: Answers, tally: Tally
    ) -> None:
        self.connection = Http2Client(
            self,
            (
                (":path", path),
                (":authority", authority),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                ("user-agent", "pointsman-bench"),
            ),
        )
        head, found, self._tail = body.partition(COUNTER)
        self._head = struct.pack(">BI", 0, len(body)) + head
        self._counted = bool(found)
        self._size = _PREFIX + len(body)
        if self._size > MAX_BODY_BYTES:
            raise WorkError(f"a request of {len(body)} bytes; this client sends up to 16 kB")
        self._answers = answers
        self._tally = tally
        self._streams: dict[int, _Stream] = {}
        self._waiting: deque[Exchange] = deque()
        self._ended: list[Exchange] = []
        self._now = 0.0

    def begin(self, exchange: Exchange) -> None:
        """Start a call, at once or as soon as the server lets us send."""
        if self._waiting or not self._may_send():
            self._waiting.append(exchange)
        else:
            self._send(exchange)

    def receive(self, data: bytes, now: float) -> list[Exchange]:
        """Take what came; the calls that ended with it.

        Raises:
            FrameError: the server broke the protocol, or does what this client has no part of.
        """
        self._now = now
        self.connection.receive(data)
        while self._waiting and self._may_send():
            self._send(self._waiting.popleft())
        ended, self._ended = self._ended, []
        return ended

    def take(self) -> bytes:
        """What has to be sent now."""
        return self.connection.take()

    def lose(self, why: str) -> list[Exchange]:
        """The connection is gone: the calls that went with it."""
        lost = [stream.exchange for stream in self._streams.values()] + list(self._waiting)
        self._streams.clear()
        self._waiting.clear()
        for exchange in lost:
            exchange.error = why
        return lost

    def headers(self, stream: int, block: bytes, *, ended: bool) -> None:
        """Response headers, or trailers."""
        call = self._streams.get(stream)
        if call is None:
            return
        if not ended:
            if not call.began and not frames.response_is_ok(block):
                call.exchange.error = f"HTTP status {frames.decode(block).get(':status', 'none')}"
            call.began = True
            return
        if not call.exchange.error:
            call.exchange.error = self._failure(call, block)
        self._end(stream, call)

    def data(self, stream: int, payload: bytes, *, ended: bool) -> None:
        """Bytes of messages."""
        call = self._streams.get(stream)
        if call is None:
            return
        exchange = call.exchange
        exchange.pieces.append(payload)
        messages = _count(call, payload)
        tokens = self._answers.glance(payload)
        if tokens:
            exchange.tokens += tokens
            if exchange.first_token_at is None:
                exchange.first_token_at = self._now
        exchange.messages += messages
        self._tally.arrived(len(payload), tokens, messages)
        if ended:
            exchange.error = "the stream ended without trailers"
            self._end(stream, call)

    def reset(self, stream: int, code: int) -> None:
        """The server gave a call up."""
        call = self._streams.get(stream)
        if call is not None:
            call.exchange.error = call.exchange.error or f"RST_STREAM {code}"
            self._end(stream, call)

    def _may_send(self) -> bool:
        connection = self.connection
        return len(self._streams) < connection.max_streams and connection.may_send(self._size)

    def _send(self, exchange: Exchange) -> None:
        body = self._head
        if self._counted:
            body += b"%08d" % (exchange.number % _COUNTS)
        self._streams[self.connection.send(body + self._tail)] = _Stream(exchange)

    def _end(self, stream: int, call: _Stream) -> None:
        del self._streams[stream]
        self._ended.append(call.exchange)

    @staticmethod
    def _failure(call: _Stream, trailers: bytes) -> str:
        try:
            code, message = frames.grpc_status(trailers)
        except FrameError as error:
            return str(error)
        if code:
            return f"grpc-status {code}: {message}"
        return "the last message is cut off" if call.owed or call.cut else ""


def _count(call: _Stream, payload: bytes) -> int:
    """How many messages begin in these bytes."""
    if call.cut:
        payload = call.cut + payload
        call.cut = b""
    at, end, messages = call.owed, len(payload), 0
    while at + _PREFIX <= end:
        at += _PREFIX + int.from_bytes(payload[at + 1 : at + _PREFIX])
        messages += 1
    if at < end:
        call.cut = payload[at:]
        at = end
    call.owed = at - end
    return messages
