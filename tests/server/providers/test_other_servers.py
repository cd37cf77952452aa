"""The same against a server of somebody else's making, since `Upstream` is our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from answers import DialectName, text_events
from calls import model_call, outcome_of
from pointsman_server.domain.attempts import FinishReason
from pointsman_server.domain.money import Usage
from pointsman_server.providers.anthropic import AnthropicProvider
from pointsman_server.providers.base import Finish, Provider
from pointsman_server.providers.openai import OpenAIProvider
from pointsman_server.upstream.settings import UpstreamSettings


class Application:
    """Streams ten words, compressed if it is told to, and notes whether it was left alone."""

    def __init__(self, dialect: DialectName) -> None:
        self.dialect = dialect
        self.compress = False
        self.pause_s = 0.0
        self.left_at: float | None = None
        self.left = asyncio.Event()

    async def complete(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        if self.compress:
            response.enable_compression(web.ContentCoding.gzip)
        try:
            await response.prepare(request)
            for event in text_events(self.dialect, [f"w{n} " for n in range(10)]):
                await response.write(event)
                await asyncio.sleep(self.pause_s)
            await response.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            self.left_at = asyncio.get_running_loop().time()
            self.left.set()
            raise
        return response

    async def models(self, request: web.Request) -> web.Response:
        known = request.headers.get("authorization") == "Bearer key"
        return web.json_response({"data": []}, status=200 if known else 401)


@pytest.fixture(params=["openai", "anthropic"])
def application(request: pytest.FixtureRequest) -> Application:
    return Application(request.param)


@pytest.fixture
async def provider(application: Application) -> AsyncIterator[Provider]:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", application.complete)
    app.router.add_post("/v1/messages", application.complete)
    app.router.add_get("/v1/models", application.models)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    url = f"http://{host}:{port}"
    made: Provider
    if application.dialect == "openai":
        made = OpenAIProvider("mine", UpstreamSettings(f"{url}/v1"), "key")
    else:
        made = AnthropicProvider("mine", UpstreamSettings(url), "key")
    yield made
    await made.close()
    await runner.cleanup()


@pytest.mark.parametrize("compress", [False, True])
async def test_streams_an_answer(
    application: Application, provider: Provider, compress: bool
) -> None:
    application.compress = compress
    await provider.check()
    outcome = await outcome_of(provider.stream(model_call()))
    assert outcome.text == "".join(f"w{n} " for n in range(10))
    assert outcome.finish == Finish(FinishReason.STOP, Usage(12, 0, 10))


async def test_cancelling_is_seen_within_100_ms(
    application: Application, provider: Provider
) -> None:
    application.pause_s = 0.01
    stream = provider.stream(model_call())
    await anext(stream)
    left = asyncio.get_running_loop().time()
    await stream.aclose()
    await asyncio.wait_for(application.left.wait(), 2)
    assert application.left_at is not None
    assert application.left_at - left < 0.1
