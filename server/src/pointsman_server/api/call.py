"""What a handler knows of the call that it serves, whichever transport brought it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message


@dataclass(slots=True)
class Call:
    """One call.

    ``accepted_at`` and ``deadline`` are seconds on the server's monotonic clock; ``deadline`` is
    ``None`` where the caller set none. What a handler puts into ``headers`` before its first
    message, and into ``trailers`` before its end, is sent as metadata.
    """

    accepted_at: float
    deadline: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)


UnaryHandler = Callable[[Any, Call], Awaitable[Message]]
StreamHandler = Callable[[Any, Call], AsyncGenerator[Message, None]]
ChatHandler = Callable[[AsyncIterator[Any], Call], AsyncGenerator[Message, None]]


@dataclass(frozen=True, slots=True)
class Unary:
    """A method with one request and one response."""

    request_type: type[Message]
    handler: UnaryHandler


@dataclass(frozen=True, slots=True)
class ServerStream:
    """A method with one request and a stream of responses."""

    request_type: type[Message]
    handler: StreamHandler


@dataclass(frozen=True, slots=True)
class BidiStream:
    """A method with a stream each way."""

    request_type: type[Message]
    handler: ChatHandler


Method = Unary | ServerStream | BidiStream


@dataclass(frozen=True, slots=True)
class Service:
    """A service and its methods by name."""

    name: str
    methods: dict[str, Method]
