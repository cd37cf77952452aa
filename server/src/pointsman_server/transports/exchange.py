"""One gRPC call over ASGI's events: its request as messages, its response as frames.

Little is done per message, since this is a token's path: a frame is its prefix and its bytes, and
headers that say the same each time are made once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from h2corn import HTTPResponseBody, Receive, Send

from pointsman_server.api.call import Call
from pointsman_server.api.wire import parse
from pointsman_server.domain.errors import (
    DeadlineExceeded,
    FieldViolation,
    InvalidRequest,
    RouterError,
    ShuttingDown,
)
from pointsman_server.transports.framing import (
    ACCEPTS,
    CONTENT_TYPE,
    OK,
    PREFIX_BYTES,
    Headers,
    Refusal,
    Unframer,
    code_and_message,
    frame,
    metadata,
    status_trailers,
)

M = TypeVar("M", bound=Message)

WINDOW_BYTES = 64 * 1024
"""What a client takes unread of a call, unless it says otherwise (RFC 9113, 6.9.2)."""

_HEADERS: Headers = [CONTENT_TYPE]


class ClientGone(Exception):
    """Nobody waits for the response any more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What all calls are held to. See `GrpcSettings`."""

    max_request_bytes: int
    stalled_s: float


class Exchange:
    """A call as one task serves it.

    ``interruption`` is why we cancelled that task, where it was us; else its client has gone.
    """

    __slots__ = (
        "_encoding",
        "_ending",
        "_limits",
        "_receive",
        "_send",
        "_sent_bytes",
        "_started",
        "_task",
        "call",
        "interruption",
    )

    def __init__(
        self,
        call: Call,
        receive: Receive,
        send: Send,
        limits: Limits,
        encoding: bytes | None,
    ) -> None:
        self.call = call
        self.interruption: RouterError | ClientGone | None = None
        self._receive = receive
        self._send = send
        self._limits = limits
        self._encoding = encoding
        self._sent_bytes = 0
        self._started = False
        self._ending = False
        self._task = asyncio.current_task()

    def expire(self) -> None:
        """Cancel the handler, which has not kept its deadline."""
        self._interrupt(DeadlineExceeded("execute"))

    def cut_off(self) -> None:
        """Cancel the handler, since the server stops."""
        self._interrupt(ShuttingDown())

    def _interrupt(self, error: RouterError | ClientGone) -> None:
        if self.interruption is None and not self._ending and self._task is not None:
            self.interruption = error
            self._task.cancel()

    async def request(self, kind: type[M]) -> M:
        """The one message of a request.

        Raises:
            ClientGone: before it was whole.
            InvalidRequest: it is not such a message, or too long.
            Refusal: it is compressed in a way that is not known.
        """
        event = await self._receive()
        if event["type"] == "http.request" and self._encoding is None:
            # most come whole and alone; where the number of five bytes is the length, the first
            # of them, which says that the message is compressed, is zero
            body = event.get("body", b"")
            if int.from_bytes(body[:PREFIX_BYTES], "big") == len(body) - PREFIX_BYTES:
                return parse(kind, body[PREFIX_BYTES:], self._limits.max_request_bytes)
        unframer = Unframer(self._limits.max_request_bytes, self._encoding)
        while event["type"] == "http.request":
            unframer.feed(event.get("body", b""))
            data = unframer.take()
            if data is not None:
                return parse(kind, data, self._limits.max_request_bytes)
            if not event.get("more_body", False):
                unframer.finish()
                raise InvalidRequest(FieldViolation("", "the request has no message"))
            event = await self._receive()
        raise ClientGone

    async def requests(self, kind: type[M]) -> AsyncGenerator[M, None]:
        """The messages of a request as they come. Raises as `request` does."""
        unframer = Unframer(self._limits.max_request_bytes, self._encoding)
        more = True
        while more:
            event = await self._receive()
            if event["type"] != "http.request":
                # cancellation is on its way, to the task that serves the call: this one may be
                # another, whose end would look like the client's last word
                await asyncio.Event().wait()
                return
            unframer.feed(event.get("body", b""))
            more = event.get("more_body", False)
            while (data := unframer.take()) is not None:
                yield parse(kind, data, self._limits.max_request_bytes)
        unframer.finish()

    async def respond(self, response: Message) -> None:
        """Answer with one message, and end the call.

        Raises:
            ClientGone: the client has.
        """
        body = frame(response.SerializeToString())
        try:
            await self._start()
            await self._finish(body)
        except OSError:
            raise ClientGone from None

    async def respond_all(self, responses: AsyncGenerator[Message, None]) -> None:
        """Answer with each of ``responses`` as it comes, and end the call.

        Each waits until there is room for it on its way to the client, but not for ever: servers
        may count what is unread by connection, and one call that is not read holds up the others.
        Room that does not come ends this call, if it has sent enough to be that one. The server
        then resets its stream, and frees what it held.

        Raises:
            ClientGone: the client has.
        """
        send = self._send
        part: HTTPResponseBody = {"type": "http.response.body", "body": b"", "more_body": True}
        at_once: type[object] = object
        try:
            async for response in responses:
                part["body"] = body = frame(response.SerializeToString())
                self._sent_bytes += len(body)
                try:
                    if not self._started:
                        at_once = await self._start()
                    room = send(part)
                    if type(room) is at_once:
                        await room
                    else:
                        await self._wait_for(room)
                except OSError:
                    raise ClientGone from None
        finally:
            await responses.aclose()
        try:
            if not self._started:
                await self._start()
            await self._finish(b"")
        except OSError:
            raise ClientGone from None

    async def fail(self, status: Status) -> None:
        """End the call with ``status``."""
        await self._abort(status_trailers(status, self.call.trailers))

    async def refuse(self, refusal: Refusal) -> None:
        """End the call with a status of the protocol's own, without details."""
        await self._abort(_refusal_fields(refusal))

    async def _abort(self, fields: Headers) -> None:
        """End the call with these trailers, which are all there is where nothing was sent."""
        self._ending = True
        with suppress(OSError):  # the client has gone: there is nobody to tell
            if self._started:
                await self._end(b"", fields)
            else:
                await _trailers_only(self._send, fields)

    async def _wait_for(self, room: Awaitable[None]) -> None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._limits.stalled_s, self._stalled)
        try:
            await room
        finally:
            timer.cancel()

    def _stalled(self) -> None:
        if self._sent_bytes > WINDOW_BYTES:  # it is not only waiting for others to be read
            self._interrupt(ClientGone())

    async def _start(self) -> type[object]:
        """Send the headers, which go out with what comes next.

        Returns the kind of thing to await where there is nothing to wait for, as here.
        """
        headers = self.call.headers
        fields = [CONTENT_TYPE, *metadata(headers)] if headers else _HEADERS
        sent = self._send(
            {"type": "http.response.start", "status": 200, "headers": fields, "trailers": True}
        )
        await sent
        self._started = True
        return type(sent)

    async def _finish(self, last: bytes) -> None:
        trailers = self.call.trailers
        await self._end(last, [*OK, *metadata(trailers)] if trailers else OK)

    async def _end(self, last: bytes, trailers: Headers) -> None:
        await self._send({"type": "http.response.body", "body": last, "more_body": False})
        await self._send({"type": "http.response.trailers", "headers": trailers})


async def refuse(send: Send, refusal: Refusal) -> None:
    """Answer what asks for a call that there is not."""
    with suppress(OSError):  # the client has gone: there is nobody to tell
        await _trailers_only(send, _refusal_fields(refusal))


async def refuse_http(send: Send, status: int) -> None:
    """Answer what is not gRPC."""
    with suppress(OSError):  # the client has gone: there is nobody to tell
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body"})


def _refusal_fields(refusal: Refusal) -> Headers:
    return [*code_and_message(refusal.code, str(refusal)), ACCEPTS]


async def _trailers_only(send: Send, fields: Headers) -> None:
    headers = [CONTENT_TYPE, *fields]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body"})
