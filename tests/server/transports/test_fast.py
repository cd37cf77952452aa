"""The fast transport over a real network: what its HTTP/2 server does, and is kept from doing."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from pointsman_server.api.call import BidiStream, Call, ServerStream, Service, Unary
from pointsman_server.transports.base import GrpcSettings, Transport, TransportKind
from pointsman_server.transports.factory import make_server
from raw_http2 import Http2, grpc_headers, http2, message

BOTH: tuple[TransportKind, ...] = ("fast", "grpc")
MEBIBYTE = 1024 * 1024
PIECE = StringValue(value="x" * 8000)
ASKED = message(StringValue(value="a").SerializeToString())


@dataclass
class Handlers:
    """What is served, and what became of it."""

    yielded: int = 0
    closed: list[float] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def echo(self, request: StringValue, _: Call) -> StringValue:
        return request

    async def flood(self, _: StringValue, __: Call) -> AsyncGenerator[StringValue, None]:
        try:
            while True:
                self.yielded += PIECE.ByteSize()
                yield PIECE
        finally:
            self.closed.append(time.monotonic())

    async def wait(self, request: StringValue, _: Call) -> AsyncGenerator[StringValue, None]:
        try:
            yield request
            await self.go.wait()
            yield request
        finally:
            self.closed.append(time.monotonic())

    async def each(
        self, requests: AsyncIterator[StringValue], _: Call
    ) -> AsyncGenerator[StringValue, None]:
        try:
            async for request in requests:
                yield request
        finally:
            self.closed.append(time.monotonic())

    def service(self) -> Service:
        return Service(
            "t.T",
            {
                "Echo": Unary(StringValue, self.echo),
                "Flood": ServerStream(StringValue, self.flood),
                "Wait": ServerStream(StringValue, self.wait),
                "Each": BidiStream(StringValue, self.each),
            },
        )


@dataclass
class Running:
    """A transport that serves `Handlers`."""

    transport: Transport
    handlers: Handlers
    faults: list[BaseException]
    channel: grpc.aio.Channel

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.transport.port}"

    def method(self, name: str) -> Any:
        """One of the four, as stock clients call it."""
        make: Any = {
            "Echo": self.channel.unary_unary,
            "Each": self.channel.stream_stream,
        }.get(name, self.channel.unary_stream)
        return make(
            f"/t.T/{name}",
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )


@asynccontextmanager
async def running(
    settings: GrpcSettings = GrpcSettings("127.0.0.1:0"), kind: TransportKind = "fast"
) -> AsyncIterator[Running]:
    handlers, faults = Handlers(), list[BaseException]()

    def on_fault(error: BaseException) -> str:
        faults.append(error)
        return "fault-1"

    transport = make_server(kind, settings, [handlers.service()], time.monotonic, on_fault)
    await transport.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{transport.port}")
    try:
        yield Running(transport, handlers, faults, channel)
    finally:
        await channel.close()
        await transport.stop(0)
        assert faults == []


async def until(happened: Any, timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not happened():  # noqa: ASYNC110 - handlers and the network tell nobody
            await asyncio.sleep(0.005)


def memory() -> int:
    """The bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("leave", ["reset", "hang up"])
@pytest.mark.parametrize("method", ["Wait", "Each"])
@pytest.mark.parametrize("half_closed", [True, False])
async def test_a_client_that_leaves_is_noticed_at_once(
    leave: str, method: str, half_closed: bool
) -> None:
    """Nothing listens for that: the server cancels the call. Without it, calls would leak."""
    async with running() as server, http2(server.address) as client:
        stream = client.open(grpc_headers(f"/t.T/{method}"))
        client.send(stream, ASKED, end=half_closed and method == "Wait")
        await client.wait_for(lambda: bool(client.streams[stream].messages()))
        left = time.monotonic()
        if leave == "reset":
            client.reset(stream)
        else:
            client.writer.transport.abort()
        await until(lambda: server.handlers.closed)
        assert server.handlers.closed[0] - left < 0.1


