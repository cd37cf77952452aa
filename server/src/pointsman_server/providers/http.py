"""A narrow HTTP/1.1 client: all that a dialect needs, and nothing of the library underneath.

Redirects are not followed, cookies not kept, response times not limited: the executor owns
timeouts, and cancelling the task that reads is how a call ends early. Whatever fails comes out as
`ProviderError`.
"""

from __future__ import annotations

import asyncio
import io
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from pointsman_server.domain.attempts import Failure, FailureKind
from pointsman_server.providers.base import ProviderError
from pointsman_server.providers.http_errors import body_failure, connect_failure
from pointsman_server.providers.inflate import InflateError, Inflater

DRAIN_TIMEOUT_S = 1.0
DRAIN_BYTES = 1 << 16

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LARGE_BODY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where a provider is and how to connect to it.

    ``base_url`` is what paths are appended to. With ``unix_socket`` the connection goes there and
    the base URL only gives the Host header and the path. ``keep_alive`` is false for servers that
    break on a connection that has carried a finished stream. ``trust_env`` takes proxies from the
    usual environment variables; loopback addresses never go through one.
    """

    base_url: str
    unix_socket: str | None = None
    connect_timeout_s: float = 10.0
    keep_alive: bool = True
    max_connections: int = 512
    trust_env: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", validated_base_url(self.base_url))
        if self.connect_timeout_s <= 0 or self.max_connections < 1:
            raise ValueError("connect_timeout_s and max_connections must be positive")


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
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("the base URL must look like https://host[:port][/path]")
    if "@" in parts.netloc:
        raise ValueError("the base URL must not hold a user or password: use the API key")
    if "?" in url or "#" in url:
        raise ValueError("the base URL must not have a query or a fragment")
    return url.rstrip("/")


class HttpResponse:
    """A response whose headers have arrived; valid inside the ``async with`` that gave it."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._ended = False

    @property
    def status(self) -> int:
        """The status code."""
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names in whatever case."""
        return self._response.headers

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty where none was sent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def chunks(self) -> AsyncIterator[bytes]:
        """Read the body in whatever pieces the connection delivers; none is empty.

        Raises:
            ProviderError: INTERRUPTED, the connection broke; PROTOCOL, the encoding is unreadable.
        """
        try:
            encoding = self.headers.get("content-encoding", "identity").strip().lower()
            inflater = None if encoding in ("", "identity") else Inflater(encoding)
        except InflateError as error:
            raise _protocol(str(error)) from None
        return _Chunks(self._response.content, inflater)

    async def read_bounded(self, limit: int) -> bytes:
        """Read the first ``limit`` bytes of the body, or all of it where it is shorter.

        Raises:
            ProviderError: as for `chunks`.
        """
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) >= limit:
                break
        return bytes(body[:limit])

    def expect_end(self) -> None:
        """Say that the answer is whole, so that only the end of the body can follow.

        The connection is then kept for the next call once that end arrives; otherwise leaving the
        ``async with`` early closes it.
        """
        self._ended = True

    @property
    def worth_draining(self) -> bool:
        """Whether only the end of the body is missing for the connection to be used again."""
        return self._ended and not self._response.content.at_eof()


class _Chunks:
    # Not an async generator: nothing of it is left behind when a reader walks away.
    def __init__(self, content: aiohttp.StreamReader, inflater: Inflater | None) -> None:
        self._content = content
        self._inflater = inflater
        self._pieces: Iterator[bytes] = iter(())

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while True:
            try:
                piece = next(self._pieces, b"")
                chunk = piece or await self._content.readany()
            except InflateError as error:
                raise _protocol(str(error)) from None
            except (aiohttp.ClientError, OSError) as error:
                raise ProviderError(body_failure(error)) from None
            if not chunk:
                raise StopAsyncIteration
            if piece or self._inflater is None:
                return chunk
            self._pieces = self._inflater.feed(chunk)


def _protocol(message: str) -> ProviderError:
    return ProviderError(Failure(FailureKind.PROTOCOL, message))


class HttpClient:
    """A pool of connections to one address, opened on first use in the running loop."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._live: set[aiohttp.ClientResponse] = set()
        self._drains: set[asyncio.Task[None]] = set()
        self._closed = False

    def post_stream(
        self, path: str, headers: Mapping[str, str], body: bytes
    ) -> AbstractAsyncContextManager[HttpResponse]:
        """POST ``body`` to ``path`` below the base URL; the response is closed on leaving.

        Raises:
            ProviderError: on entering: UNREACHABLE, no response began; PROTOCOL, what came is not
                HTTP.
        """
        return self._exchange("POST", path, headers, body)

    def get(
        self, path: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[HttpResponse]:
        """GET ``path`` below the base URL; the response is closed on leaving.

        Raises:
            ProviderError: as for `post_stream`.
        """
        return self._exchange("GET", path, headers, None)

    async def close(self) -> None:
        """Close every connection, also those in use. Idempotent."""
        self._closed = True
        drains = list(self._drains)
        for drain in drains:
            drain.cancel()
        await asyncio.gather(*drains, return_exceptions=True)
        for response in self._live:
            # Closing the session alone would leave whoever reads a body waiting for ever.
            response.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @asynccontextmanager
    async def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> AsyncIterator[HttpResponse]:
        response = await self._request(method, path, headers, body)
        wrapped = HttpResponse(response)
        self._live.add(response)
        try:
            yield wrapped
        except BaseException:
            response.close()
            raise
        finally:
            self._live.discard(response)
        if wrapped.worth_draining and self._settings.keep_alive and not self._closed:
            drain = asyncio.create_task(_drain(response))
            self._drains.add(drain)
            drain.add_done_callback(self._drains.discard)
            # Not left to the task itself: one that is cancelled before it began runs no finally.
            # Once its end has arrived the response has given its connection back already.
            drain.add_done_callback(lambda _: response.close())
        else:
            response.close()

    async def _request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> aiohttp.ClientResponse:
        if self._closed:
            raise ProviderError(Failure(FailureKind.UNREACHABLE, "the provider's client is closed"))
        if self._session is None:
            self._session = self._open()
        # A reader instead of bytes lets aiohttp write a large body piece by piece.
        large = body is not None and len(body) > _LARGE_BODY_BYTES
        try:
            return await self._session.request(
                method,
                f"{self._settings.base_url}/{path}",
                data=io.BytesIO(body) if large and body is not None else body,
                headers=headers,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderError(connect_failure(error)) from None

    def _open(self) -> aiohttp.ClientSession:
        settings = self._settings
        connector: aiohttp.BaseConnector
        if settings.unix_socket is not None:
            connector = aiohttp.UnixConnector(
                settings.unix_socket,
                force_close=not settings.keep_alive,
                limit=settings.max_connections,
            )
        else:
            connector = aiohttp.TCPConnector(
                force_close=not settings.keep_alive, limit=settings.max_connections
            )
        # Streams are asked for uncompressed: a compressor would hold tokens back.
        headers = {"accept-encoding": "identity", "user-agent": "pointsman"}
        if not settings.keep_alive:
            headers["connection"] = "close"
        return aiohttp.ClientSession(
            connector=connector,
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s),
            auto_decompress=False,
            # aiohttp's own trust_env would also send a netrc file's passwords.
            trust_env=False,
            proxy=_proxy(settings),
        )


def _proxy(settings: HttpSettings) -> str | None:
    parts = urlsplit(settings.base_url)
    host = parts.hostname or ""
    if not settings.trust_env or settings.unix_socket is not None or host in _LOOPBACK:
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    return None if proxy is None or urllib.request.proxy_bypass(host) else proxy


async def _drain(response: aiohttp.ClientResponse) -> None:
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            while left > 0 and (chunk := await response.content.readany()):
                left -= len(chunk)
    except (aiohttp.ClientError, OSError):
        # Whatever it was, the connection is of no more use, and the answer was whole before it.
        pass
