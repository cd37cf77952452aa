"""Sockets that listen, for transports that are handed theirs."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

BACKLOG = 1024
_PROBES = 3


def listen(
    address: str, *, reuse_port: bool, silence_s: float, answer_s: float
) -> list[socket.socket]:
    """Sockets that listen on ``address``: host:port, or unix:PATH.

    A host of several addresses gets a socket for each, on one port. Connections that they accept
    are probed after ``silence_s`` seconds without a byte, and given up where a probe, or what was
    sent, is not acknowledged for ``answer_s``.

    Raises:
        OSError: the address cannot be listened on, and why.
    """
    try:
        if address.startswith("unix:"):
            sockets = [_unix(Path(address.removeprefix("unix:")))]
        else:
            host, _, port = address.rpartition(":")
            sockets = _tcp(host.strip("[]"), int(port), reuse_port=reuse_port)
    except OSError as error:
        raise OSError(f"cannot listen on {address}: {error.strerror or error}") from None
    for one in sockets:
        one.setblocking(False)
        _probe(one, silence_s, answer_s)
    return sockets


def adopt(fds: Sequence[int], *, silence_s: float, answer_s: float) -> list[socket.socket]:
    """Sockets that were inherited, bound, and from now on listen, if they did not. See `listen`."""
    sockets = [socket.socket(fileno=fd) for fd in fds]
    for one in sockets:
        one.set_inheritable(False)
        one.setblocking(False)
        _probe(one, silence_s, answer_s)
        one.listen(BACKLOG)
    return sockets


def turn_away(sockets: Iterable[socket.socket]) -> None:
    """Accept connections and close them, until `close`.

    For sockets that stay open elsewhere, where nobody accepts any more: clients would wait.
    """
    loop = asyncio.get_running_loop()
    for one in sockets:
        loop.add_reader(one, _turn_away, one)


def close(sockets: Iterable[socket.socket]) -> None:
    """Close ``sockets``. Connections that wait to be accepted go with the last duplicate."""
    loop = asyncio.get_running_loop()
    for one in sockets:
        loop.remove_reader(one)
        one.close()


def forget(address: str) -> None:
    """Remove what a unix socket leaves behind; other addresses leave nothing."""
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).unlink(missing_ok=True)


def _tcp(host: str, port: int, *, reuse_port: bool) -> list[socket.socket]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    places = list(dict.fromkeys((family, where) for family, _, _, _, where in found))
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        for family, where in places:
            one = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                only = int(where[0] != "::")  # which stands for every address of either kind
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            one.bind((where[0], port, *where[2:]))
            one.listen(BACKLOG)
            port = one.getsockname()[1]
            sockets.append(one)
        stack.pop_all()
    return sockets


def _unix(path: Path) -> socket.socket:
    if _is_abandoned(path):
        path.unlink()
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        one.bind(os.fspath(path))
        one.listen(BACKLOG)
    except BaseException:
        one.close()
        raise
    return one


def _is_abandoned(path: Path) -> bool:
    """Whether a socket is here that nobody listens on any more."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            return True
    return False


def _turn_away(one: socket.socket) -> None:
    with suppress(OSError):  # somebody else was quicker, or the client has gone already
        one.accept()[0].close()


def _probe(one: socket.socket, silence_s: float, answer_s: float) -> None:
    """Find dead peers. On Linux, sockets that are accepted inherit this."""
    if one.family == socket.AF_UNIX:
        return
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", round(silence_s)),
        ("TCP_KEEPINTVL", round(answer_s / _PROBES)),
        ("TCP_KEEPCNT", _PROBES),
    ):
        if hasattr(socket, name):  # not all systems have all of them
            one.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), max(1, value))
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, round(answer_s * 1000)))
