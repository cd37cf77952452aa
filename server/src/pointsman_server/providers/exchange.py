"""One call over HTTP, the same for every dialect: send, read, hand out, close.

A dialect is pure: it writes request bodies and reads response bytes. Everything that waits is here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Protocol

from pointsman_server.domain.attempts import Failure, FailureKind
from pointsman_server.providers.answer import AnswerStream
from pointsman_server.providers.base import Batch, ModelCall, ProviderError
from pointsman_server.providers.credentials import ApiKey
from pointsman_server.providers.failures import MAX_ERROR_BODY_BYTES, Refusal
from pointsman_server.providers.http import HttpClient, HttpResponse, HttpSettings

MAX_WHOLE_ANSWER_BYTES = 8 << 20
MAX_MODEL_LIST_BYTES = 8 << 20
ERROR_BODY_TIMEOUT_S = 2.0

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
        http: HttpSettings,
        api_key: str | None,
        dialect: Dialect,
        *,
        wall_clock: WallClock = time.time,
    ) -> None:
        self._name = name
        self._key = ApiKey(api_key) if api_key is not None else None
        self._client = HttpClient(http)
        self._dialect = dialect
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
        dialect = self._dialect
        body = dialect.request(call)
        headers = {
            **dialect.headers(self._key),
            "content-type": "application/json",
            "accept": "text/event-stream",
        }
        answer = dialect.answer()
        async with self._client.post_stream(dialect.path, headers, body) as response:
            await self._expect_success(response)
            if response.media_type == "application/json":
                last = answer.whole(await response.read_bounded(MAX_WHOLE_ANSWER_BYTES))
            else:
                try:
                    async for chunk in response.chunks():
                        last = answer.feed(chunk)
                        if answer.over:
                            break
                        if last:
                            yield last
                    else:
                        last = answer.end()
                except ProviderError as error:
                    raise ProviderError(error.failure, answer.usage) from None
            if answer.finish is None:
                if last:
                    yield last
                raise self._unfinished(answer)
            response.expect_end()
        # Given only now, so that whoever stops listening at the end leaves nothing open.
        yield [*last, answer.finish]

    async def check(self) -> None:
        """Ask for the list of models. See `Provider.check`."""
        headers = {**self._dialect.headers(self._key), "accept": "application/json"}
        async with self._client.get(self._dialect.models_path, headers) as response:
            await self._expect_success(response)
            await response.read_bounded(MAX_MODEL_LIST_BYTES)
            response.expect_end()

    async def close(self) -> None:
        """Release the connections. Idempotent."""
        await self._client.close()

    async def _expect_success(self, response: HttpResponse) -> None:
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
        except (ProviderError, TimeoutError):
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
