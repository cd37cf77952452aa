"""One port for several processes: reserved by the parent, with sockets for each worker's slot."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass

from pointsman_server.supervisor.plan import written


@dataclass(frozen=True, slots=True)
class Port:
    """A reserved port; nobody else can take it until `close`.

    A host of several addresses, as localhost may be, has a holder for each.
    """

    host: str
    number: int
    holders: tuple[socket.socket, ...]

    @property
    def address(self) -> str:
        """host:port, with the port that is really in use."""
        return written((self.host, self.number))

    def slot(self) -> list[socket.socket]:
        """Sockets bound to the port, which do not listen yet.

        Connections are spread over those that listen. A worker and its successor share them, so
        that connections which wait in their queues outlive the worker.
        """
        with ExitStack() as stack:
            sockets = []
            for holder in self.holders:
                one = stack.enter_context(socket.socket(holder.family, socket.SOCK_STREAM))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                _bind(one, holder.getsockname())
                sockets.append(one)
            stack.pop_all()
        return sockets

    def close(self) -> None:
        """Give the port back. Idempotent."""
        for holder in self.holders:
            holder.close()


def reserve(host: str, port: int) -> Port:
    """Take ``port``, or any free one for 0, such that only processes of ours can share it.

    Raises:
        OSError: it cannot be had.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    places = list(dict.fromkeys((family, where) for family, _, _, _, where in found))
    with ExitStack() as stack:
        holders: list[socket.socket] = []
        for family, where in places:
            holder = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            # Taken without SO_REUSEPORT, which would let it be shared with a server that is there
            # already; SO_REUSEADDR passes over connections of an earlier one that linger.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(holder, (where[0], port, *where[2:]))
            # From here on our own may share it, and a second parent may not.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            port = holder.getsockname()[1]
            holders.append(holder)
        stack.pop_all()
    return Port(host, port, tuple(holders))


def _bind(one: socket.socket, where: tuple[str | int, ...]) -> None:
    if one.family == socket.AF_INET6:
        only = int(where[0] != "::")  # which stands for every address of either kind
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
    one.bind(where)
