"""What every transport is: its settings, its life, and what it makes of deadlines and faults."""

from __future__ import annotations

import asyncio
import ipaddress
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from google.rpc.status_pb2 import Status

from pointsman_server.api.status import internal_status, to_status
from pointsman_server.domain.errors import RouterError

C = TypeVar("C")

TransportKind = Literal["fast", "grpc"]
"""``fast`` is h2corn's HTTP/2, ``grpc`` the reference, grpcio's."""

OnFault = Callable[[BaseException], str]
"""Told of every exception that is a fault of our own; returns what it was logged under."""

SETTLE_S = 0.2
"""How long to wait for what the network, or a transport itself, has in hand when a server stops."""

DEADLINE_MARGIN_S = 0.02
DEADLINE_MARGIN_SHARE = 0.05
"""A handler's deadline lies this far before the caller's, whichever is less: gRPC itself ends calls
at their deadline on both sides at once, without details and as if the caller had gone away."""


@dataclass(frozen=True, slots=True)
class GrpcSettings:
    """Where to listen and what to bear. ``address`` is host:port, or unix:PATH.

    ``reuse_port`` lets several processes listen on one port, each with a share of the connections.
    ``listen_fds`` are sockets that this process has inherited, bound to the address: the fast
    transport serves from them and closes them, the reference binds sockets of its own.
    A client that has not answered a ping for ``keepalive_timeout_s`` after ``keepalive_s`` of
    silence is taken for dead. A client that has left so much unread for ``stalled_s`` that all of
    its calls are held up has the largest of them reset (only the fast transport). ``max_drain_s``
    is the longest that `Transport.stop` may be told to wait.
    """

    address: str = "127.0.0.1:50051"
    max_request_bytes: int = 4 * 1024 * 1024
    max_concurrent_streams: int = 1024
    keepalive_s: float = 20.0
    keepalive_timeout_s: float = 5.0
    stalled_s: float = 10.0
    max_drain_s: float = 30.0
    reuse_port: bool = False
    listen_fds: tuple[int, ...] = ()


class Transport(Protocol):
    """A listening server, from its start to its stop."""

    port: int
    """The TCP port in use, also where 0 was asked for; 0 where there is none."""

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on.
        """

    async def not_serving(self) -> None:
        """Tell load balancers to send nothing more, while calls under way go on."""

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give those under way ``grace_s`` seconds, then cut them off.

        Watchers of our health and readers of our reflection never end by themselves, and are not
        waited for. A second call, while the first waits, may shorten its grace.
        """


class UnderWay(Generic[C]):
    """The calls under way, each as what the transport knows it by. Entered into ``calls``."""

    def __init__(self) -> None:
        self.calls: set[C] = set()
        self._idle: asyncio.Event | None = None

    def leave(self, call: C) -> None:
        """``call`` has ended."""
        self.calls.discard(call)
        if self._idle is not None and not self.calls:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until no call is under way."""
        self._idle = asyncio.Event()
        if self.calls:
            await self._idle.wait()


def handler_deadline(now: float, left_s: float | None) -> float | None:
    """When a handler must be done whose caller waits ``left_s`` seconds more from ``now``."""
    if left_s is None or not math.isfinite(left_s):
        return None
    return now + left_s - min(DEADLINE_MARGIN_S, DEADLINE_MARGIN_SHARE * max(left_s, 0.0))


def failure(error: Exception, on_fault: OnFault) -> Status:
    """The status that ends a call whose handler raised ``error``."""
    if isinstance(error, RouterError):
        return to_status(error)
    return internal_status(on_fault(error))


def is_loopback(address: str) -> bool:
    """Whether ``address`` (host:port or unix:PATH) can be reached from this machine only."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
