"""What a capacity client is told, and what it says: plain data that JSON carries."""

from __future__ import annotations

from typing import Literal

import msgspec

Protocol = Literal["grpc", "http"]

COUNTER = b"00000000"
"""Eight digits in a request's body that count requests, so that no two prompts are the same."""

MAX_ERRORS = 200
"""A client gives up after this many failed calls: rates of errors are no capacity."""


class WorkError(Exception):
    """The work could not be done; ``str()`` says why."""


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of closed-loop work.

    Attributes:
        protocol: gRPC over HTTP/2, or HTTP/1.1 with server-sent events or one JSON answer.
        address: host:port.
        path: "/package.Service/Method", or the URL's path.
        body: the request; where it holds `COUNTER`, that is replaced by the request's number.
        headers: further header fields, names in lower case.
        streamed: whether the answer is a stream of tokens.
        completed: gRPC: whether a stream must end with the event `completed`.
        tokens: how many tokens each answer has; another number makes the call an error.
        streams: how many calls are under way at any time.
        connections: over how many connections (gRPC; HTTP/1.1 has one a stream).
        stagger_s: between the starts of the first calls.
        warm_up_s: before anything is counted.
        window_s: how long to count, or
        calls: count until so many calls have ended.
        verify_every: read every so many answers in full.
        first: the number of the first request.
        server_pid: whose CPU time and memory to measure, with its children.
    """

    protocol: Protocol
    address: str
    path: str
    body: bytes
    headers: dict[str, str] = {}
    streamed: bool = True
    completed: bool = True
    tokens: int = 64
    streams: int = 32
    connections: int = 4
    stagger_s: float = 0.0
    warm_up_s: float = 1.0
    window_s: float = 4.0
    calls: int | None = None
    verify_every: int = 50
    first: int = 0
    server_pid: int | None = None


class Quantiles(msgspec.Struct, frozen=True):
    """Seconds; observations, not interpolated."""

    p50: float
    p90: float
    p99: float
    worst: float


class Memory(msgspec.Struct, frozen=True):
    """Bytes of a process and its children. ``uss`` is theirs alone, ``pss`` with fair shares."""

    rss: int
    uss: int | None = None
    pss: int | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured in the window.

    ``calls`` ended in it; ``tokens`` and ``messages`` (HTTP: reads of the body) arrived in it.
    ``first_token`` and ``whole`` are of the calls that ended, from sending the request. CPU times
    are seconds; ``server_cpu_s`` and ``server_memory`` need a ``server_pid``.
    """

    seconds: float
    calls: int
    tokens: int
    messages: int
    received_bytes: int
    errors: int
    first_error: str
    verified: int
    first_token: Quantiles | None
    whole: Quantiles | None
    client_cpu_s: float
    server_cpu_s: float | None = None
    server_memory: Memory | None = None

    @property
    def calls_per_s(self) -> float:
        """Calls that ended, a second."""
        return self.calls / self.seconds

    @property
    def tokens_per_s(self) -> float:
        """Tokens that arrived, a second."""
        return self.tokens / self.seconds
