"""Stopping: what is under way ends whole, what is new goes elsewhere, and nobody waits for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from answers import openai_chunk, openai_events, text_reply
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pointsman.v1 import router_service_pb2
from pointsman.v1.router_service_pb2_grpc import RouterServiceStub
from raw_http2 import grpc_headers, http2, message
from served import (
    RetryInfo,
    Served,
    ask,
    collect,
    detail,
    read_to_end,
    reason_of,
    serving,
    status_of,
    text_of,
    user,
)
from transports import over
from upstream import Hang, Hold, Reply, Send

Code = grpc.StatusCode


def held(go: asyncio.Event) -> Reply:
    """An answer whose second half waits."""
    first = Send(openai_chunk({"content": "half, "}))
    return Reply([first, Hold(go), Send(b"".join(openai_events(["whole"])))])


@asynccontextmanager
async def draining(served: Served) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(served.server.drain())
    try:
        yield task
    finally:
        async with asyncio.timeout(10):
            await task


async def test_a_stream_under_way_ends_whole_while_new_calls_are_refused(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(held(go))
    stream = asyncio.create_task(collect(served.router.Complete(ask())))
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    async with draining(served) as drain:
        await asyncio.sleep(0.4)
        async with grpc.aio.insecure_channel(served.address) as fresh:
            for channel in (served.channel, fresh):
                call: Any = channel.unary_unary("/pointsman.v1.RouterService/Classify")
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call(b"", timeout=2)
                assert caught.value.code() is Code.UNAVAILABLE
        assert not drain.done()
        assert not stream.done()
        go.set()
        assert text_of(await stream) == "half, whole"
        async with asyncio.timeout(2):
            await drain
    assert [line["event"] for line in served.log_lines()][-1] == "stopped"


async def test_single_answers_under_way_are_given_too(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(held(go))
    request = router_service_pb2.GenerateRequest(messages=[user("hi")])
    answer = asyncio.create_task(_call(served.router.Generate(request)))
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    async with draining(served):
        await asyncio.sleep(0.3)
        go.set()
        assert (await answer).text == "half, whole"


async def _call(call: Any) -> Any:
    return await call


async def test_health_says_not_serving_while_calls_go_on(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(held(go))
    stub: Any = health_pb2_grpc.HealthStub(served.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=""))
    await watch.read()
    stream = asyncio.create_task(collect(served.router.Complete(ask())))
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    async with draining(served):
        async with asyncio.timeout(2):
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not stream.done()
        go.set()
        assert text_of(await stream) == "half, whole"


async def test_those_who_watch_our_health_are_not_waited_for(
    tmp_path: Path, transport: str
) -> None:
    async with serving(tmp_path, over(transport, ", drain: 30s")) as served:
        stub: Any = health_pb2_grpc.HealthStub(served.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=""))
        await watch.read()
        began = time.perf_counter()
        await served.server.drain()
        assert time.perf_counter() - began < 2
        with pytest.raises(grpc.aio.AioRpcError):
            await read_to_end(watch)


async def test_an_idle_conversation_is_sent_elsewhere_at_once(
    tmp_path: Path, transport: str
) -> None:
    async with serving(tmp_path, over(transport, ", drain: 30s")) as served:
        chat = served.chat()
        await chat.setup()
        await chat.turn("a", "hi")
        await chat.until("a", "completed")
        began = time.perf_counter()
        async with draining(served):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await chat.next()
        assert time.perf_counter() - began < 2
        assert caught.value.code() is Code.UNAVAILABLE
        status = status_of(caught.value)
        assert reason_of(status) == "SHUTTING_DOWN"
        assert detail(status, RetryInfo) is not None


async def test_a_turn_under_way_is_answered_and_no_further_one(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(held(go))
    chat = served.chat()
    await chat.setup()
    await chat.turn("a", "hi")
    await chat.until("a", "delta")
    async with draining(served):
        await asyncio.sleep(0.4)
        await chat.turn("b", "ho")
        await asyncio.sleep(0.1)
        go.set()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await chat.until("nothing", "more")
        assert reason_of(status_of(caught.value)) == "SHUTTING_DOWN"
    assert chat.text("a") == "half, whole"
    # on a busy machine the stream may end before the turn is heard
    refusals = [reason_of(r.error) for r in chat.responses if r.turn_id == "b"]
    assert refusals in (["SHUTTING_DOWN"], [])
    assert len(served.one.requests) == 1


async def test_calls_that_do_not_end_are_cut_off(tmp_path: Path, transport: str) -> None:
    async with serving(tmp_path, over(transport, ", drain: 300ms")) as served:
        served.one.enqueue(Reply([Hang()]))
        call = served.router.Complete(ask())
        await call.read()
        await served.one.wait_for(lambda u: len(u.requests) == 1)
        began = time.perf_counter()
        await served.server.drain()
        assert 0.25 < time.perf_counter() - began < 2
        with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
            await read_to_end(call)
        await served.one.wait_for(lambda u: len(u.closes) == 1)
        assert served.in_flight == 0


async def test_a_server_with_nothing_to_do_stops_at_once(served: Served) -> None:
    began = time.perf_counter()
    await served.server.drain()
    assert time.perf_counter() - began < 1
    await served.server.drain()  # and again: nothing happens


async def test_connections_are_told_to_go_away_without_blame(served: Served) -> None:
    async with http2(served.address) as connection:
        request = message(ask().SerializeToString())
        await connection.call(grpc_headers("/pointsman.v1.RouterService/Complete"), request)
        async with draining(served):
            await connection.wait_for(lambda: connection.goaway is not None or connection.closed)
    assert connection.goaway is not None
    assert connection.goaway[1] == 0


@dataclass
class Load:
    """Callers that go on until they are refused, and what they have seen."""

    whole: int = 0
    refused: int = 0
    odd: list[object] = field(default_factory=list)

    refusals: frozenset[grpc.StatusCode] = frozenset((Code.UNAVAILABLE,))

    async def stream(self, address: str) -> None:
        """Ask over a connection of one's own, again and again."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(address, options) as channel:
            router: Any = RouterServiceStub(channel)
            while not self.refused and not self.odd:
                await self._one(router.Complete(ask(), timeout=20))

    async def _one(self, call: Any) -> None:
        events = []
        try:
            async for response in call:
                events += response.events
        except grpc.aio.AioRpcError as error:
            if error.code() in self.refusals and not events:
                self.refused += 1
            else:
                self.odd.append((error, len(events)))
        else:
            if text_of(events) == "Hello, world" and events[-1].HasField("completed"):
                self.whole += 1
            else:
                self.odd.append(events)


async def test_a_drain_under_load_cuts_no_call(transport: str, served: Served) -> None:
    reply = text_reply("openai", ["Hello", ", ", "world"], pause_s=0.01)
    served.one.default = lambda request: reply
    load = Load()
    if transport == "grpc":  # whose library cancels calls that come while it stops, untouched
        load.refusals |= {Code.CANCELLED}
    callers = [asyncio.create_task(load.stream(served.address)) for _ in range(30)]
    async with asyncio.timeout(20):
        while load.whole < 60:  # noqa: ASYNC110 - callers tell nobody
            await asyncio.sleep(0.01)
        await served.server.drain()
        await asyncio.gather(*callers)
    assert load.odd == []
    assert load.refused > 0
    # whoever was not refused was answered whole, and the server knows of every one
    ended = [line for line in served.log_lines("request") if line["error"] is None]
    assert len(ended) == load.whole
