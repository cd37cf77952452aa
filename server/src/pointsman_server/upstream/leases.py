"""Connections on lease: opening, handing on, expiring and closing what the pool decides about."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pointsman_server.upstream.connection import READ_BUFFER_BYTES, Connection
from pointsman_server.upstream.connector import Connector
from pointsman_server.upstream.errors import ConnectFailed, ConnectReason
from pointsman_server.upstream.pool import Pool, Turn
from pointsman_server.upstream.route import Route
from pointsman_server.upstream.settings import UpstreamSettings

CLOSE_TIMEOUT_S = 1.0
"""How long closing waits for sockets, which close by themselves, to be closed."""

Ticket = asyncio.Future[Connection | None]
"""A place in the queue: done with a connection, or with leave to open one."""


class Leases:
    """Lends connections along ``route``: each to one call, which ends with `release` or `discard`.

    A `Keeper` of its connections.
    """

    def __init__(self, route: Route, settings: UpstreamSettings) -> None:
        self._settings = settings
        self._connector = Connector(route, self._make)
        self._pool: Pool[Connection, Ticket] = Pool(
            settings.max_connections, settings.idle_lifetime_s
        )
        self._buffer = memoryview(bytearray(READ_BUFFER_BYTES))
        self._open: set[Connection] = set()
        self._opening: set[asyncio.Timeout] = set()
        self._expiry: asyncio.TimerHandle | None = None
        self._all_closed = asyncio.Event()
        self.closed = False

    @property
    def pool(self) -> Pool[Connection, Ticket]:
        """The pool, for its counts."""
        return self._pool

    def lease_idle(self) -> Connection | Turn:
        """Lend an idle connection, or say how to come by one with `lease`.

        Raises:
            ConnectFailed: all is closed.
        """
        if self.closed:
            raise ConnectFailed(ConnectReason.CLIENT_CLOSED)
        return self._pool.lease()

    async def lease(self, turn: Turn) -> tuple[Connection, bool]:
        """Lend a connection, and say whether it has carried a request before.

        Raises:
            ConnectFailed: it cannot be opened.
        """
        if turn is Turn.WAIT:
            granted = await self._in_turn()
            if granted is not None:
                return granted, True
        try:
            return await self._connect(), False
        except BaseException:
            self._hand_on(None)
            raise

    async def replace(self, connection: Connection) -> Connection:
        """Open a connection in the place of one that is lent and dead.

        Raises:
            ConnectFailed: it cannot be opened; the old one is still to be discarded.
        """
        connection.abort()
        return await self._connect()

    def release(self, connection: Connection) -> None:
        """Take back a connection whose response is whole but, perhaps, for its end."""
        parser = connection.parser
        if self.closed or not self._settings.keep_alive or not parser.keep_alive:
            self.discard(connection)
        elif connection.reusable:
            self._hand_on(connection)
        elif connection.over or parser.complete:
            self.discard(connection)
        else:
            connection.drain()

    def discard(self, connection: Connection) -> None:
        """Close a connection that was lent."""
        connection.abort()
        self._hand_on(None)

    async def close(self) -> None:
        """Close every connection, also those that are lent, and all attempts to open one."""
        self.closed = True
        if self._expiry is not None:
            self._expiry.cancel()
        for scope in self._opening:
            if not scope.expired():
                scope.reschedule(0)
        for ticket in self._pool.dissolve():
            if not ticket.done():
                ticket.set_result(None)
        for connection in list(self._open):
            connection.kill()
        self._look_around()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._all_closed.wait()

    # What connections tell.

    def on_closed(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)
        self._look_around()

    def on_idle_ended(self, connection: Connection) -> None:
        """Drop a connection that the peer has closed while no call held it."""
        self._pool.drop(connection)

    def on_drained(self, connection: Connection) -> None:
        """Take back a connection whose response has ended, or took too long to."""
        if connection.reusable and not self.closed:
            self._hand_on(connection)
        else:
            self.discard(connection)

    # The rest is this class's own.

    def _make(self) -> Connection:
        return Connection(asyncio.get_running_loop(), self, self._buffer)

    async def _in_turn(self) -> Connection | None:
        ticket: Ticket = asyncio.get_running_loop().create_future()
        self._pool.wait(ticket)
        try:
            return await ticket
        except BaseException:
            left = self._pool.leave(ticket)
            if not left and not ticket.cancelled():
                # Its turn came just when nobody waited for it any more.
                self._return(ticket.result())
            raise

    async def _connect(self) -> Connection:
        if self.closed:
            raise ConnectFailed(ConnectReason.CLIENT_CLOSED)
        scope = asyncio.timeout(self._settings.connect_timeout_s)
        self._opening.add(scope)
        try:
            async with scope:
                connection = await self._connector.open()
            if not connection.closed:
                self._open.add(connection)
            if self.closed:
                connection.kill()
            return connection
        except TimeoutError:
            closed = self.closed
            reason = ConnectReason.CLIENT_CLOSED if closed else ConnectReason.TIMEOUT
            raise ConnectFailed(reason) from None
        finally:
            self._opening.discard(scope)
            self._look_around()

    def _return(self, granted: Connection | None) -> None:
        if granted is None:
            self._hand_on(None)
        else:
            self.release(granted)

    def _hand_on(self, connection: Connection | None) -> None:
        """Pass a slot on, with its connection or without one."""
        if connection is not None:
            connection.idle()
        while (ticket := self._pool.next()) is not None:
            if not ticket.done():
                ticket.set_result(connection)
                return
        if connection is None:
            self._pool.free()
            return
        loop = asyncio.get_running_loop()
        self._pool.keep(connection, loop.time())
        if self._expiry is None:
            self._expiry = loop.call_later(self._settings.idle_lifetime_s, self._expire)

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        for connection in self._pool.expire(loop.time()):
            connection.abort()
        due = self._pool.next_expiry
        self._expiry = None if due is None else loop.call_at(due, self._expire)

    def _look_around(self) -> None:
        if self.closed and not self._open and not self._opening:
            self._all_closed.set()
