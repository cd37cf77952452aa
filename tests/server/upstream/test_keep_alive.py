"""When a connection carries another request, and when it must not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from pointsman_server.upstream import connection as connection_module
from pointsman_server.upstream.client import UpstreamClient
from pointsman_server.upstream.errors import ConnectFailed, ConnectReason, Interrupted
from pointsman_server.upstream.pool import Turn
from pointsman_server.upstream.response import UpstreamResponse
from pointsman_server.upstream.settings import UpstreamSettings
from raw_server import Peer, raw_server, saying
from upstream import Hang, Hold, Reply, Send, Upstream
from upstream import whole as whole_reply
from weight_sources import until

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n"
END = b"0\r\n\r\n"


def client_of(url: str, **changes: float) -> UpstreamClient:
    return UpstreamClient(UpstreamSettings(url, **changes))  # type: ignore[arg-type]


async def post(client: UpstreamClient, body: bytes = b"") -> UpstreamResponse:
    return await client.send(client.prepare("POST", "x", {}), body)


async def answer(client: UpstreamClient) -> bytes:
    response = await post(client)
    body = await response.read_bounded(100)
    response.close()
    return body


def completed(count: int) -> Callable[[Upstream], bool]:
    return lambda upstream: upstream.answers_completed == count


async def test_a_response_that_was_read_to_its_end_leaves_its_connection() -> None:
    async with raw_server(saying(OK)) as server:
        client = client_of(server.url)
        assert [await answer(client) for _ in range(5)] == [b"ok"] * 5
        assert server.connections == 1
        await client.close()


async def test_an_answer_that_is_whole_leaves_its_connection_at_once() -> None:
    async with raw_server(saying(STREAM + END)) as server:
        client = client_of(server.url, max_connections=1)
        for _ in range(5):
            response = await post(client)
            assert await response.read() == b"ok"
            response.release()
            response.close()
        assert server.connections == 1
        await client.close()


async def test_a_whole_answer_whose_end_comes_later_leaves_its_connection_then(
    upstream: Upstream, client: UpstreamClient
) -> None:
    for number in range(1, 4):
        end = asyncio.Event()
        upstream.enqueue(Reply((Send(b"data: [DONE]\n\n"), Hold(end))))
        response = await post(client)
        await response.read()
        response.release()
        end.set()
        await upstream.wait_for(completed(number))
        await until(lambda: client._leases.pool.idle == 1)
    assert upstream.connections == 1


async def test_the_one_who_waits_gets_the_connection_when_the_end_has_come(
    upstream: Upstream,
) -> None:
    client = client_of(upstream.url, max_connections=1)
    end = asyncio.Event()
    upstream.enqueue(Reply((Send(b"x"), Hold(end))), whole_reply("next"))
    response = await post(client)
    waiting = asyncio.create_task(answer(client))
    await response.read()
    response.release()
    await asyncio.sleep(0.01)
    assert not waiting.done()
    end.set()
    assert await asyncio.wait_for(waiting, 5) == b"next"
    assert upstream.connections == 1
    await client.close()


async def test_an_end_that_does_not_come_is_not_waited_for(
    upstream: Upstream, client: UpstreamClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "DRAIN_TIMEOUT_S", 0.05)
    upstream.enqueue(Reply((Send(b"x"), Hang())))
    response = await post(client)
    await response.read()
    response.release()
    await upstream.wait_for(lambda u: len(u.closes) == 1)


async def test_a_body_that_nobody_reads_does_not_stop_its_connection() -> None:
    large = b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + bytes(300_000)
    async with raw_server(saying(large)) as server:
        client = client_of(server.url)
        for _ in range(3):
            response = await post(client)
            connection = response._connection
            assert connection is not None
            # As much has arrived as the client takes on without a reader.
            await until(lambda held=connection: held._reading_paused)  # type: ignore[misc]
            response.release()
            await until(lambda: client._leases.pool.idle == 1)
        assert server.connections == 1
        await client.close()


async def test_what_comes_along_with_the_end_spoils_the_connection() -> None:
    async def chatty(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM)
        await released.wait()
        await peer.send(END + OK)
        await peer.gone()

    async with raw_server(chatty) as server:
        client = client_of(server.url)
        for _ in range(2):
            released = asyncio.Event()
            response = await post(client)
            assert await response.read() == b"ok"
            response.release()
            released.set()
            await until(lambda: client._leases.pool.leased == 0)
        assert server.connections == 2
        await client.close()


async def test_what_comes_instead_of_the_end_is_not_swallowed_without_bound(
    upstream: Upstream, client: UpstreamClient
) -> None:
    go_on = asyncio.Event()
    upstream.enqueue(Reply((Send(b"x"), Hold(go_on), Send(b"y" * 1_000_000), Hang())))
    response = await post(client)
    await response.read()
    response.release()
    go_on.set()
    await upstream.wait_for(lambda u: len(u.closes) == 1, 0.9)


async def test_closing_the_client_cuts_what_is_waited_for(upstream: Upstream) -> None:
    client = client_of(upstream.url)
    upstream.enqueue(Reply((Send(b"x"), Hang())))
    response = await post(client)
    await response.read()
    response.release()
    await client.close()
    await upstream.wait_for(lambda u: len(u.closes) == 1, 0.9)


async def test_a_response_that_is_left_unfinished_takes_its_connection_along(
    upstream: Upstream, client: UpstreamClient
) -> None:
    upstream.enqueue(Reply((Send(b"x"), Hang())))
    response = await post(client)
    await response.read()
    response.close()
    await upstream.wait_for(lambda u: len(u.closes) == 1)
    assert upstream.closes[0].answering


async def test_without_keep_alive_every_call_has_a_connection_of_its_own(
    upstream: Upstream,
) -> None:
    client = UpstreamClient(UpstreamSettings(upstream.url, keep_alive=False))
    upstream.enqueue(*[whole_reply("ok")] * 3)
    assert [await answer(client) for _ in range(3)] == [b"ok"] * 3
    assert upstream.connections == 3
    assert {r.headers["connection"] for r in upstream.requests} == {"close"}
    await client.close()


@pytest.mark.parametrize("said", [STREAM, STREAM + END])
async def test_without_keep_alive_no_connection_is_kept_even_if_the_server_would(
    said: bytes,
) -> None:
    async with raw_server(saying(said)) as server:
        client = UpstreamClient(UpstreamSettings(server.url, keep_alive=False, max_connections=1))
        for _ in range(3):
            response = await post(client)
            assert await response.read() == b"ok"
            response.release()
        assert server.connections == 3
        await client.close()


@pytest.mark.parametrize(
    "surplus", [b"x", b"\x00\xff", OK, b"HTTP/1.1 200 OK\r\n\r\nfalse", b"0\r\n\r\n"]
)
@pytest.mark.parametrize("apart", [True, False])
async def test_what_follows_the_end_is_never_the_answer_to_another_request(
    surplus: bytes, apart: bool
) -> None:
    async def chatty(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(*((OK, surplus) if apart else (OK + surplus,)))

    async with raw_server(chatty) as server:
        client = client_of(server.url)
        for _ in range(3):
            assert await answer(client) == b"ok"
            await asyncio.sleep(0.02)
        assert server.connections == 3
        await client.close()


async def test_a_connection_that_the_server_closes_while_idle_is_dropped() -> None:
    closing = asyncio.Event()

    async def impatient(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await closing.wait()

    async with raw_server(impatient) as server:
        client = client_of(server.url)
        assert await answer(client) == b"ok"
        closing.set()
        await until(lambda: client._leases.pool.idle == 0)
        assert await answer(client) == b"ok"
        assert server.connections == 2
        await client.close()


def racing(end: Callable[[Peer], None]) -> Callable[[Peer], object]:
    """Answer one request on the first connection and end it as the second arrives."""

    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        if peer.number == 1:
            end(peer)
        else:
            await peer.send(OK)
            await peer.gone()

    return handler


@pytest.mark.parametrize(
    "end",
    [lambda peer: peer.writer.close(), lambda peer: peer.writer.transport.abort()],
    ids=["close", "abort"],
)
async def test_a_request_that_meets_a_closing_connection_is_sent_once_more(
    end: Callable[[Peer], None],
) -> None:
    async with raw_server(racing(end)) as server:  # type: ignore[arg-type]
        client = client_of(server.url, max_connections=1)
        assert [await answer(client) for _ in range(3)] == [b"ok"] * 3
        assert server.connections == 2
        assert client._leases.pool.leased == 0
        await client.close()


@pytest.mark.parametrize("some", [b"H", b"HTTP/1.1 200 OK\r\n", STREAM])
async def test_a_request_that_was_answered_at_all_is_not_sent_again(some: bytes) -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(some)

    async with raw_server(handler) as server:
        client = client_of(server.url)
        assert await answer(client) == b"ok"
        with pytest.raises(Interrupted):
            await answer(client)
        assert server.connections == 1
        await client.close()


async def test_a_request_is_sent_again_only_once() -> None:
    async def handler(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.send(OK)
            await peer.request()

    async with raw_server(handler) as server:
        client = client_of(server.url)
        assert await answer(client) == b"ok"
        with pytest.raises(ConnectFailed) as raised:
            await answer(client)
        assert raised.value.reason is ConnectReason.DISCONNECTED
        assert server.connections == 2
        assert client._leases.pool.leased == 0
        await client.close()


async def test_what_is_sent_again_is_the_same_request() -> None:
    bodies: list[bytes] = []

    async def handler(peer: Peer) -> None:
        bodies.append((await peer.request())[-1000:])
        if peer.number == 1:
            await peer.send(OK)
            bodies.append((await peer.request())[-1000:])
        else:
            await peer.send(OK)

    async with raw_server(handler) as server:
        client = client_of(server.url)
        await answer(client)
        response = await post(client, b"z" * 300_000)
        assert await response.read() == b"ok"
        assert bodies[1:] == [b"z" * 1000] * 2
        await client.close()


async def test_an_idle_connection_is_closed_after_its_time(upstream: Upstream) -> None:
    client = client_of(upstream.url, idle_lifetime_s=0.05)
    gate = asyncio.Event()
    upstream.enqueue(*[Reply((Hold(gate),))] * 3)
    calls = [asyncio.create_task(answer(client)) for _ in range(3)]
    await upstream.wait_for(lambda u: len(u.requests) == 3)
    gate.set()
    await asyncio.gather(*calls)
    await upstream.wait_for(lambda u: len(u.closes) == 3)
    assert not any(close.answering for close in upstream.closes)
    assert client._leases.pool.idle == 0
    upstream.enqueue(whole_reply("ok"))
    assert await answer(client) == b"ok"
    await client.close()


async def test_the_connection_used_last_is_used_first(upstream: Upstream) -> None:
    client = client_of(upstream.url)
    gates = [asyncio.Event(), asyncio.Event()]
    for gate in gates:
        upstream.enqueue(Reply((Hold(gate),)))
    calls = [asyncio.create_task(answer(client)) for _ in gates]
    await upstream.wait_for(lambda u: len(u.requests) == 2)
    for gate, call in zip(gates, calls, strict=True):
        gate.set()
        await call
    upstream.enqueue(*[whole_reply("ok")] * 3)
    for _ in range(3):
        await answer(client)
    assert [r.connection for r in upstream.requests[2:]] == [upstream.requests[1].connection] * 3
    await client.close()


async def test_what_a_server_says_before_it_was_asked_is_no_answer() -> None:
    async def greeting(peer: Peer) -> None:
        await peer.send(OK)
        await peer.gone()

    async with raw_server(greeting) as server:
        client = client_of(server.url)
        turn = client._leases.lease_idle()
        assert turn is Turn.OPEN
        connection, _ = await client._leases.lease(turn)
        await asyncio.sleep(0.02)
        with pytest.raises(ConnectFailed):
            await connection.request(b"GET / HTTP/1.1\r\n\r\n", b"")
        await client.close()
