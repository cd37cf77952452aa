"""The page that serves /metrics of all workers: HTTP/1.1, one request a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

MAX_HEAD_BYTES = 8 * 1024
MAX_CONNECTIONS = 32
PATIENCE_S = 5.0
TEXT = "text/plain; version=0.0.4; charset=utf-8"

Collect = Callable[[], Awaitable[str]]


class Page:
    """Answers GET /metrics with what ``collect`` returns."""

    def __init__(self, collect: Collect) -> None:
        self._collect = collect
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port in use.

        Raises:
            OSError: the address cannot be listened on.
        """
        server = await asyncio.start_server(self._accept, host, port, limit=MAX_HEAD_BYTES)
        self._server = server
        return int(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop serving. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in list(self._open):
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(head))
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass  # who does not ask, or does not listen, gets no answer
        except asyncio.LimitOverrunError:
            writer.write(_response("431 Request Header Fields Too Large", "too long a head\n"))
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method != "GET":
            return _response("405 Method Not Allowed", "only GET\n", "allow: GET\r\n")
        if path not in ("/", "/metrics"):
            return _response("404 Not Found", "the metrics are at /metrics\n")
        return _response("200 OK", await self._collect(), f"content-type: {TEXT}\r\n")


def _response(status: str, body: str, headers: str = "") -> bytes:
    data = body.encode()
    head = f"HTTP/1.1 {status}\r\n{headers}content-length: {len(data)}\r\nconnection: close\r\n\r\n"
    return head.encode("latin-1") + data
