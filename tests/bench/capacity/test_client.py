"""The client as a whole, against scripted upstreams and servers in this process."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from answers import text_reply
from pointsman.v1.router_service_pb2 import CompleteRequest, GenerateRequest
from pointsman_bench.capacity.client import Client
from pointsman_bench.capacity.process import drive
from pointsman_bench.capacity.work import MAX_ERRORS, Work, WorkError
from served import Settings, serving, user
from upstream import Reply, SeenRequest, upstream_server, whole

ONE_WORD = text_reply("openai", ["Hello"])


def work(address: str, **fields: object) -> Work:
    """Forty calls of one token over HTTP/1.1, four at a time."""
    defaults: dict[str, object] = {
        "protocol": "http",
        "address": address,
        "path": "/v1/chat/completions",
        "body": b'{"stream":true,"n":"00000000"}',
        "tokens": 1,
        "streams": 4,
        "connections": 2,
        "warm_up_s": 0.0,
        "calls": 40,
        "server_pid": os.getpid(),
    }
    return Work(**(defaults | fields))  # type: ignore[arg-type]


def address_of(url: str) -> str:
    """host:port of a URL."""
    return url.removeprefix("http://")


async def test_http_calls_are_counted_as_the_server_counts_them() -> None:
    """Forty calls ended, and no prompt came twice."""
    async with upstream_server(ONE_WORD) as upstream:
        outcome = await Client(work(address_of(upstream.url), first=1000)).run()
        bodies = [request.body for request in upstream.requests]
    assert (outcome.calls, outcome.errors) == (40, 0)
    assert 40 <= outcome.tokens <= 40 + 3  # some of calls that were under way at the end
    assert outcome.first_token is not None
    assert outcome.whole is not None
    assert 0 < outcome.first_token.p50 <= outcome.whole.p50
    assert len(set(bodies)) == len(bodies) >= 40
    assert b"00001000" in bodies[0]
    assert outcome.server_cpu_s is not None
    assert outcome.server_memory is not None
    assert outcome.server_memory.rss > 1 << 20


async def test_the_window_ends_by_the_clock_where_no_calls_are_asked_for() -> None:
    """With what was measured until then."""
    async with upstream_server(ONE_WORD) as upstream:
        outcome = await Client(
            work(address_of(upstream.url), calls=None, window_s=0.2, warm_up_s=0.05)
        ).run()
    assert 0.2 <= outcome.seconds < 2
    assert outcome.calls > 0
    assert outcome.calls_per_s == outcome.calls / outcome.seconds


async def test_a_server_that_closes_after_each_answer_is_dialled_again() -> None:
    """No call fails of that."""
    reply = Reply(ONE_WORD.steps, headers=[("connection", "close")])
    async with upstream_server(reply) as upstream:
        outcome = await Client(work(address_of(upstream.url))).run()
        assert upstream.connections >= 40
    assert (outcome.calls, outcome.errors) == (40, 0)


async def test_wrong_answers_are_errors() -> None:
    """One in four has a word too many: they are counted apart."""
    long = text_reply("openai", ["Hello ", "there"])
    numbers = iter(range(10_000))

    def script(request: SeenRequest) -> Reply:
        return long if next(numbers) % 4 == 0 else ONE_WORD

    async with upstream_server(script) as upstream:
        outcome = await Client(work(address_of(upstream.url))).run()
    assert outcome.errors == 10
    assert outcome.calls == 30
    assert outcome.first_error == "2 tokens came in place of 1"


async def test_a_server_that_only_fails_ends_the_work() -> None:
    """With the first error in the message."""
    async with upstream_server(whole("no", 500, "text/plain")) as upstream:
        with pytest.raises(WorkError, match=f"{MAX_ERRORS} calls failed.*HTTP status 500: no"):
            await Client(work(address_of(upstream.url), calls=10_000)).run()


async def test_a_server_that_is_not_there_ends_the_work() -> None:
    """At once."""
    async with upstream_server(ONE_WORD) as upstream:
        address = address_of(upstream.url)
    with pytest.raises(WorkError, match=f"cannot connect to {address}"):
        await Client(work(address)).run()


async def test_a_process_that_is_not_there_cannot_be_measured() -> None:
    """Its number says whose."""
    with pytest.raises(WorkError, match="no server process 4194305"):
        await Client(work("127.0.0.1:9", server_pid=(1 << 22) + 1)).run()


@pytest.mark.parametrize("transport", ["fast", "grpc"])
async def test_grpc_streams_are_counted_as_the_upstream_counts_them(
    tmp_path: Path, transport: str
) -> None:
    """Every stream is whole, on either transport, and its answer read in full."""
    settings = Settings(server=f", drain: 5s, transport: {transport}")
    body = CompleteRequest(messages=[user("Say it. 00000000")]).SerializeToString()
    async with serving(tmp_path, settings) as served:
        outcome = await Client(
            work(
                served.address,
                protocol="grpc",
                path="/pointsman.v1.RouterService/Complete",
                body=body,
                tokens=2,
                verify_every=1,
            )
        ).run()
        assert len(served.one.requests) >= 40
    assert (outcome.calls, outcome.errors, outcome.first_error) == (40, 0, "")
    assert outcome.verified == 40
    assert 80 <= outcome.tokens <= 80 + 2 * 3  # some of calls that were under way at the end
    assert outcome.messages >= 80


@pytest.mark.parametrize("transport", ["fast", "grpc"])
async def test_unary_grpc_calls_are_counted(tmp_path: Path, transport: str) -> None:
    """A whole answer is one message, and has no first token."""
    settings = Settings(server=f", drain: 5s, transport: {transport}")
    body = GenerateRequest(messages=[user("Say it. 00000000")]).SerializeToString()
    async with serving(tmp_path, settings) as served:
        outcome = await Client(
            work(
                served.address,
                protocol="grpc",
                path="/pointsman.v1.RouterService/Generate",
                body=body,
                tokens=2,
                streamed=False,
            )
        ).run()
    assert (outcome.calls, outcome.errors, outcome.first_error) == (40, 0, "")
    assert outcome.tokens == 80
    assert 40 <= outcome.messages <= 40 + 3
    assert outcome.first_token is None


async def test_the_clients_process_does_the_same() -> None:
    """What it measured comes back, and why it could not."""
    async with upstream_server(ONE_WORD) as upstream:
        address = address_of(upstream.url)
        outcome = await drive(work(address))
    assert (outcome.calls, outcome.errors) == (40, 0)
    assert outcome.client_cpu_s > 0
    with pytest.raises(WorkError, match="cannot connect"):
        await drive(work(address))


async def test_a_client_that_is_cancelled_leaves_no_connection() -> None:
    """Its server sees all of them close."""
    async with upstream_server(ONE_WORD) as upstream:
        running = asyncio.create_task(Client(work(address_of(upstream.url), calls=10**9)).run())
        await upstream.wait_for(lambda up: up.answers_completed > 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await upstream.wait_for(lambda up: len(up.closes) == up.connections)
