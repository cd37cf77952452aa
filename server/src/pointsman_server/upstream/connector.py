"""Opening connections along a route: socket, proxy, tunnel, TLS; and why that fails."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from pointsman_server.upstream.connection import Connection
from pointsman_server.upstream.dial import dial
from pointsman_server.upstream.errors import ConnectFailed, ConnectReason
from pointsman_server.upstream.route import Proxy, Route
from pointsman_server.upstream.tunnel import Tunnel

_HANDSHAKE_BROKE = "the connection broke while TLS began"

P = TypeVar("P", bound=asyncio.BaseProtocol)

_REASONS: tuple[tuple[type[OSError], ConnectReason], ...] = (
    # In order: some are subclasses of those further down.
    (ssl.SSLCertVerificationError, ConnectReason.CERTIFICATE),
    (ssl.SSLError, ConnectReason.TLS),
    (socket.gaierror, ConnectReason.NAME),
    (ConnectionRefusedError, ConnectReason.REFUSED),
    (ConnectionError, ConnectReason.RESET),
    (TimeoutError, ConnectReason.TIMEOUT),
    (FileNotFoundError, ConnectReason.NO_SOCKET),
    (PermissionError, ConnectReason.FORBIDDEN_SOCKET),
)

_ERRNO_REASONS = {
    errno.EMFILE: ConnectReason.TOO_MANY_FILES,
    errno.ENFILE: ConnectReason.TOO_MANY_FILES,
    errno.ENETUNREACH: ConnectReason.UNROUTABLE,
    errno.EHOSTUNREACH: ConnectReason.UNROUTABLE,
    errno.EADDRNOTAVAIL: ConnectReason.UNROUTABLE,
}


def connect_reason(error: OSError) -> ConnectReason:
    """Say why no connection came about; never with the error's own text."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return _ERRNO_REASONS.get(error.errno or 0, ConnectReason.FAILED)


class Connector:
    """Opens connections along ``route``; ``make`` makes the protocol of each.

    Certificates are checked against the system's authorities, or those in the file or directory
    that ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` names.
    """

    def __init__(self, route: Route, make: Callable[[], Connection]) -> None:
        self._route = route
        self._make = make
        self._context: ssl.SSLContext | None = None

    async def open(self) -> Connection:
        """Open a connection. How long that may take is for the caller to limit.

        Raises:
            ConnectFailed: it cannot be opened.
        """
        route = self._route
        if route.proxy_is_bad:
            raise ConnectFailed(ConnectReason.PROXY_ADDRESS)
        # First of all, so that no open socket has to wait for it.
        context = await self._tls_context() if route.origin.tls else None
        if route.proxy is None:
            return await self._straight(context)
        if context is None:
            _, connection = await self._to_proxy(route.proxy, self._make)
            return connection
        return await self._through(route.proxy, context)

    async def _straight(self, context: ssl.SSLContext | None) -> Connection:
        origin, unix_socket = self._route.origin, self._route.unix_socket
        if unix_socket is not None:
            return await _open_unix(unix_socket, self._make, context, origin.host)
        try:
            connected = await dial(origin.host, origin.port)
            _, connection = await _open(connected, self._make, context, origin.host)
        except OSError as error:
            raise ConnectFailed(connect_reason(error)) from None
        return connection

    async def _to_proxy(self, proxy: Proxy, make: Callable[[], P]) -> tuple[asyncio.Transport, P]:
        context = await self._tls_context() if proxy.tls else None
        try:
            connected = await dial(proxy.host, proxy.port)
            return await _open(connected, make, context, proxy.host)
        except OSError:
            raise ConnectFailed(ConnectReason.PROXY_UNREACHABLE) from None

    async def _through(self, proxy: Proxy, context: ssl.SSLContext) -> Connection:
        loop = asyncio.get_running_loop()
        origin = self._route.origin
        outer, tunnel = await self._to_proxy(proxy, lambda: Tunnel(loop, proxy, origin))
        try:
            await tunnel.open()
            connection = self._make()
            inner = await _start_tls(outer, connection, context, origin.host)
        except OSError as error:
            outer.abort()
            raise ConnectFailed(connect_reason(error)) from None
        except BaseException:
            outer.abort()
            raise
        # To asyncio this protocol took over a connection that was there already.
        connection.connection_made(inner)
        return connection

    async def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            # Reading the authorities takes tens of milliseconds: not while others stream.
            loop = asyncio.get_running_loop()
            self._context = await loop.run_in_executor(None, _make_context)
        return self._context


def _make_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _open(
    connected: socket.socket,
    make: Callable[[], P],
    context: ssl.SSLContext | None,
    host: str,
) -> tuple[asyncio.Transport, P]:
    """Put a protocol on a connected socket, which asyncio closes where that fails."""
    loop = asyncio.get_running_loop()
    name = host if context is not None else None
    try:
        return await loop.create_connection(make, sock=connected, ssl=context, server_hostname=name)
    except ConnectionError:
        raise ssl.SSLError(_HANDSHAKE_BROKE) from None


async def _start_tls(
    outer: asyncio.Transport, connection: Connection, context: ssl.SSLContext, host: str
) -> asyncio.Transport:
    loop = asyncio.get_running_loop()
    inner: asyncio.Transport | None = None
    with suppress(ConnectionError):
        inner = await loop.start_tls(outer, connection, context, server_hostname=host)
    if inner is None:
        raise ssl.SSLError(_HANDSHAKE_BROKE)
    return inner


async def _open_unix(
    path: str, make: Callable[[], Connection], context: ssl.SSLContext | None, host: str
) -> Connection:
    loop = asyncio.get_running_loop()
    name = host if context is not None else None
    try:
        _, connection = await loop.create_unix_connection(
            make, path, ssl=context, server_hostname=name
        )
    except OSError as error:
        raise ConnectFailed(connect_reason(error)) from None
    return connection
