"""A worker's end of the channel to its parent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import suppress

from pointsman_server.supervisor.messages import (
    Failed,
    FromWorker,
    Order,
    ProtocolError,
    decode_order,
    encode,
)


class Parent:
    """The parent. It may be gone at any time: then nothing that is said is heard."""

    def __init__(self, control_fd: int) -> None:
        self._socket = socket.socket(fileno=control_fd)
        self._socket.set_inheritable(False)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    def failed(self, failed: Failed) -> None:
        """Say, without an event loop, that this worker cannot serve."""
        with suppress(OSError):
            self._socket.setblocking(True)
            self._socket.sendall(encode(failed))

    async def open(self) -> None:
        """Get ready to say something and to hear orders."""
        self._socket.setblocking(False)
        self._reader, self._writer = await asyncio.open_connection(sock=self._socket)

    async def say(self, message: FromWorker) -> None:
        """Say something; returns when it is on its way."""
        if self._writer is not None:
            with suppress(ConnectionError):
                self._writer.write(encode(message))
                await self._writer.drain()

    async def orders(self) -> AsyncGenerator[Order, None]:
        """What the parent wants, until it is gone."""
        with suppress(ConnectionError, ProtocolError):
            while self._reader is not None and (line := await self._reader.readline()):
                yield decode_order(line)
