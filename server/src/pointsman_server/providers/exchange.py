"""One call over HTTP, the same for every dialect: send, read, hand out, close.

A dialect is pure: it writes request bodies and reads response bytes. Everything that waits is here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Protocol

from pointsman_server.domain.attempts import Failure, FailureKind
from pointsman_server.providers.answer import AnswerStream, Content
from pointsman_server.providers.base import Batch, ModelCall, ProviderError
from pointsman_server.providers.credentials import ApiKey
from pointsman_server.providers.failures import MAX_ERROR_BODY_BYTES, Refusal
from pointsman_server.upstream.client import UpstreamClient
from pointsman_server.upstream.errors import (
    BadEncoding,
    ConnectFailed,
    Interrupted,
    NotHttp,
    UpstreamError,
)
from pointsman_server.upstream.response import UpstreamResponse
from pointsman_server.upstream.settings import UpstreamSettings
from pointsman_server.upstream.target import Target

MAX_WHOLE_ANSWER_BYTES = 8 << 20
MAX_MODEL_LIST_BYTES = 8 << 20
ERROR_BODY_TIMEOUT_S = 2.0

_KINDS: Mapping[type[UpstreamError], FailureKind] = {
    ConnectFailed: FailureKind.UNREACHABLE,
    NotHttp: FailureKind.PROTOCOL,
    Interrupted: FailureKind.INTERRUPTED,
    BadEncoding: FailureKind.PROTOCOL,
}

WallClock = Callable[[], float]
"""Unix time in seconds: what a date in a ``Retry-After`` header is compared with."""


class Dialect(Protocol):
    """How a kind of provider is spoken to; the paths are relative to the base URL."""

    @property
    def path(self) -> str:
        """Where completions are asked for."""

    @property
    def models_path(self) -> str:
        """Where the models are listed."""

    def headers(self, key: ApiKey | None) -> Mapping[str, str]:
        """Give the headers of every request."""

    def request(self, call: ModelCall) -> bytes:
        """Write the body that asks for ``call``.

        Raises:
            ProviderError: REJECTED, the call cannot be said in this dialect.
        """

    def answer(self) -> AnswerStream:
        """Make a reader for one answer."""

    def failure(self, refusal: Refusal, now: float) -> Failure:
        """Say why the provider did not answer; ``now`` is Unix time."""


class HttpProvider:
    """A provider account that is reached over HTTP; a `Provider`."""

    def __init__(
        self,
        name: str,
        http: UpstreamSettings,
        api_key: str | None,
        dialect: Dialect,
        *,
        wall_clock: WallClock = time.time,
    ) -> None:
        self._name = name
        self._key = ApiKey(api_key) if api_key is not None else None
        self._client = UpstreamClient(http)
        self._dialect = dialect
        headers = dialect.headers(self._key)
        asking = {"content-type": "application/json", "accept": "text/event-stream"}
        self._completions = self._client.prepare("POST", dialect.path, {**headers, **asking})
        listing = {"accept": "application/json"}
        self._models = self._client.prepare("GET", dialect.models_path, {**headers, **listing})
        self._wall_clock = wall_clock

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._name!r})"

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self._name

    async def start(self) -> None:
        """Do nothing: connections are made when they are needed."""

    async def stream(self, call: ModelCall) -> AsyncGenerator[Batch, None]:
        """Make the call; yield batches until `Finish`. See `Provider.stream`."""
        answer = self._dialect.answer()
        response = await self._send(self._completions, self._dialect.request(call))
        try:
            last: list[Content] = []
            await self._expect_success(response)
            if response.media_type == "application/json":
                last = answer.whole(await response.read_bounded(MAX_WHOLE_ANSWER_BYTES))
            else:
                while data := await response.read():
                    last = answer.feed(data)
                    if answer.over:
                        break
                    if last:
                        yield last
                else:
                    last = answer.end()
            if answer.finish is None:
                if last:
                    yield last
                raise self._unfinished(answer)
            response.release()
        except UpstreamError as error:
            raise ProviderError(_failure(error), answer.usage) from None
        finally:
            response.close()
        # Given only now, so that whoever stops listening at the end leaves nothing open.
        yield [*last, answer.finish]

    async def check(self) -> None:
        """Ask for the list of models. See `Provider.check`."""
        response = await self._send(self._models, None)
        try:
            await self._expect_success(response)
            await response.read_bounded(MAX_MODEL_LIST_BYTES)
            response.release()
        except UpstreamError as error:
            raise ProviderError(_failure(error)) from None
        finally:
            response.close()

    async def close(self) -> None:
        """Release the connections. Idempotent."""
        await self._client.close()

    async def _send(self, target: Target, body: bytes | None) -> UpstreamResponse:
        try:
            return await self._client.send(target, body)
        except UpstreamError as error:
            raise ProviderError(_failure(error)) from None

    async def _expect_success(self, response: UpstreamResponse) -> None:
        if response.status == 200:
            if response.media_type == "text/html":
                message = "the provider answered with a web page"
                raise ProviderError(Failure(FailureKind.PROTOCOL, message))
            return
        body = b""
        try:
            # The status is known: a body that stalls must not turn it into a timeout.
            async with asyncio.timeout(ERROR_BODY_TIMEOUT_S):
                body = await response.read_bounded(MAX_ERROR_BODY_BYTES)
        except (UpstreamError, TimeoutError):
            pass
        refusal = Refusal(response.status, response.headers, body)
        failure = self._dialect.failure(refusal, self._wall_clock())
        raise ProviderError(self._cleared(failure))

    def _unfinished(self, answer: AnswerStream) -> ProviderError:
        failure = answer.failure or Failure(FailureKind.INTERRUPTED, "the answer is not whole")
        return ProviderError(self._cleared(failure), answer.usage)

    def _cleared(self, failure: Failure) -> Failure:
        # An error code is the one thing of the provider's that a message repeats: a server that
        # echoes the key there must not get it into logs.
        if self._key is not None and self._key.within(failure.message):
            return Failure(failure.kind, "the provider refused", failure.retry_after_s)
        return failure


def _failure(error: UpstreamError) -> Failure:
    return Failure(_KINDS[type(error)], str(error))
