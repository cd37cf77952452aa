"""The way to a provider: straight, through its Unix socket, or through a proxy."""

from __future__ import annotations

import base64
import ipaddress
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman_server.upstream.settings import UpstreamSettings
from pointsman_server.upstream.target import Origin, Target, request_head


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; ``authorization`` is the value of its header, which holds a password."""

    host: str
    port: int
    tls: bool
    authorization: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What it is told besides the request."""
        return {} if self.authorization is None else {"proxy-authorization": self.authorization}


@dataclass(frozen=True, slots=True)
class Route:
    """Where connections go and what is said on them.

    ``proxy_is_bad`` says that the environment names a proxy whose address is none: connections
    then fail rather than go around it.
    """

    origin: Origin
    unix_socket: str | None = None
    proxy: Proxy | None = None
    proxy_is_bad: bool = False
    keep_alive: bool = True

    def target(self, method: str, path: str, headers: Mapping[str, str]) -> Target:
        """Write the head of requests for ``path``, which is relative to the base URL.

        Raises:
            ValueError: the headers are not ones that a request can have.
        """
        origin = self.origin
        url = f"{origin.path}/{path}"
        # Streams are asked for uncompressed: a compressor would hold tokens back.
        own = {"host": origin.authority, "accept-encoding": "identity"}
        if not self.keep_alive:
            own["connection"] = "close"
        if self.proxy is not None and not origin.tls:
            url = f"{origin.scheme}://{origin.authority}{url}"
            own |= self.proxy.headers
        return Target(request_head(method, url, own, headers))


def find_route(settings: UpstreamSettings) -> Route:
    """Read the settings and, where they are trusted, the environment's proxies."""
    origin = Origin.of(settings.base_url)
    straight = Route(origin, settings.unix_socket, keep_alive=settings.keep_alive)
    if not settings.trust_env or settings.unix_socket is not None or is_loopback(origin.host):
        return straight
    address = urllib.request.getproxies().get(origin.scheme)
    if address is None or urllib.request.proxy_bypass(origin.host_and_port):
        return straight
    try:
        proxy = read_proxy(address)
    except ValueError:
        return Route(origin, proxy_is_bad=True, keep_alive=settings.keep_alive)
    return Route(origin, proxy=proxy, keep_alive=settings.keep_alive)


def read_proxy(address: str) -> Proxy:
    """Read a proxy's address, such as ``http://user:password@host:3128`` or ``host:3128``.

    Raises:
        ValueError: it is none; the text does not repeat it.
    """
    parts = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("a proxy's address must look like http://host:port")
    tls = parts.scheme == "https"
    authorization = None
    if parts.username is not None:
        user = urllib.parse.unquote(parts.username)
        password = urllib.parse.unquote(parts.password or "")
        token = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        authorization = f"Basic {token}"
    return Proxy(parts.hostname, parts.port or (443 if tls else 80), tls, authorization)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine by name or address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
