"""A response whose head has arrived, and the reading of its body."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

from pointsman_server.upstream.connection import Connection
from pointsman_server.upstream.errors import BadEncoding, Interrupted
from pointsman_server.upstream.inflate import Inflater
from pointsman_server.upstream.parser import Fields


class Lessor(Protocol):
    """Who takes back the connection of a response that is over."""

    def release(self, connection: Connection) -> None:
        """Take back a connection whose response is whole but, perhaps, for its end."""

    def discard(self, connection: Connection) -> None:
        """Close a connection in the middle of its response."""


class UpstreamResponse:
    """A response; to be ended with `release` or `close`, or by reading it to its end.

    One task reads. Cancelling it while it reads closes the connection at once.
    """

    def __init__(self, connection: Connection, lessor: Lessor) -> None:
        self.status = connection.parser.status
        """The status code."""
        self._fields = connection.parser.fields
        self._connection: Connection | None = connection
        self._lessor = lessor
        self._ended = False
        encoding = _value(self._fields, b"content-encoding").lower()
        self._encoding = "" if encoding == "identity" else encoding
        self._inflater: Inflater | None = None

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The headers; names in lower case, values that came apart joined by commas."""
        return joined_fields(self._fields)

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty where none was sent."""
        return _value(self._fields, b"content-type").partition(";")[0].strip().lower()

    async def read(self) -> bytes:
        """Read all of the body that has arrived since the last call, or wait for more.

        Empty at the end of the body, and only there. Of a compressed body it is a piece of at
        most `MAX_PIECE_BYTES`, and the peer is not read from until those are used up.

        Raises:
            Interrupted: the body is cut or wrongly framed, or was closed here. What had arrived
                before is given first.
            BadEncoding: it is not compressed as it says, or in a way that was not asked for.
        """
        connection = self._connection
        if connection is None:
            if self._ended:
                return b""
            raise Interrupted
        try:
            if self._encoding:
                data = await self._inflated(connection)
            else:
                data = await _arrived(connection)
        except BaseException:
            self.close()
            raise
        if not data:
            self._ended = True
            self.release()
        return data

    async def read_bounded(self, limit: int) -> bytes:
        """Read the first ``limit`` bytes of the body, or all of it where it is shorter.

        Raises:
            UpstreamError: as for `read`.
        """
        body = bytearray()
        while len(body) < limit and (data := await self.read()):
            body += data
        return bytes(body[:limit])

    def release(self) -> None:
        """Say that the answer is whole, so that only the end of the body can follow.

        The connection is then kept for another request: at once where that end has arrived, else
        when it does, within `DRAIN_TIMEOUT_S` and `DRAIN_BYTES`. Idempotent.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            self._lessor.release(connection)

    def close(self) -> None:
        """Close the connection at once: nobody listens any more. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._lessor.discard(connection)

    async def _inflated(self, connection: Connection) -> bytes:
        if self._inflater is None:
            self._inflater = Inflater(self._encoding)
        inflater = self._inflater
        if not inflater.hungry:
            # Much can come out of little: others have their turn between its pieces.
            await asyncio.sleep(0)
        while not (piece := inflater.take()):
            data = await _arrived(connection)
            if not data:
                if inflater.whole:
                    break
                raise BadEncoding("the body's compression ends too early")
            inflater.feed(data)
        return piece


async def _arrived(connection: Connection) -> bytes:
    """Take what has arrived of the body as it came, waiting for something; empty at its end."""
    parser = connection.parser
    while not parser.pieces:
        if parser.complete:
            return b""
        if connection.over:
            raise connection.failure()
        await connection.arrival()
    return connection.take()


def _value(fields: Fields, name: bytes) -> str:
    """Decode one header; what came apart is joined (RFC 9110, section 5.3)."""
    # Providers send twenty headers, of which hardly one is looked at: those cost next to nothing.
    size = len(name)
    found = [value for raw, value in fields if len(raw) == size and raw.lower() == name]
    return b", ".join(found).decode("latin-1").strip() if found else ""


def joined_fields(fields: Fields) -> dict[str, str]:
    """Decode all headers, with their names in lower case."""
    headers: dict[str, str] = {}
    for name, value in fields:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").rstrip()
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
