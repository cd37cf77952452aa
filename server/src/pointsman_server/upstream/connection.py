"""One connection: bytes out, one response in at a time, and nothing read that nobody takes."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Protocol, cast

from pointsman_server.upstream.errors import (
    ConnectFailed,
    ConnectReason,
    Interrupted,
    UpstreamError,
)
from pointsman_server.upstream.parser import ResponseParser

READ_BUFFER_BYTES = 1 << 18
HIGH_WATER_BYTES = 1 << 18
"""What may wait for its reader before the peer is no longer read from."""

WRITE_BYTES = 1 << 16
"""What is written at once; more waits until the socket takes it."""

DRAIN_TIMEOUT_S = 1.0
DRAIN_BYTES = 1 << 16


class Keeper(Protocol):
    """Who is told of connections what no call sees."""

    def on_closed(self, connection: Connection) -> None:
        """Forget a connection that is closed."""

    def on_idle_ended(self, connection: Connection) -> None:
        """Drop an idle connection that can carry no more calls."""

    def on_drained(self, connection: Connection) -> None:
        """Decide about a connection that was drained: it is reusable, or it is not."""


class _Phase(Enum):
    IDLE = auto()
    BUSY = auto()
    DRAINING = auto()


class Connection(asyncio.BufferedProtocol):
    """One HTTP/1.1 connection.

    `request` sends and waits for the head of the response, `arrival` and `take` bring its body.
    Whoever holds the connection ends with `idle`, `drain` or `abort`. ``buffer`` is what is read
    into: all connections of a loop can share one, since it is emptied before the next read.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, keeper: Keeper, buffer: memoryview) -> None:
        self.parser = ResponseParser()
        self.over = False
        """Whether nothing more will arrive."""
        self._loop = loop
        self._keeper = keeper
        self._buffer = buffer
        self._transport: asyncio.Transport | None = None
        # What comes before anything was asked is no answer.
        self._phase = _Phase.IDLE
        self._waiter: asyncio.Future[None] | None = None
        self._error: UpstreamError | None = None
        self._lost_by: Exception | None = None
        self._held = 0
        self._reading_paused = False
        self._writing_paused = False
        self._unsent = False
        self._drain_left = 0
        self._drain_timer: asyncio.TimerHandle | None = None
        self._answered = False

    @property
    def closed(self) -> bool:
        """Whether its socket is."""
        return self._transport is None

    @property
    def reusable(self) -> bool:
        """Whether the response is whole and the connection can carry another request."""
        parser, transport = self.parser, self._transport
        if not parser.complete or not parser.keep_alive or self.over or transport is None:
            return False
        # Of a body that the peer did not wait for, some may be on its way to it for ever.
        return not self._unsent and transport.get_write_buffer_size() == 0

    async def request(self, head: bytes, body: bytes) -> None:
        """Send a request and wait until the head of its response has arrived.

        Raises:
            ConnectFailed: nothing of it arrived.
            UpstreamError: no more of it will arrive, or it is no HTTP.
        """
        parser = self.parser
        if parser.complete:
            parser.reset()
        self._answered = False
        self._phase = _Phase.BUSY
        if not self.over and self._transport is not None:
            if len(body) <= WRITE_BYTES:
                self._transport.write(head + body)
            else:
                await self._write_large(self._transport, head, body)
        while not parser.status:
            if self.over:
                raise self.failure()
            await self.arrival()

    def arrival(self) -> asyncio.Future[None]:
        """Give what is done when something has arrived or the connection has ended.

        For one who waits at a time.
        """
        self._waiter = self._loop.create_future()
        return self._waiter

    def take(self) -> bytes:
        """Take all of the body that has arrived, as it came; the peer is read from again."""
        pieces = self.parser.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._forget()
        return data

    def failure(self) -> UpstreamError:
        """Say why the response did not come, or did not go on."""
        if self._error is not None:
            return self._error
        if self._answered:
            return Interrupted()
        if self._lost_by is None:
            return ConnectFailed(ConnectReason.DISCONNECTED)
        reset = isinstance(self._lost_by, ConnectionError)
        return ConnectFailed(ConnectReason.RESET if reset else ConnectReason.FAILED)

    def idle(self) -> None:
        """Let nobody hold the connection: what arrives now ends it."""
        self._phase = _Phase.IDLE
        self._forget()

    def drain(self) -> None:
        """Await the end of the response, within bounds, and tell the keeper."""
        self._phase = _Phase.DRAINING
        self._drain_left = DRAIN_BYTES - self._held
        self._forget()
        self._drain_timer = self._loop.call_later(DRAIN_TIMEOUT_S, self._end_drain)

    def abort(self) -> None:
        """Close at once, whatever is on its way. Idempotent."""
        self.over = True
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        if self._transport is not None:
            self._transport.abort()

    def kill(self) -> None:
        """Close at once, and let whoever waits for the response know."""
        if self._error is None and not self.over:
            closed = ConnectFailed(ConnectReason.CLIENT_CLOSED)
            self._error = Interrupted() if self.parser.status else closed
        self._finish(None)
        self.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # No isinstance: uvloop's transports are asyncio's in all but their ancestors.
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where to read to."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read what has arrived."""
        if self.over or self._phase is _Phase.IDLE:
            self._finish(None)
            self.abort()
            return
        self._answered = True
        try:
            self.parser.feed(self._buffer[:nbytes])
        except UpstreamError as error:
            self._error = error
            self._finish(None)
            self.abort()
            return
        if self._phase is _Phase.DRAINING:
            self._drain_left -= nbytes
            self.parser.pieces.clear()
            if self.parser.complete or self._drain_left < 0:
                self._end_drain()
            return
        self._held += nbytes
        if self._held > HIGH_WATER_BYTES and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """Take note that the peer will send no more; the transport then closes itself."""
        self._finish(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is closed."""
        self._finish(exc)
        self._transport = None
        self.parser.detach()
        self._keeper.on_closed(self)

    def pause_writing(self) -> None:
        """Write no more for now."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Write on."""
        self._writing_paused = False
        self._wake()

    # The rest is this class's own.

    async def _write_large(self, transport: asyncio.Transport, head: bytes, body: bytes) -> None:
        view = memoryview(body)
        self._unsent = True
        transport.write(head)
        for start in range(0, len(body), WRITE_BYTES):
            transport.write(view[start : start + WRITE_BYTES])
            while self._writing_paused and not self._refused:
                await self.arrival()
            if self._refused:
                return
        self._unsent = False

    @property
    def _refused(self) -> bool:
        """Whether the answer is there, or is known not to come, before all was sent."""
        return self.over or self.parser.complete or self.parser.status >= 300

    def _finish(self, lost_by: Exception | None) -> None:
        if self.over:
            return
        self.over = True
        self._lost_by = lost_by
        if lost_by is None and self._error is None:
            self.parser.end()
        if self._phase is _Phase.DRAINING:
            self._end_drain()
        elif self._phase is _Phase.IDLE:
            self._keeper.on_idle_ended(self)
        else:
            self._wake()

    def _forget(self) -> None:
        """Let go of what has arrived, and have more of it."""
        self.parser.pieces.clear()
        self._held = 0
        if self._reading_paused:
            self._reading_paused = False
            if not self.over and self._transport is not None:
                self._transport.resume_reading()

    def _end_drain(self) -> None:
        if self._drain_timer is not None:
            self._drain_timer.cancel()
            self._drain_timer = None
            self._keeper.on_drained(self)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
