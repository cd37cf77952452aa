"""What a request is made of before there is a body: addresses, and heads that are written once."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

_PORTS = {"http": 80, "https": 443}
# RFC 3986, 3.3: what a path may hold as it is, and what is already quoted.
_PATH_CHARS = "/%:@!$&'()*+,;=~"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VISIBLE = re.compile(r"[!-~]+")
_FIELD_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_FRAMING = frozenset({"connection", "content-length", "transfer-encoding", "upgrade", "expect"})


@dataclass(frozen=True, slots=True)
class Origin:
    """The address of a server: what a base URL says besides the path, and that path."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, base_url: str) -> Origin:
        """Read a base URL that `validated_base_url` has passed."""
        parts = urllib.parse.urlsplit(base_url)
        host = (parts.hostname or "").rstrip(".")
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
        port = parts.port or _PORTS[parts.scheme]
        return cls(parts.scheme, host, port, urllib.parse.quote(parts.path, safe=_PATH_CHARS))

    @property
    def tls(self) -> bool:
        """Whether it is spoken to through TLS."""
        return self.scheme == "https"

    @property
    def host_and_port(self) -> str:
        """As CONNECT names it: always with the port, an IPv6 address in brackets."""
        return f"{self._bracketed}:{self.port}"

    @property
    def authority(self) -> str:
        """As the Host header names it: without the scheme's own port."""
        return self._bracketed if self.port == _PORTS[self.scheme] else self.host_and_port

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


class Target:
    """All of a request but its body: it is written once and sent with many bodies.

    It holds the headers, and with them the key, so that it shows nothing of itself.
    """

    __slots__ = ("_head", "_with_length")

    def __init__(self, head: bytes) -> None:
        self._head = head + b"\r\n"
        # Already formatted but for the length, hence the doubled percent signs.
        self._with_length = head.replace(b"%", b"%%") + b"content-length: %d\r\n\r\n"

    def __repr__(self) -> str:
        return "Target()"

    def head(self, body: bytes | None) -> bytes:
        """Give the head of a request with ``body``, or of one that has none."""
        return self._head if body is None else self._with_length % len(body)


def request_head(
    method: str, url: str, own: Mapping[str, str], headers: Mapping[str, str]
) -> bytes:
    """Write a request's first line and headers, without the blank line that ends them.

    ``own`` are the headers that the client decides, ``headers`` those of its caller.

    Raises:
        ValueError: something in it may be in no request, or the caller decides what the client
            does; the text does not repeat values.
    """
    if not _TOKEN.fullmatch(method) or not _VISIBLE.fullmatch(url):
        raise ValueError("the method or the path holds a character that no request line has")
    names = {name.lower() for name in headers}
    if decided := names & (_FRAMING | own.keys()):
        raise ValueError(f"the client itself decides the header {min(decided)!r}")
    lines = [f"{method} {url} HTTP/1.1"]
    if "user-agent" not in names:
        lines.append("user-agent: pointsman")
    for name, value in (*own.items(), *headers.items()):
        if not _TOKEN.fullmatch(name):
            raise ValueError("a header's name holds a character that none may hold")
        if not _FIELD_VALUE.fullmatch(value):
            raise ValueError(f"the header {name!r} holds a character that none may hold")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")
