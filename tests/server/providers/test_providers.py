"""Both dialects, end to end, against a scripted server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import faults
import pytest
from answers import DialectName, Json, anthropic_event, paced, sse, text_events, text_reply
from calls import Outcome, model_call, outcome_of, user
from fault_proxy import FaultProxy, fault_proxy
from pointsman_server.domain.attempts import FailureKind, FinishReason
from pointsman_server.domain.messages import GenerationOptions
from pointsman_server.domain.money import Usage
from pointsman_server.providers import exchange
from pointsman_server.providers.anthropic import AnthropicProvider
from pointsman_server.providers.base import (
    Finish,
    Provider,
    ProviderError,
)
from pointsman_server.providers.openai import OpenAIProvider
from pointsman_server.upstream.settings import UpstreamSettings
from upstream import Cut, Hang, Pause, Reply, Send, Upstream, upstream_server
from upstream import whole as whole_reply

K = FailureKind
KEY = "sk-canary-1234567890"
NOW = 1_790_000_000.0


@pytest.fixture(params=["openai", "anthropic"])
def dialect(request: pytest.FixtureRequest) -> DialectName:
    name: DialectName = request.param
    return name


def provider_at(dialect: DialectName, url: str, unix_socket: str | None = None) -> Provider:
    if dialect == "openai":
        settings = UpstreamSettings(f"{url}/v1", unix_socket=unix_socket)
        return OpenAIProvider("mine", settings, KEY, wall_clock=lambda: NOW)
    settings = UpstreamSettings(url, unix_socket=unix_socket)
    return AnthropicProvider("mine", settings, KEY, wall_clock=lambda: NOW)


@pytest.fixture
async def provider(dialect: DialectName, upstream: Upstream) -> AsyncIterator[Provider]:
    made = provider_at(dialect, upstream.url)
    yield made
    await made.close()


@pytest.fixture
async def proxy(upstream: Upstream) -> AsyncIterator[FaultProxy]:
    host, port = upstream.url.removeprefix("http://").split(":")
    async with fault_proxy((host, int(port))) as made:
        yield made


def completed(count: int) -> Callable[[Upstream], bool]:
    return lambda upstream: upstream.answers_completed == count


def kind_of(outcome: Outcome) -> FailureKind | None:
    return None if outcome.error is None else outcome.error.failure.kind


async def test_streams_an_answer(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    upstream.enqueue(text_reply(dialect, ["Hel", "lo"], pause_s=0.01))
    outcome = await outcome_of(provider.stream(model_call()))
    assert outcome.texts == ["Hel", "lo"]
    assert outcome.finish == Finish(FinishReason.STOP, Usage(12, 0, 2))
    (request,) = upstream.requests
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    if dialect == "openai":
        assert request.path == "/v1/chat/completions"
    else:
        assert request.path == "/v1/messages"
        assert request.headers["anthropic-version"] == "2026-10-21"


async def test_anthropics_older_header_for_the_key(upstream: Upstream) -> None:
    upstream.enqueue(whole_reply("{}"))
    provider = AnthropicProvider(
        "mine", UpstreamSettings(upstream.url), KEY, key_header="x-api-key"
    )
    await provider.check()
    await provider.close()
    assert upstream.requests[0].headers["x-api-key"] == KEY
    assert "authorization" not in upstream.requests[0].headers


async def test_without_a_key_no_header_is_sent(dialect: DialectName, upstream: Upstream) -> None:
    upstream.enqueue(text_reply(dialect, ["x"]))
    made: Provider
    if dialect == "openai":
        made = OpenAIProvider("mine", UpstreamSettings(upstream.url), None)
    else:
        made = AnthropicProvider("mine", UpstreamSettings(upstream.url), None)
    assert (await outcome_of(made.stream(model_call()))).text == "x"
    await made.close()
    assert {"authorization", "x-api-key"}.isdisjoint(upstream.requests[0].headers)


async def test_over_a_unix_socket(dialect: DialectName, tmp_path: Path) -> None:
    async with upstream_server(text_reply(dialect, ["x"]), tmp_path / "s") as upstream:
        provider = provider_at(dialect, upstream.url, upstream.unix_socket)
        assert (await outcome_of(provider.stream(model_call()))).text == "x"
        await provider.check()
        await provider.close()


async def test_all_that_one_read_delivered_is_one_chunk(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    upstream.enqueue(text_reply(dialect, ["a"] * 60))
    outcome = await outcome_of(provider.stream(model_call()))
    assert outcome.texts == ["a" * 60]


async def test_connections_are_used_again(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    for number in range(1, 4):
        upstream.enqueue(text_reply(dialect, ["a", "b"], pause_s=0.002))
        assert (await outcome_of(provider.stream(model_call()))).finish is not None
        await upstream.wait_for(completed(number))
        await asyncio.sleep(0.01)
    assert upstream.connections == 1


@pytest.mark.parametrize("how", ["cancel", "close the generator"])
async def test_nobody_listening_closes_upstream_within_100_ms(
    dialect: DialectName, provider: Provider, upstream: Upstream, how: str
) -> None:
    events = text_events(dialect, [f"word{n} " for n in range(100)])
    upstream.enqueue(Reply([*paced(events[:5], 0.005), Hang()]))
    first = asyncio.Event()
    stream = provider.stream(model_call())
    loop = asyncio.get_running_loop()

    async def listen() -> None:
        async for _ in stream:
            first.set()

    if how == "cancel":
        task = asyncio.create_task(listen())
        await first.wait()
        left = loop.time()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        await anext(stream)
        left = loop.time()
        await stream.aclose()
    await upstream.wait_for(lambda u: len(u.closes) == 1)
    assert upstream.closes[0].answering
    assert upstream.closes[0].at - left < 0.1
    assert upstream.tokens_sent < 100


async def test_whoever_leaves_at_the_finish_leaves_nothing_open(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    upstream.enqueue(text_reply(dialect, ["x"]), text_reply(dialect, ["y"]))
    stream = provider.stream(model_call())
    async for event in stream:
        if isinstance(event, Finish):
            break
    # The generator is still alive and its connection already free.
    await asyncio.sleep(0.01)
    assert (await outcome_of(provider.stream(model_call()))).text == "y"
    assert upstream.connections == 1
    await stream.aclose()


@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_stream_is_never_a_clean_end(
    dialect: DialectName, provider: Provider, upstream: Upstream, framing: str, reset: bool
) -> None:
    events = text_events(dialect, [f"w{n} " for n in range(60)])
    steps = [*paced(events[:40], 0.001), Cut(reset)]
    upstream.enqueue(Reply(steps, framing="close" if framing == "close" else "chunked"))
    outcome = await outcome_of(provider.stream(model_call()))
    assert outcome.text.startswith("w0 w1 ")
    assert outcome.finish is None
    assert kind_of(outcome) is K.INTERRUPTED
    if dialect == "anthropic":
        assert outcome.error is not None
        assert outcome.error.usage is not None
        assert outcome.error.usage.input_tokens == 12


async def test_a_cut_before_the_first_byte_of_the_body(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    upstream.enqueue(Reply((Pause(0), Cut())))
    assert kind_of(await outcome_of(provider.stream(model_call()))) is K.INTERRUPTED


OPENAI_BROKE = {"error": {"message": "m", "type": "insufficient_quota"}}
ANTHROPIC_BROKE = {
    "type": "error",
    "error": {
        "type": "rate_limit_error",
        "message": "m",
        "details": {"error_code": "enforced_spend_limit_reached"},
    },
}


async def test_refusals_are_mapped_once(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    broke = OPENAI_BROKE if dialect == "openai" else ANTHROPIC_BROKE
    date = "Mon, 21 Sep 2026 14:13:50 GMT"
    upstream.enqueue(
        whole_reply("{}", 429, headers=(("retry-after", date),)),
        whole_reply(json.dumps(broke), 429, headers=(("retry-after", "1"),)),
        whole_reply("{}", 401),
        whole_reply("<html>", 503, "text/html"),
        whole_reply("", 529),
    )
    outcomes = [await outcome_of(provider.stream(model_call())) for _ in range(5)]
    assert [kind_of(outcome) for outcome in outcomes] == [
        K.RATE_LIMITED,
        K.OUT_OF_CREDIT,
        K.AUTHENTICATION,
        K.OVERLOADED,
        K.OVERLOADED,
    ]
    errors = [outcome.error for outcome in outcomes]
    assert [error.failure.retry_after_s for error in errors if error][:2] == [30.0, None]


async def test_redirects_are_refused_and_the_key_goes_nowhere(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    async with upstream_server() as metadata:
        location = (("location", f"{metadata.url}/latest/meta-data"),)
        upstream.enqueue(whole_reply("", 307, headers=location))
        outcome = await outcome_of(provider.stream(model_call()))
        assert kind_of(outcome) is K.REJECTED
        assert metadata.connections == 0


async def test_an_error_body_that_stalls_does_not_hide_the_status(
    monkeypatch: pytest.MonkeyPatch,
    dialect: DialectName,
    provider: Provider,
    upstream: Upstream,
) -> None:
    monkeypatch.setattr(exchange, "ERROR_BODY_TIMEOUT_S", 0.05)
    upstream.enqueue(Reply((Send(b"{"), Hang()), 429, headers=(("retry-after", "3"),)))
    outcome = await outcome_of(provider.stream(model_call()))
    assert kind_of(outcome) is K.RATE_LIMITED
    await upstream.wait_for(lambda u: len(u.closes) == 1)


async def test_an_endless_error_body_is_not_read_to_its_end(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    upstream.enqueue(Reply([Send(b"x" * 60_000)] * 1000, 500))
    assert kind_of(await outcome_of(provider.stream(model_call()))) is K.SERVER_ERROR
    await upstream.wait_for(lambda u: len(u.closes) == 1)
    assert upstream.answers_completed == 0


@pytest.mark.parametrize(
    "reply",
    [
        whole_reply("<html>Sign in</html>", content_type="text/html; charset=utf-8"),
        whole_reply("<html>Sign in</html>", content_type="text/event-stream"),
        whole_reply("", content_type="text/event-stream"),
        whole_reply("", content_type="application/json"),
        whole_reply('{"hello": "world"}', content_type="application/json"),
        whole_reply("data: nonsense\n\n", content_type=None),
    ],
)
async def test_a_200_that_is_no_answer(
    dialect: DialectName, provider: Provider, upstream: Upstream, reply: Reply
) -> None:
    upstream.enqueue(reply)
    outcome = await outcome_of(provider.stream(model_call()))
    assert kind_of(outcome) is K.PROTOCOL
    assert outcome.text == ""


async def test_a_stream_without_a_content_type_is_read(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    body = b"".join(text_events(dialect, ["x"]))
    upstream.enqueue(whole_reply(body, content_type=None))
    assert (await outcome_of(provider.stream(model_call()))).text == "x"


WHOLE = {
    "openai": {
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    },
    "anthropic": {
        "type": "message",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 1},
    },
}


async def test_a_200_that_was_not_streamed_is_an_answer_all_the_same(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    upstream.enqueue(whole_reply(json.dumps(WHOLE[dialect]), content_type="application/json"))
    outcome = await outcome_of(provider.stream(model_call()))
    assert outcome.texts == ["Hi"]
    assert outcome.finish == Finish(FinishReason.STOP, Usage(3, 0, 1))


async def test_an_error_in_the_stream_comes_after_the_text_before_it(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    error = (
        sse({"error": {"message": "m", "code": 503}})
        if dialect == "openai"
        else anthropic_event("error", error={"type": "overloaded_error", "message": "m"})
    )
    upstream.enqueue(Reply((Send(b"".join([*text_events(dialect, ["half"])[:4], error])),)))
    outcome = await outcome_of(provider.stream(model_call()))
    assert outcome.text == "half"
    assert kind_of(outcome) is K.OVERLOADED


@pytest.mark.parametrize("where", ["code", "stream"])
async def test_a_server_that_echoes_the_key_does_not_get_it_into_a_message(
    dialect: DialectName, provider: Provider, upstream: Upstream, where: str
) -> None:
    error: Json = {"type": "error", "error": {"type": KEY, "code": KEY, "message": KEY}}
    if where == "code":
        upstream.enqueue(whole_reply(json.dumps(error), 400))
    else:
        upstream.enqueue(Reply((Send(sse(error)),)))
    outcome = await outcome_of(provider.stream(model_call()))
    assert outcome.error is not None
    assert KEY not in str(outcome.error)
    assert KEY not in repr(outcome.error.failure)


async def test_prompts_are_in_no_error(
    dialect: DialectName, provider: Provider, upstream: Upstream
) -> None:
    upstream.default = lambda request: whole_reply(request.body, 400)
    outcome = await outcome_of(provider.stream(model_call(user("CANARY prompt"))))
    assert outcome.error is not None
    assert "CANARY" not in repr(outcome.error.failure) + str(outcome.error)


async def test_a_call_that_cannot_be_said_is_not_made(
    provider: Provider, upstream: Upstream
) -> None:
    call = model_call(generation=GenerationOptions(response_json_schema="{"))
    assert kind_of(await outcome_of(provider.stream(call))) is K.REJECTED
    assert upstream.connections == 0


async def test_check(provider: Provider, upstream: Upstream) -> None:
    upstream.enqueue(whole_reply('{"object": "list", "data": []}'))
    await provider.check()
    (request,) = upstream.requests
    assert (request.method, request.path, request.body) == ("GET", "/v1/models", b"")
    assert request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (whole_reply("{}", 401), K.AUTHENTICATION),
        (whole_reply("", 503), K.OVERLOADED),
        (whole_reply("", 301), K.REJECTED),
        (whole_reply("<html>", content_type="text/html"), K.PROTOCOL),
    ],
)
async def test_check_maps_errors(
    provider: Provider, upstream: Upstream, reply: Reply, kind: FailureKind
) -> None:
    upstream.enqueue(reply)
    with pytest.raises(ProviderError) as raised:
        await provider.check()
    assert raised.value.failure.kind is kind


async def test_close_is_idempotent(provider: Provider, upstream: Upstream) -> None:
    upstream.enqueue(whole_reply("{}"))
    await provider.check()
    await provider.close()
    await provider.close()
    assert kind_of(await outcome_of(provider.stream(model_call()))) is K.UNREACHABLE


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.rate_limited(7), K.RATE_LIMITED),
        (faults.overloaded(), K.OVERLOADED),
        (faults.server_error(), K.SERVER_ERROR),
        (faults.not_http(), K.PROTOCOL),
        (faults.web_page(), K.PROTOCOL),
        (faults.empty(), K.PROTOCOL),
        (faults.nothing(), K.UNREACHABLE),
        (faults.CutAfterBytes(0), K.UNREACHABLE),
        (faults.CutAfterEvents(3), K.INTERRUPTED),
        (faults.CutAfterEvents(3, reset=True), K.INTERRUPTED),
        (faults.CutAfterEvents(5), K.INTERRUPTED),
    ],
)
async def test_faults_of_the_connection(
    dialect: DialectName,
    upstream: Upstream,
    proxy: FaultProxy,
    fault: faults.Fault,
    kind: FailureKind,
) -> None:
    upstream.default = lambda _: text_reply(dialect, ["a", "b", "c"], pause_s=0.002)
    provider = provider_at(dialect, proxy.url)
    proxy.enqueue(fault)
    outcome = await outcome_of(provider.stream(model_call()))
    assert kind_of(outcome) is kind
    assert outcome.finish is None
    await provider.close()


async def test_every_place_to_cut_is_an_error_and_none_loses_or_repeats_text(
    dialect: DialectName, upstream: Upstream, proxy: FaultProxy
) -> None:
    upstream.default = lambda _: text_reply(dialect, ["a", "b", "c"], pause_s=0.001)
    provider = provider_at(dialect, proxy.url)
    total = len(text_events(dialect, ["a", "b", "c"]))
    for count in range(1, total):
        proxy.enqueue(faults.CutAfterEvents(count))
        outcome = await outcome_of(provider.stream(model_call()))
        assert kind_of(outcome) is K.INTERRUPTED, count
        assert "abc".startswith(outcome.text)
    proxy.enqueue(faults.Drip(7, 0.0005))
    outcome = await outcome_of(provider.stream(model_call()))
    assert (outcome.text, kind_of(outcome)) == ("abc", None)
    await provider.close()


async def test_garbage_within_the_stream_is_an_error(
    dialect: DialectName, upstream: Upstream, proxy: FaultProxy
) -> None:
    upstream.default = lambda _: text_reply(dialect, ["a", "b", "c"])
    provider = provider_at(dialect, proxy.url)
    proxy.enqueue(faults.GarbageAfterBytes(300))
    outcome = await outcome_of(provider.stream(model_call()))
    assert kind_of(outcome) in (K.PROTOCOL, K.INTERRUPTED)
    await provider.close()


async def test_a_stalled_stream_ends_when_the_listener_gives_up(
    dialect: DialectName, upstream: Upstream, proxy: FaultProxy
) -> None:
    upstream.default = lambda _: text_reply(dialect, ["a", "b", "c"], pause_s=0.002)
    provider = provider_at(dialect, proxy.url)
    proxy.enqueue(faults.StallAfterBytes(700))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outcome_of(provider.stream(model_call())), 0.1)
    gave_up = asyncio.get_running_loop().time()
    await proxy.wait_for(lambda p: len(p.closes) == 1)
    assert proxy.closes[0].side == "client"
    assert proxy.closes[0].at - gave_up < 0.1
    await provider.close()
