"""Weights from an HTTPS address."""

from __future__ import annotations

import urllib.request
from urllib.parse import urlsplit

import aiohttp

from pointsman_server.providers.local.sink import (
    OnProgress,
    Progress,
    SourceFailed,
    VerifiedSink,
)
from pointsman_server.providers.local.threads import in_thread

READ_TIMEOUT_S = 20.0
MAX_REDIRECTS = 5
_CHUNK_BYTES = 1 << 20


async def download_url(
    url: str, sink: VerifiedSink, size_bytes: int, progress: OnProgress, connect_timeout_s: float
) -> None:
    """Write what ``url`` serves into ``sink``; proxies come from the usual environment variables.

    Raises:
        SourceFailed: the server cannot be reached, refuses, breaks off, or has another file.
        OSError: the disk.
    """
    name = urlsplit(url).hostname or url
    progress(Progress(name, 0, size_bytes, "connecting"))
    timeout = aiohttp.ClientTimeout(
        total=None,
        connect=connect_timeout_s,
        sock_connect=connect_timeout_s,
        sock_read=READ_TIMEOUT_S,
    )
    session = aiohttp.ClientSession(
        timeout=timeout,
        headers={"accept-encoding": "identity", "user-agent": "pointsman"},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        # aiohttp's own trust_env would also send a netrc file's passwords.
        trust_env=False,
        proxy=_proxy(url),
    )
    try:
        async with session, session.get(url, max_redirects=MAX_REDIRECTS) as response:
            _check_head(response, size_bytes)
            while chunk := await response.content.read(_CHUNK_BYTES):
                await in_thread(_write, sink, chunk)
                progress(Progress(name, sink.written, size_bytes, "downloading"))
    except _DiskError as error:
        raise error.cause from None
    except (aiohttp.ClientError, OSError) as error:
        raise SourceFailed(_reason(error)) from None


def _check_head(response: aiohttp.ClientResponse, size_bytes: int) -> None:
    if response.status != 200:
        raise SourceFailed(f"it answered with status {response.status}")
    length = response.content_length
    if length is not None and length != size_bytes:
        raise SourceFailed(f"its file has {length:,} bytes, not {size_bytes:,}: another file")


class _DiskError(Exception):
    # Told apart from the network's errors, which are OSErrors too.
    def __init__(self, cause: OSError) -> None:
        self.cause = cause


def _write(sink: VerifiedSink, chunk: bytes) -> None:
    try:
        sink.write(chunk)
    except OSError as error:
        raise _DiskError(error) from None


def _reason(error: aiohttp.ClientError | OSError) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its name does not resolve"
        case aiohttp.ConnectionTimeoutError():
            return "connecting took too long"
        case aiohttp.ClientSSLError():
            return "the TLS handshake failed"
        case aiohttp.ClientConnectorError() | aiohttp.ClientProxyConnectionError():
            return "the connection was refused or failed"
        case aiohttp.TooManyRedirects():
            return "it redirects without end"
        case TimeoutError():
            return f"it sent nothing for {READ_TIMEOUT_S:.0f} s"
        case _:
            return "the connection broke"


def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = urllib.request.getproxies().get(parts.scheme)
    return None if proxy is None or urllib.request.proxy_bypass(host) else proxy
