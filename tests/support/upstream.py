"""A provider that does as it is told and keeps its own books.

`Upstream` is an HTTP/1.1 server on loopback or a Unix socket. Each request is answered with the
next queued `Reply`, or else with the default one, and a reply is a list of steps: bytes to send,
pauses, cuts. What it saw and sent is in its books (`requests`, `tokens_sent`, `closes`): that is
the truth that a client's own account of tokens and of cancelled calls is compared with.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Framing = Literal["chunked", "length", "close"]

MAX_BODY_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes; ``tokens`` is what they count for in the books."""

    data: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before the next step."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait until the event is set."""

    until: asyncio.Event


@dataclass(frozen=True, slots=True)
class Hang:
    """Send nothing more and wait for the client to go away."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the connection without ending the body; with ``reset``, by RST instead of FIN."""

    reset: bool = False


Step = Send | Pause | Hold | Hang | Cut


@dataclass(frozen=True, slots=True)
class Reply:
    """A response: its head is sent with the first step that sends, or at once if it only waits."""

    steps: Sequence[Step] = ()
    status: int = 200
    content_type: str | None = "text/event-stream"
    headers: Sequence[tuple[str, str]] = ()
    framing: Framing = "chunked"
    wait_before_head: float = 0.0


def whole(
    body: bytes | str,
    status: int = 200,
    content_type: str | None = "application/json",
    headers: Sequence[tuple[str, str]] = (),
) -> Reply:
    """A reply whose body is sent at once and with its length."""
    data = body.encode() if isinstance(body, str) else body
    return Reply((Send(data),), status, content_type, headers, framing="length")


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request as it arrived; header names in lower case, ``at`` on the loop's clock."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    connection: int

    @property
    def json(self) -> object:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class SeenClose:
    """The client closed a connection; ``answering`` if that was before its answer was sent."""

    connection: int
    at: float
    answering: bool


Script = Callable[[SeenRequest], Reply]


@dataclass(slots=True)
class Upstream:
    """The server; get one from `upstream_server`."""

    url: str
    unix_socket: str | None
    default: Script
    queue: deque[Reply] = field(default_factory=deque)
    requests: list[SeenRequest] = field(default_factory=list)
    closes: list[SeenClose] = field(default_factory=list)
    connections: int = 0
    answers_completed: int = 0
    tokens_sent: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def enqueue(self, *replies: Reply) -> None:
        """Answer the next requests with these, in order."""
        self.queue.extend(replies)

    async def wait_for(self, happened: Callable[[Upstream], bool], timeout_s: float = 5.0) -> None:
        """Wait until the books satisfy ``happened``."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: happened(self))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        self.connections += 1
        number = self.connections
        try:
            while (request := await _read_request(reader, number)) is not None:
                self.requests.append(request)
                await self._tell()
                reply = self.queue.popleft() if self.queue else self.default(request)
                if not await self._answer(reply, number, reader, writer):
                    return
                self.answers_completed += 1
                await self._tell()
                if reply.framing == "close" or request.headers.get("connection") == "close":
                    return
            await self._closed(number, answering=False)
        except (ConnectionError, asyncio.IncompleteReadError):
            await self._closed(number, answering=False)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(
        self,
        reply: Reply,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Whether the answer was sent whole."""
        steps = asyncio.create_task(self._perform(reply, writer))
        # A client sends nothing while it is answered, so that a read ends only when it leaves.
        gone = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({steps, gone}, return_when=asyncio.FIRST_COMPLETED)
            if steps.done() and steps.exception() is None:
                if not gone.done():
                    return steps.result()
                if steps.result() and gone.exception() is None:
                    return True
            await self._closed(number, answering=True)
            return False
        finally:
            for task in (steps, gone):
                task.cancel()
            await asyncio.gather(steps, gone, return_exceptions=True)

    async def _perform(self, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(reply.wait_before_head)
        head = _head(reply)
        for step in reply.steps:
            match step:
                case Send(data, tokens):
                    writer.write(head + (_chunk(data) if reply.framing == "chunked" else data))
                    head = b""
                    await writer.drain()
                    self.tokens_sent += tokens
                    await self._tell()
                    continue
                case Pause() | Hold() | Hang():
                    writer.write(head)
                    head = b""
                    await writer.drain()
            match step:
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Hold(until):
                    await until.wait()
                case Hang():
                    await asyncio.Event().wait()
                case Cut(reset):
                    writer.write(head)
                    await writer.drain()
                    _cut(writer, reset=reset)
                    return False
        writer.write(head + (b"0\r\n\r\n" if reply.framing == "chunked" else b""))
        await writer.drain()
        return True

    async def _closed(self, number: int, *, answering: bool) -> None:
        self.closes.append(SeenClose(number, asyncio.get_running_loop().time(), answering))
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def upstream_server(
    default: Script | Reply | None = None, unix_socket: Path | None = None
) -> AsyncIterator[Upstream]:
    """Run an `Upstream`; without a default, a request that nobody scripted gets a 500."""

    def script(request: SeenRequest) -> Reply:
        if default is None:
            return whole("nothing was scripted", 500, "text/plain")
        return default if isinstance(default, Reply) else default(request)

    upstream = Upstream("http://localhost", None, script)
    handlers: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.create_task(upstream.serve(reader, writer))
        handlers.add(handler)
        handler.add_done_callback(handlers.discard)

    if unix_socket is None:
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    else:
        server = await asyncio.start_unix_server(accept, unix_socket)
        upstream.unix_socket = str(unix_socket)
    try:
        yield upstream
    finally:
        server.close()
        running = list(handlers)
        for handler in running:
            handler.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


async def _read_request(reader: asyncio.StreamReader, connection: int) -> SeenRequest | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    length = int(headers.get("content-length", "0"))
    if length > MAX_BODY_BYTES or "transfer-encoding" in headers:
        raise ConnectionError("a body that this server does not read")
    body = await reader.readexactly(length)
    return SeenRequest(method, path, headers, body, asyncio.get_running_loop().time(), connection)


def _head(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} Scripted"]
    if reply.content_type is not None:
        lines.append(f"content-type: {reply.content_type}")
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if reply.framing == "chunked":
        lines.append("transfer-encoding: chunked")
    elif reply.framing == "length":
        length = sum(len(step.data) for step in reply.steps if isinstance(step, Send))
        lines.append(f"content-length: {length}")
    else:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


def _cut(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        # SO_LINGER of zero seconds makes close() send RST.
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()
