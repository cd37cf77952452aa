"""A way through a proxy: CONNECT (RFC 9110, section 9.3.6), before TLS begins inside it."""

from __future__ import annotations

import asyncio
from typing import cast

from pointsman_server.upstream.errors import ConnectFailed, ConnectReason, UpstreamError
from pointsman_server.upstream.parser import ResponseParser
from pointsman_server.upstream.route import Proxy
from pointsman_server.upstream.target import Origin, request_head


class Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel to ``origin`` as soon as it is connected to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, proxy: Proxy, origin: Origin) -> None:
        own = {"host": origin.host_and_port, **proxy.headers}
        self._request = request_head("CONNECT", origin.host_and_port, own, {}) + b"\r\n"
        self._parser = ResponseParser()
        self._answer: asyncio.Future[ConnectReason | None] = loop.create_future()

    async def open(self) -> None:
        """Wait for the proxy's answer.

        Raises:
            ConnectFailed: it is no, none, or not HTTP.
        """
        reason = await self._answer
        if reason is not None:
            raise ConnectFailed(reason)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read the answer."""
        try:
            self._parser.feed(data)
        except UpstreamError:
            self._conclude(ConnectReason.PROXY_REFUSED)
            return
        # Nothing may follow the head: the server at the other end waits for TLS to begin.
        if self._parser.status:
            opened = self._parser.status < 300 and not self._parser.pieces
            self._conclude(None if opened else ConnectReason.PROXY_REFUSED)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that there will be no answer."""
        self._conclude(ConnectReason.PROXY_REFUSED)

    def _conclude(self, reason: ConnectReason | None) -> None:
        self._parser.detach()
        if not self._answer.done():
            self._answer.set_result(reason)
