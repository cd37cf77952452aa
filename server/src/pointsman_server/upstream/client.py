"""An HTTP/1.1 client for one address: all that a dialect needs, and no more.

Redirects are not followed, cookies not kept, response times not limited: the executor owns
timeouts, and cancelling the task that sends or reads is how a call ends early.
"""

from __future__ import annotations

from collections.abc import Mapping

from pointsman_server.upstream.connection import Connection
from pointsman_server.upstream.errors import ConnectFailed
from pointsman_server.upstream.leases import Leases
from pointsman_server.upstream.response import UpstreamResponse
from pointsman_server.upstream.route import find_route
from pointsman_server.upstream.settings import UpstreamSettings
from pointsman_server.upstream.target import Target


class UpstreamClient:
    """Connections to one address, opened on first use in the running loop.

    The environment's proxies are read when it is made.
    """

    def __init__(self, settings: UpstreamSettings) -> None:
        self._route = find_route(settings)
        self._leases = Leases(self._route, settings)

    def prepare(self, method: str, path: str, headers: Mapping[str, str]) -> Target:
        """Write the head of requests for ``path``, relative to the base URL, to send many of them.

        Raises:
            ValueError: a header is one that the client itself decides, or holds what none may.
        """
        return self._route.target(method, path, headers)

    async def send(self, target: Target, body: bytes | None = None) -> UpstreamResponse:
        """Send a request and wait for the head of its response.

        A request that dies on a connection which had been idle, before anything came back, is sent
        once more on a new one: the peer had closed the old one (RFC 9112, section 9.3.1).

        Raises:
            ConnectFailed: no response began.
            NotHttp: what came is not HTTP.
            Interrupted: the connection broke in the middle of the head.
        """
        leases = self._leases
        leased = leases.lease_idle()
        if isinstance(leased, Connection):
            connection, used = leased, True
        else:
            connection, used = await leases.lease(leased)
        head, content = target.head(body), body or b""
        try:
            try:
                await connection.request(head, content)
            except ConnectFailed:
                if not used:
                    raise
                connection = await leases.replace(connection)
                await connection.request(head, content)
        except BaseException:
            leases.discard(connection)
            raise
        return UpstreamResponse(connection, leases)

    async def close(self) -> None:
        """Close every connection, also those in use, whose readers get an error. Idempotent."""
        await self._leases.close()
