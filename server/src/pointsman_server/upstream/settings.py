"""Where a provider is and how to connect to it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Where a provider is and how to connect to it.

    ``base_url`` is what paths are appended to. With ``unix_socket`` the connection goes there and
    the base URL only gives the Host header and the path. ``connect_timeout_s`` is for all of name,
    connection, proxy and TLS together. ``keep_alive`` is false for servers that break on a
    connection that has carried a finished stream; otherwise one is kept for ``idle_lifetime_s``
    after its last use. ``trust_env`` takes proxies from the usual environment variables; loopback
    addresses never go through one.

    Raises:
        ValueError: the base URL is none, or a bound is not positive.
    """

    base_url: str
    unix_socket: str | None = None
    connect_timeout_s: float = 10.0
    keep_alive: bool = True
    max_connections: int = 512
    trust_env: bool = True
    idle_lifetime_s: float = 60.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", validated_base_url(self.base_url))
        if self.connect_timeout_s <= 0 or self.max_connections < 1 or self.idle_lifetime_s <= 0:
            raise ValueError(
                "connect_timeout_s, max_connections and idle_lifetime_s must be positive"
            )


def validated_base_url(url: str) -> str:
    """Check ``url`` and return it without a trailing slash.

    Raises:
        ValueError: it is not a plain http or https address; the text never repeats the URL, which
            may hold a password.
    """
    if any(char <= " " or char in "\\\x7f" for char in url):
        raise ValueError("the base URL contains a space or a character that no URL has")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        # What a name may be for DNS and for TLS: no label of it is empty or too long.
        (parts.hostname or "").encode("idna")
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("the base URL must look like https://host[:port][/path]")
    if "@" in parts.netloc:
        raise ValueError("the base URL must not hold a user or password: use the API key")
    if "?" in url or "#" in url:
        raise ValueError("the base URL must not have a query or a fragment")
    return url.rstrip("/")