async def test_a_client_that_leaves_while_it_asks_leaves_no_trace(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with running() as server, http2(server.address) as client:
        for path in ("/t.T/Echo", "/t.T/Wait", "/t.T/Each"):
            stream = client.open(grpc_headers(path))
            client.send(stream, ASKED[:3])
            client.ping(b"12345678")
            await client.wait_for(lambda: bool(client.pongs))
            client.pongs.clear()
            client.reset(stream)
        assert await server.method("Echo")(StringValue(value="b"))
    assert capfd.readouterr().err == ""


async def test_nothing_is_said_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Our logs are there, or the demo."""
    async with running() as server:
        await server.method("Echo")(StringValue())
        with pytest.raises(grpc.aio.AioRpcError):
            await server.method("Nothing")(StringValue()).read()
        call = server.method("Wait")(StringValue())
        await call.read()
        call.cancel()
        await until(lambda: server.handlers.closed)
    assert capfd.readouterr() == ("", "")


async def test_a_client_that_does_not_read_pauses_its_handler_within_bounds() -> None:
    async with running() as server, http2(server.address) as client:
        await server.method("Echo")(StringValue())
        before = memory()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        _narrow(client)
        client.send(client.open(grpc_headers("/t.T/Flood")), ASKED, end=True)
        await until(lambda: server.handlers.yielded > MEBIBYTE)
        settled = -1
        while settled != server.handlers.yielded:
            settled = server.handlers.yielded
            await asyncio.sleep(0.1)
        assert settled < 3 * MEBIBYTE
        assert memory() - before < 5 * MEBIBYTE


def _narrow(client: Http2) -> None:
    """Take back the wide window of streams that the client gave at its start."""
    client.frame(0x4, 0, 0, b"\0\x04\0\0\xff\xff")


async def test_a_call_that_is_not_read_does_not_hold_up_others_for_long() -> None:
    settings = GrpcSettings("127.0.0.1:0", stalled_s=0.5)
    async with running(settings) as server, http2(server.address) as client:
        _narrow(client)
        flood = client.open(grpc_headers("/t.T/Flood"))
        client.send(flood, ASKED, end=True)
        await until(lambda: server.handlers.yielded > MEBIBYTE)
        await asyncio.sleep(0.1)
        answer = await client.call(grpc_headers("/t.T/Echo"), ASKED)
        assert answer.trailers["grpc-status"] == "0"
        await client.wait_for(lambda: client.streams[flood].done)
        assert client.streams[flood].reset is not None
        assert len(server.handlers.closed) == 1


async def test_metadata_that_floods_ends_its_own_call_only() -> None:
    async with running() as server, http2(server.address) as client:
        stream = client.open(grpc_headers("/t.T/Wait"))
        client.send(stream, ASKED, end=True)
        flood = ("x-flood", "x" * 16_000)
        refused = await client.call(grpc_headers("/t.T/Echo", flood, flood), ASKED)
        assert refused.headers[":status"] == "431"
        server.handlers.go.set()
        assert (await client.response(stream)).trailers["grpc-status"] == "0"


@pytest.mark.parametrize("kind", BOTH)
async def test_a_second_stop_shortens_the_first(kind: TransportKind) -> None:
    async with running(kind=kind) as server:
        call = server.method("Wait")(StringValue())
        await call.read()
        first = asyncio.create_task(server.transport.stop(60))
        await asyncio.sleep(0.3)
        assert not first.done()
        began = time.monotonic()
        await server.transport.stop(0)
        await first
        assert time.monotonic() - began < 2
        with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
            await call.read()
        assert len(server.handlers.closed) == 1


@pytest.mark.parametrize("kind", BOTH)
async def test_a_stop_that_is_cancelled_ends_at_once(kind: TransportKind) -> None:
    async with running(kind=kind) as server:
        call = server.method("Wait")(StringValue())
        await call.read()
        stopping = asyncio.create_task(server.transport.stop(60))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        stopping.cancel()
        await asyncio.wait({stopping})
        assert time.monotonic() - began < 1
        server.handlers.go.set()


async def test_those_who_are_cut_off_are_told_why() -> None:
    async with running() as server:
        call = server.method("Wait")(StringValue())
        await call.read()
        await server.transport.stop(0.1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert caught.value.details() == "the server is shutting down"


@pytest.mark.parametrize("max_drain_s", [0.5, 60.0])
async def test_a_stop_does_not_wait_for_those_who_do_not_read(max_drain_s: float) -> None:
    """Their connections are closed once no stop may take any longer."""
    settings = GrpcSettings("127.0.0.1:0", max_drain_s=max_drain_s)
    async with running(settings) as server, http2(server.address) as client:
        _narrow(client)
        client.send(client.open(grpc_headers("/t.T/Flood")), ASKED, end=True)
        await until(lambda: server.handlers.yielded > MEBIBYTE)
        began = time.monotonic()
        await server.transport.stop(0.5)
        assert time.monotonic() - began < 2.5
        assert len(server.handlers.closed) == 1
        if max_drain_s < 1:
            await client.wait_for(lambda: client.closed)


async def test_new_clients_do_not_wait_for_a_drain_to_end() -> None:
    """h2corn no longer accepts them then, and its socket still listens."""
    async with running() as server:
        call = server.method("Wait")(StringValue())
        await call.read()
        stopping = asyncio.create_task(server.transport.stop(60))
        await asyncio.sleep(0.1)
        async with grpc.aio.insecure_channel(server.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary("/t.T/Echo")(b"", timeout=5)  # type: ignore[arg-type]
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        server.handlers.go.set()
        await stopping
        assert isinstance(await call.read(), StringValue)


async def test_only_http_2_is_spoken() -> None:
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.transport.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with suppress(ConnectionError):
            async with asyncio.timeout(5):
                assert b"HTTP/1" not in await reader.read()
        writer.close()


async def test_a_port_is_free_again_after_a_stop() -> None:
    for _ in range(2):
        async with running() as server:
            await server.method("Echo")(StringValue())
            port = server.transport.port
            await server.transport.stop(1)
            again = GrpcSettings(f"127.0.0.1:{port}")
            async with running(again) as successor:
                await successor.method("Echo")(StringValue())


@pytest.mark.parametrize("kind", BOTH)
async def test_two_servers_may_share_a_port(kind: TransportKind) -> None:
    first = GrpcSettings("127.0.0.1:0", reuse_port=True)
    async with running(first, kind) as one:
        both = GrpcSettings(f"127.0.0.1:{one.transport.port}", reuse_port=True)
        async with running(both, kind) as two:
            assert await two.method("Echo")(StringValue(value="b")) == StringValue(value="b")
        alone = GrpcSettings(f"127.0.0.1:{one.transport.port}")
        with pytest.raises(OSError, match="cannot listen on"):
            await make_server(kind, alone, [], time.monotonic, lambda _: "").start()


async def test_an_inherited_socket_outlives_its_server() -> None:
    """Clients that wait in its queue are served by the next one that has it."""
    with socket.socket() as inherited:
        inherited.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{inherited.getsockname()[1]}"
        for _ in range(2):
            settings = GrpcSettings(address, listen_fds=(os.dup(inherited.fileno()),))
            async with running(settings) as server:
                assert server.address == address
                await server.method("Echo")(StringValue())
        with socket.create_connection(inherited.getsockname(), timeout=5):
            pass  # it still listens


STOPS_ITSELF = """
import asyncio, sys, time
import grpc.aio
from pointsman_server.transports.base import GrpcSettings
from pointsman_server.transports.factory import make_server

async def main():
    server = make_server("fast", GrpcSettings("127.0.0.1:0"), [], time.monotonic, lambda e: "")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        await channel.channel_ready()
        if sys.argv[1] == "stop":
            await server.stop(1)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["stop", "just end"])
def test_a_process_ends_when_its_loop_does(how: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STOPS_ITSELF, how],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stderr.decode()) == (0, "")


async def test_goaway_blames_nobody_and_calls_under_way_end_whole() -> None:
    async with running() as server, http2(server.address) as client:
        stream = client.open(grpc_headers("/t.T/Wait"))
        client.send(stream, ASKED, end=True)
        await client.wait_for(lambda: bool(client.streams[stream].messages()))
        stopping = asyncio.create_task(server.transport.stop(5))
        await client.wait_for(lambda: client.goaway is not None)
        assert client.goaway == (stream, 0)
        late = client.open(grpc_headers("/t.T/Echo"))
        client.send(late, ASKED, end=True)
        await client.wait_for(lambda: client.streams[late].done)
        assert client.streams[late].reset == 7  # REFUSED_STREAM: clients may try again elsewhere
        server.handlers.go.set()
        response = await client.response(stream)
        assert len(response.messages()) == 2
        assert response.trailers["grpc-status"] == "0"
        await stopping
