"""Faults of a connection, as values, and what each does to the bytes of a response. No I/O.

Bytes count from the connection's beginning and include the response's head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PassThrough:
    """No fault."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Hold the first byte of the response back."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CutAfterBytes:
    """Close once that many bytes went through; with ``reset``, by RST instead of FIN."""

    count: int
    reset: bool = False


@dataclass(frozen=True, slots=True)
class CutAfterEvents:
    """Close once that many server-sent events went through whole."""

    count: int
    reset: bool = False


@dataclass(frozen=True, slots=True)
class StallAfterBytes:
    """Let that many bytes through and then nothing, with the connection open."""

    count: int


@dataclass(frozen=True, slots=True)
class Drip:
    """Let the response through in small pieces."""

    bytes_per_tick: int
    tick_s: float


@dataclass(frozen=True, slots=True)
class GarbageAfterBytes:
    """Slip ``garbage`` in once that many bytes went through."""

    count: int
    garbage: bytes = b"\x00\xff\xfe<<garbage>>\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Canned:
    """Answer with ``response`` in the server's place and close; the server is not asked."""

    response: bytes


Fault = (
    PassThrough
    | Delay
    | CutAfterBytes
    | CutAfterEvents
    | StallAfterBytes
    | Drip
    | GarbageAfterBytes
    | Canned
)


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait before what follows."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection."""

    reset: bool


@dataclass(frozen=True, slots=True)
class Stall:
    """Let nothing more through."""


Action = bytes | Wait | Close | Stall


class Shaper:
    """What a fault makes of a response that arrives in pieces."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._seen = 0
        self._events = 0
        self._last = b""

    def start(self) -> Iterator[Action]:
        """What to do before any of the response has come."""
        match self._fault:
            case CutAfterBytes(0, reset) | CutAfterEvents(0, reset):
                yield Close(reset)
            case StallAfterBytes(0):
                yield Stall()
            case _:
                pass

    def feed(self, data: bytes) -> Iterator[Action]:
        """What to do with the next piece."""
        before, self._seen = self._seen, self._seen + len(data)
        match self._fault:
            case Delay(seconds):
                if before == 0:
                    yield Wait(seconds)
                yield data
            case CutAfterBytes(count, reset):
                yield data[: count - before]
                if self._seen >= count:
                    yield Close(reset)
            case CutAfterEvents(count, reset):
                end = self._end_of_event(data, count)
                yield data[:end]
                if end is not None:
                    yield Close(reset)
            case StallAfterBytes(count):
                yield data[: count - before]
                if self._seen >= count:
                    yield Stall()
            case Drip(size, tick_s):
                for at in range(0, len(data), size):
                    yield data[at : at + size]
                    yield Wait(tick_s)
            case GarbageAfterBytes(count, garbage):
                if before < count <= self._seen or before == count == 0:
                    yield data[: count - before]
                    yield garbage
                    yield data[count - before :]
                else:
                    yield data
            case _:
                yield data

    def _end_of_event(self, data: bytes, count: int) -> int | None:
        """Where the event number ``count`` ends in ``data``, if it does."""
        # A blank line may be cut in two by the pieces.
        joined = self._last + data
        at = 0
        while (found := joined.find(b"\n\n", at)) != -1:
            at = found + 2
            self._events += 1
            if self._events == count:
                return at - len(self._last)
        # A newline that has ended an event must not begin the next blank line.
        self._last = b"\n" if joined.endswith(b"\n") and at < len(joined) else b""
        return None


def canned(
    status: str,
    body: bytes = b"",
    content_type: str = "application/json",
    *,
    headers: tuple[tuple[str, str], ...] = (),
) -> Canned:
    """A whole response with its length; ``status`` is the code and the reason."""
    lines = [
        f"HTTP/1.1 {status}",
        f"content-type: {content_type}",
        f"content-length: {len(body)}",
        "connection: close",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return Canned("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def rate_limited(retry_after_s: int) -> Canned:
    """429 with Retry-After."""
    body = b'{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}'
    return canned("429 Too Many Requests", body, headers=(("retry-after", str(retry_after_s)),))


def overloaded() -> Canned:
    """529, as Anthropic says it."""
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    return canned("529 Overloaded", body)


def server_error() -> Canned:
    """500 with nothing that explains it."""
    return canned("500 Internal Server Error", b"oops", "text/plain")


def not_http() -> Canned:
    """Bytes that are no HTTP."""
    return Canned(b"\x16\x03\x01\x00garbage that is no status line\r\n\r\n")


def web_page() -> Canned:
    """200 with a login page, as captive portals answer."""
    return canned("200 OK", b"<html><body>Sign in</body></html>", "text/html; charset=utf-8")


def empty() -> Canned:
    """200 with a stream of no events."""
    return canned("200 OK", b"", "text/event-stream")


def nothing() -> Canned:
    """A connection that is closed without a byte."""
    return Canned(b"")
