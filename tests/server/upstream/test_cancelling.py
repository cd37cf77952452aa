"""A call that nobody listens to any more: its connection is closed, and nothing of it is left."""

from __future__ import annotations

import asyncio
import random

import pytest
from pointsman_server.upstream.client import UpstreamClient
from pointsman_server.upstream.settings import UpstreamSettings
from upstream import Hang, Pause, Reply, Send, Upstream
from upstream import whole as whole_reply

CLOSED_WITHIN_S = 0.1


async def call(client: UpstreamClient) -> bytes:
    body = b""
    response = await client.send(client.prepare("POST", "x", {}), b"{}")
    try:
        while piece := await response.read():
            body += piece
    finally:
        response.close()
    return body


@pytest.mark.parametrize(
    ("reply", "wait_for_text"),
    [
        (Reply((Hang(),), wait_before_head=60), False),
        (Reply((Hang(),)), False),
        (Reply((Send(b"x"), Hang())), True),
        (Reply((Send(b"x"), Hang()), headers=(("content-encoding", "gzip"),)), False),
    ],
    ids=["before the head", "before the first byte", "midway", "in a compressed body"],
)
async def test_cancelling_closes_the_connection_within_100_ms(
    upstream: Upstream, client: UpstreamClient, reply: Reply, wait_for_text: bool
) -> None:
    """RELIABILITY, row 3."""
    upstream.enqueue(reply)
    reading = asyncio.Event()

    async def careless() -> None:
        response = await client.send(client.prepare("POST", "x", {}), b"{}")
        while await response.read():
            reading.set()

    task = asyncio.create_task(careless())
    await upstream.wait_for(lambda u: len(u.requests) == 1)
    if wait_for_text:
        await reading.wait()
    else:
        await asyncio.sleep(0.02)
    cancelled_at = asyncio.get_running_loop().time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.wait_for(lambda u: len(u.closes) == 1)
    assert upstream.closes[0].at - cancelled_at < CLOSED_WITHIN_S
    assert upstream.closes[0].answering
    assert client._leases.pool.leased == 0


async def test_cancelling_while_a_large_body_is_sent_closes_the_connection() -> None:
    gone = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.1)
        while await reader.read(1 << 20):
            pass
        writer.close()
        gone.set()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = UpstreamClient(UpstreamSettings(f"http://127.0.0.1:{port}"))
    task = asyncio.create_task(client.send(client.prepare("POST", "x", {}), bytes(100_000_000)))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(gone.wait(), 5)
    assert client._leases.pool.leased == 0
    await client.close()
    server.close()
    await server.wait_closed()


async def test_an_early_end_of_the_caller_is_not_an_end_of_the_client(
    upstream: Upstream, client: UpstreamClient
) -> None:
    upstream.enqueue(Reply((Hang(),)), whole_reply("ok"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call(client), 0.05)
    assert await call(client) == b"ok"


async def test_a_hundred_connections_are_the_limit_and_cancelled_waiters_leak_nothing(
    upstream: Upstream,
) -> None:
    client = UpstreamClient(UpstreamSettings(upstream.url, max_connections=100))
    pool = client._leases.pool
    upstream.default = lambda _: Reply((Send(b"x"), Pause(0.005)))
    chance = random.Random(7)
    tasks = [asyncio.create_task(call(client)) for _ in range(600)]
    most = 0
    while pending := [task for task in tasks if not task.done()]:
        most = max(most, pool.leased)
        for task in chance.sample(pending, min(len(pending), 15)):
            task.cancel()
        await asyncio.sleep(0.001)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    finished = [result for result in results if result == b"x"]
    cancelled = [result for result in results if isinstance(result, asyncio.CancelledError)]
    assert len(finished) + len(cancelled) == 600
    assert cancelled
    assert most == 100
    assert (pool.leased, pool.waiting) == (0, 0)
    assert await asyncio.gather(*[call(client) for _ in range(200)]) == [b"x"] * 200
    assert (pool.leased, pool.waiting) == (0, 0)
    await client.close()


async def test_more_calls_than_connections_wait_for_their_turn_in_their_order(
    upstream: Upstream,
) -> None:
    client = UpstreamClient(UpstreamSettings(upstream.url, max_connections=2))
    upstream.default = lambda _: whole_reply("ok")
    bodies = [str(number).encode() for number in range(20)]

    async def post(body: bytes) -> None:
        response = await client.send(client.prepare("POST", "x", {}), body)
        assert await response.read_bounded(10) == b"ok"
        response.close()

    tasks = []
    for body in bodies:
        tasks.append(asyncio.create_task(post(body)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    order = [int(request.body) for request in upstream.requests]
    # Two are on their way at a time, and one may overtake the other.
    assert all(abs(number - place) <= 1 for place, number in enumerate(order))
    await client.close()


async def test_a_turn_that_comes_as_its_waiter_leaves_goes_to_the_next(
    upstream: Upstream,
) -> None:
    client = UpstreamClient(UpstreamSettings(upstream.url, max_connections=1))
    upstream.default = lambda _: whole_reply("ok")
    first = await client.send(client.prepare("POST", "x", {}), b"")
    leaving, staying = (asyncio.create_task(call(client)) for _ in range(2))
    await asyncio.sleep(0)
    first.close()
    # Its turn has come, and it does not know yet.
    leaving.cancel()
    assert await asyncio.wait_for(staying, 5) == b"ok"
    assert leaving.cancelled()
    assert client._leases.pool.leased == 0
    await client.close()


async def test_cancelling_while_the_connection_is_made_leaves_nothing(
    upstream: Upstream, client: UpstreamClient
) -> None:
    upstream.default = lambda _: whole_reply("ok")
    for turns in range(8):
        task = asyncio.create_task(call(client))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert client._leases.pool.leased == 0
    assert await call(client) == b"ok"
