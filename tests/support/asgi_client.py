"""A client of an ASGI application without a server between: events in, events out."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections import deque
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any

from google.rpc.status_pb2 import Status
from pointsman_server.api.call import Service
from pointsman_server.transports.asgi import GrpcApplication
from pointsman_server.transports.exchange import Limits
from virtual_time import now

HEADERS = ((b"content-type", b"application/grpc"), (b"te", b"trailers"))
MAX_BYTES = 1024


def framed(data: bytes, *, compressed: bool = False) -> bytes:
    """A message as gRPC frames it."""
    return bytes([compressed]) + len(data).to_bytes(4, "big") + data


class Now:
    """What awaits nothing."""

    def __await__(self) -> Any:
        return iter(())


@dataclass
class Asgi:
    """One request and what was answered.

    ``pieces`` of the body come one by one; ``None`` is the client's leaving. The last piece has the
    end of the body with it unless ``open``. ``room`` is for how many events there is room.
    """

    pieces: deque[bytes | None]
    open: bool = False
    room: int = 1_000_000
    sent: list[dict[str, Any]] = field(default_factory=list)
    gone: bool = False
    _read: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Any:
        """The next event."""
        if not self.pieces:
            await asyncio.Event().wait()
        piece = self.pieces.popleft()
        if piece is None:
            self.gone = True
            return {"type": "http.disconnect"}
        return {
            "type": "http.request",
            "body": piece,
            "more_body": self.open or bool(self.pieces),
        }

    def send(self, event: Any) -> Awaitable[None]:
        """Take an event; there may be no room for it yet."""
        if self.gone:
            raise OSError("the stream has closed")
        self.sent.append(dict(event))
        return Now() if len(self.sent) <= self.room else self._until_read(len(self.sent))

    async def _until_read(self, place: int) -> None:
        while place > self.room:
            await self._read.wait()

    def read(self, events: int = 1_000_000) -> None:
        """Make room for more."""
        self.room += events
        self._read.set()
        self._read.clear()

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The first block."""
        return dict(self.sent[0]["headers"])

    @property
    def trailers(self) -> dict[bytes, bytes]:
        """The last block: the first one too, where there was nothing else to say."""
        last = self.sent[-1]
        return dict(last["headers"]) if last["type"] == "http.response.trailers" else self.headers

    @property
    def body(self) -> bytes:
        """All of the body."""
        return b"".join(event.get("body", b"") for event in self.sent)

    @property
    def grpc_status(self) -> Status:
        """The status with its details."""
        text = self.trailers[b"grpc-status-details-bin"]
        status = Status.FromString(b64decode(text + b"=" * (-len(text) % 4)))
        assert str(status.code).encode() == self.trailers[b"grpc-status"]
        return status


def request(*pieces: bytes | None, open: bool = False, room: int = 1_000_000) -> Asgi:
    """A request whose body comes in these pieces."""
    return Asgi(deque(pieces), open, room)


def scope(path: str, headers: Iterable[tuple[bytes, bytes]] = HEADERS) -> Any:
    """A request's scope, as h2corn makes it."""
    names = ["http.response.trailers"] if (b"te", b"trailers") in headers else []
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": list(headers),
        "extensions": {name: {} for name in names},
        "client": ("127.0.0.1", 1),
    }


@dataclass
class Application:
    """An application of one service, "t.T", and the faults that it told."""

    asgi: GrpcApplication
    faults: list[BaseException]

    async def call(self, method: str, client: Asgi, *more: tuple[bytes, bytes]) -> Asgi:
        """Serve one request to its end."""
        await self.asgi(scope(f"/t.T/{method}", (*HEADERS, *more)), client.receive, client.send)
        return client


def application(stalled_s: float = 10.0, **methods: Any) -> Application:
    """An application with these methods."""
    faults: list[BaseException] = []

    def on_fault(error: BaseException) -> str:
        faults.append(error)
        return "fault-1"

    limits = Limits(MAX_BYTES, stalled_s)
    served = GrpcApplication([Service("t.T", methods)], [], limits, now, on_fault)
    return Application(served, faults)
