"""Connections: made late, kept, lost, reused, and many."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from fault_proxy import fault_proxy
from pointsman.v1 import admin_service_pb2
from pointsman.v1.admin_service_pb2_grpc import AdminServiceStub
from pointsman.v1.router_service_pb2_grpc import RouterServiceStub
from raw_http2 import grpc_headers, http2, message
from served import Served, Settings, ask, collect, failing, serving, text_of
from transports import over
from upstream import Hang, Reply, whole

INFO = admin_service_pb2.GetServerInfoRequest()
COMPLETE = "/pointsman.v1.RouterService/Complete"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def at(address: str, transport: str) -> Settings:
    return Settings(f'address: "{address}"', server=f", transport: {transport}, drain: 5s")


def info_of(channel: grpc.aio.Channel) -> Any:
    return AdminServiceStub(channel).GetServerInfo


async def test_who_waits_for_a_server_is_served_once_it_is_there(
    tmp_path: Path, transport: str
) -> None:
    address = f"127.0.0.1:{free_port()}"
    soon = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 50)]
    async with grpc.aio.insecure_channel(address, soon) as channel:
        early = asyncio.create_task(_call(info_of(channel)(INFO, wait_for_ready=True, timeout=10)))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await info_of(channel)(INFO, timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert not early.done()
        async with serving(tmp_path, at(address, transport)):
            assert (await early).version


async def _call(call: Any) -> Any:
    return await call


async def test_a_client_outlives_its_server(tmp_path: Path, transport: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    soon = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 50)]
    async with grpc.aio.insecure_channel(address, soon) as channel:
        for _ in range(3):
            async with serving(tmp_path, at(address, transport)):
                answer = await info_of(channel)(INFO, wait_for_ready=True, timeout=10)
                assert answer.version


async def test_one_connection_carries_calls_that_fail_and_calls_that_do_not(
    alive: Served,
) -> None:
    port = int(alive.address.rpartition(":")[2])
    async with fault_proxy(("127.0.0.1", port)) as proxy:
        address = f"127.0.0.1:{proxy.port}"
        async with grpc.aio.insecure_channel(address) as channel:
            router: Any = RouterServiceStub(channel)
            for _ in range(15):
                for upstream in (alive.one, alive.two):
                    upstream.enqueue(whole("oops", 500))
                await failing(router.Complete(ask()))
                await failing(router.Complete(ask("")))
                call = router.Complete(ask())
                await call.read()
                call.cancel()
                assert text_of(await collect(router.Complete(ask()))) == "Hello, world"
        assert proxy.connections == 1


async def test_a_connection_that_breaks_ends_its_calls_on_both_sides(served: Served) -> None:
    port = int(served.address.rpartition(":")[2])
    served.one.enqueue(Reply([Hang()]))
    async with (
        fault_proxy(("127.0.0.1", port)) as proxy,
        grpc.aio.insecure_channel(f"127.0.0.1:{proxy.port}") as channel,
    ):
        router: Any = RouterServiceStub(channel)
        call = router.Complete(ask())
        await call.read()
        await served.one.wait_for(lambda u: len(u.requests) == 1)
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await call.read()
    await served.one.wait_for(lambda u: len(u.closes) == 1)
    await served.idle()


async def test_a_hundred_connections_are_served_side_by_side(alive: Served) -> None:
    async def visit() -> str:
        async with http2(alive.address) as connection:
            request = message(ask().SerializeToString())
            response = await connection.call(grpc_headers(COMPLETE), request, timeout_s=20)
            return response.trailers["grpc-status"]

    assert await asyncio.gather(*(visit() for _ in range(100))) == ["0"] * 100


async def test_a_connection_that_says_nothing_costs_nobody_else_anything(alive: Served) -> None:
    host, _, port = alive.address.rpartition(":")
    silent = [await asyncio.open_connection(host, int(port)) for _ in range(50)]
    assert text_of(await collect(alive.router.Complete(ask()))) == "Hello, world"
    for _, writer in silent:
        writer.close()
        await writer.wait_closed()


async def test_pings_to_keep_a_quiet_stream_alive_are_accepted(served: Served) -> None:
    served.one.enqueue(Reply([Hang()]))
    async with http2(served.address) as connection:
        stream = connection.open(grpc_headers(COMPLETE))
        connection.send(stream, message(ask().SerializeToString()), end=True)
        await connection.wait_for(lambda: bool(connection.streams[stream].data))
        pings = [bytes([i]) * 8 for i in range(4)]
        for ping in pings[:-1]:
            connection.ping(ping)
            await asyncio.sleep(1.1)  # no client that means well pings more often
        connection.ping(pings[-1])
        await connection.wait_for(lambda: connection.pongs == pings or connection.closed)
        assert connection.pongs == pings
        assert connection.goaway is None
        assert not connection.streams[stream].done


async def test_a_unix_socket(tmp_path: Path, transport: str) -> None:
    address = f"unix:{tmp_path / 'p.sock'}"
    async with serving(tmp_path, at(address, transport)) as served:
        assert served.address == address
        assert text_of(await collect(served.router.Complete(ask()))) == "Hello, world"


async def test_an_address_that_is_taken(tmp_path: Path, transport: str, served: Served) -> None:
    with pytest.raises(OSError, match="cannot listen on"):
        async with serving(tmp_path, at(served.address, transport)):
            pass


async def test_over_the_limit_of_calls_the_next_is_refused_at_once(
    tmp_path: Path, transport: str
) -> None:
    limit = ", drain: 5s, max_in_flight: 2"
    async with serving(tmp_path, over(transport, limit)) as served:
        served.one.default = lambda request: Reply([Hang()])
        calls = [served.router.Complete(ask()) for _ in range(2)]
        await served.one.wait_for(lambda u: len(u.requests) == 2)
        for _ in range(20):
            _, error = await failing(served.router.Complete(ask()))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for call in calls:
            call.cancel()
        await served.idle()
