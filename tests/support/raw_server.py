"""A server that says exactly the bytes that a test wants said."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Peer:
    """One connection, from the server's side."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        """Read one request, with its body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = _CONTENT_LENGTH.search(head)
        return head + (await self.reader.readexactly(int(length[1])) if length else b"")

    async def send(self, *pieces: bytes) -> None:
        """Write pieces so that each may arrive alone."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def gone(self) -> float:
        """Wait until the client has closed; give the loop's time at which it had."""
        with suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass
        return asyncio.get_running_loop().time()


@dataclass(slots=True)
class RawServer:
    """The server; get one from `raw_server`. ``connections`` counts those it has ``accepted``."""

    port: int = 0
    connections: int = 0
    accepted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


Handler = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def raw_server(
    handler: Handler, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    """Run ``handler`` for each connection, which is closed when it returns."""
    server = RawServer()
    handlers: set[asyncio.Task[None]] = set()

    async def serve(peer: Peer) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await handler(peer)
        finally:
            # Without waiting: a client that has vanished says no goodbye.
            peer.writer.transport.abort() if tls is not None else peer.writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        peer = Peer(server.connections, reader, writer)
        server.accepted.set()
        task = asyncio.create_task(serve(peer))
        handlers.add(task)
        task.add_done_callback(handlers.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        running = list(handlers)
        for task in running:
            task.cancel()
        results = await asyncio.gather(*running, return_exceptions=True)
        await listener.wait_closed()
        for result in results:
            if isinstance(result, Exception):
                raise result


def saying(*pieces: bytes) -> Handler:
    """Answer each request of a connection with the same bytes, and keep the connection."""

    async def handler(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(*pieces)

    return handler


def saying_once(*pieces: bytes) -> Handler:
    """Answer the first request of a connection and close."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)

    return handler
