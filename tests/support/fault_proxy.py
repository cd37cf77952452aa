"""A byte-level proxy that cuts, stalls and garbles what a real server answers.

It listens on loopback and forwards to a TCP port or to a Unix socket. Each connection consumes the
next queued fault; without one it passes everything through. It counts what it saw.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from faults import Action, Canned, Close, Fault, PassThrough, Shaper, Stall, Wait

Side = Literal["client", "server", "proxy"]
Target = tuple[str, int] | Path
"""Host and port, or the path of a Unix socket."""

READ_BYTES = 1 << 16

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ObservedClose:
    """Who closed a connection first, and when on the loop's clock."""

    connection: int
    side: Side
    at: float


@dataclass(slots=True)
class FaultProxy:
    """The proxy; get one from `fault_proxy`. Its address is ``host`` and ``port``."""

    target: Target
    host: str = "127.0.0.1"
    port: int = 0
    faults: deque[Fault] = field(default_factory=deque)
    connections: int = 0
    bytes_to_server: int = 0
    bytes_to_client: int = 0
    closes: list[ObservedClose] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        """The address as an http URL."""
        return f"http://{self.host}:{self.port}"

    def enqueue(self, *faults: Fault) -> None:
        """Give the next connections these faults, in order."""
        self.faults.extend(faults)

    async def wait_for(
        self, happened: Callable[[FaultProxy], bool], timeout_s: float = 5.0
    ) -> None:
        """Wait until the counters satisfy ``happened``."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: happened(self))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        self.connections += 1
        number = self.connections
        fault = self.faults.popleft() if self.faults else PassThrough()
        try:
            if isinstance(fault, Canned):
                await self._answer(fault, number, reader, writer)
            else:
                await self._carry(fault, number, reader, writer)
        finally:
            await _close(writer)
            await self._tell()

    async def _answer(
        self,
        fault: Canned,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        # The request is read whole: closing with bytes unread would send RST over the answer.
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _CONTENT_LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            self.bytes_to_server += len(head) + len(body)
            await self._send(writer, fault.response)
            self._saw_close(number, "proxy")
        except (ConnectionError, asyncio.IncompleteReadError):
            self._saw_close(number, "client")

    async def _carry(
        self,
        fault: Fault,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            server_reader, server_writer = await _connect(self.target)
        except OSError:
            # Read first: closing with bytes unread would be a reset.
            await reader.read(READ_BYTES)
            self._saw_close(number, "server")
            return
        asked = asyncio.Event()
        requests = asyncio.create_task(self._forward(reader, server_writer, asked))
        responses = asyncio.create_task(self._shape(Shaper(fault), asked, server_reader, writer))
        try:
            done, _ = await asyncio.wait({requests, responses}, return_when=asyncio.FIRST_COMPLETED)
            if responses in done and responses.exception() is None:
                self._saw_close(number, responses.result())
            else:
                self._saw_close(number, "client")
        finally:
            for task in (requests, responses):
                task.cancel()
            await asyncio.gather(requests, responses, return_exceptions=True)
            await _close(server_writer)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event
    ) -> None:
        while data := await reader.read(READ_BYTES):
            asked.set()
            writer.write(data)
            await writer.drain()
            self.bytes_to_server += len(data)

    async def _shape(
        self,
        shaper: Shaper,
        asked: asyncio.Event,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> Side:
        """Whose close ended the response."""
        await asked.wait()
        for action in shaper.start():
            if await self._perform(action, writer):
                return "proxy"
        while True:
            try:
                data = await reader.read(READ_BYTES)
            except ConnectionError:
                return "server"
            if not data:
                return "server"
            for action in shaper.feed(data):
                if await self._perform(action, writer):
                    return "proxy"

    async def _perform(self, action: Action, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is to be closed."""
        match action:
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Stall():
                await asyncio.Event().wait()
            case Close(reset):
                if reset:
                    _reset(writer)
                return True
            case _:
                await self._send(writer, action)
        return False

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        self.bytes_to_client += len(data)
        await self._tell()

    def _saw_close(self, number: int, side: Side) -> None:
        self.closes.append(ObservedClose(number, side, asyncio.get_running_loop().time()))

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def fault_proxy(target: Target) -> AsyncIterator[FaultProxy]:
    """Run a proxy in front of ``target`` on a port of its own."""
    proxy = FaultProxy(target)
    handlers: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.create_task(proxy.serve(reader, writer))
        handlers.add(handler)
        handler.add_done_callback(handlers.discard)

    server = await asyncio.start_server(accept, proxy.host, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        running = list(handlers)
        for handler in running:
            handler.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


async def _connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(target, Path):
        return await asyncio.open_unix_connection(target)
    return await asyncio.open_connection(*target)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    # SO_LINGER of zero seconds makes the close send RST.
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
