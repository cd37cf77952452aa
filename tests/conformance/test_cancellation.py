"""Whoever leaves stops the work done for them: the provider sees it within 100 milliseconds."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from answers import openai_chunk, paced
from google.protobuf.duration_pb2 import Duration
from pointsman.v1 import router_service_pb2
from raw_http2 import grpc_headers, http2, message
from served import Served, ask, collect, text_of, user
from upstream import Hang, Reply, Send, Step

SOON_S = 0.1
COMPLETE = "/pointsman.v1.RouterService/Complete"

WHEN: dict[str, list[Step]] = {
    "before the first token": [Hang()],
    "in the middle": [Send(openai_chunk({"content": "half of"})), Hang()],
    "while text flows": paced([openai_chunk({"content": "tick"})] * 500, 0.005),
}


def now() -> float:
    return asyncio.get_running_loop().time()


async def check_stopped(served: Served, left_at: float, calls: int = 1) -> None:
    """The provider's connections were closed soon, in mid-answer, and the calls accounted for."""
    await served.one.wait_for(lambda u: len(u.closes) == calls)
    for close in served.one.closes:
        assert close.answering
        assert close.at - left_at < SOON_S
    await served.idle()
    requests = served.log_lines("request")
    assert [line["error"] for line in requests] == ["Cancelled"] * calls
    for attempt in served.log_lines("attempt"):
        assert (attempt["outcome"], attempt["estimated"]) == ("cancelled", True)


async def under_way(served: Served, when: str) -> Any:
    """A stream, as far as it was to come."""
    served.one.enqueue(Reply(WHEN[when]))
    call = served.router.Complete(ask())
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    if when != "before the first token":
        while not text_of((await call.read()).events):
            pass
    return call


@pytest.mark.parametrize("when", WHEN)
async def test_a_stream_that_is_cancelled(when: str, served: Served) -> None:
    call = await under_way(served, when)
    left_at = now()
    call.cancel()
    await check_stopped(served, left_at)


@pytest.mark.parametrize("when", WHEN)
async def test_a_stream_whose_connection_is_closed(when: str, served: Served) -> None:
    await under_way(served, when)
    left_at = now()
    await served.channel.close()
    await check_stopped(served, left_at)


@pytest.mark.parametrize("when", WHEN)
async def test_a_stream_whose_connection_is_lost(when: str, served: Served) -> None:
    served.one.enqueue(Reply(WHEN[when]))
    async with http2(served.address) as connection:
        stream = connection.open(grpc_headers(COMPLETE))
        connection.send(stream, message(ask().SerializeToString()), end=True)
        response = connection.streams[stream]

        def text() -> str:
            parsed = map(router_service_pb2.CompleteResponse.FromString, response.messages())
            return "".join(text_of(one.events) for one in parsed)

        await served.one.wait_for(lambda u: len(u.requests) == 1)
        if when != "before the first token":
            await connection.wait_for(lambda: text() != "")
        left_at = now()
        connection.writer.transport.abort()
        await check_stopped(served, left_at)


async def test_a_single_answer_that_is_cancelled(served: Served) -> None:
    served.one.enqueue(Reply(WHEN["in the middle"]))
    call = served.router.Generate(router_service_pb2.GenerateRequest(messages=[user("hi")]))
    task = asyncio.create_task(_wait(call))
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    await asyncio.sleep(0.02)
    left_at = now()
    call.cancel()
    await check_stopped(served, left_at)
    await asyncio.gather(task, return_exceptions=True)


async def _wait(call: Any) -> None:
    await call


async def test_a_conversation_that_is_cancelled_in_mid_turn(served: Served) -> None:
    served.one.enqueue(Reply(WHEN["in the middle"]))
    chat = served.chat()
    await chat.setup()
    await chat.turn("a", "hi")
    await chat.turn("b", "ho")
    await chat.until("a", "delta")
    left_at = now()
    chat.call.cancel()
    await check_stopped(served, left_at)
    assert len(served.one.requests) == 1  # the turn that waited was never begun


def conversations() -> list[str]:
    return [t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith("chat")]


@pytest.mark.parametrize("turns", [0, 1])
async def test_an_idle_conversation_that_is_cancelled_leaves_nothing_behind(
    turns: int, served: Served
) -> None:
    chat = served.chat()
    await chat.setup()
    for i in range(turns):
        await chat.turn(str(i), "hi")
        await chat.until(str(i), "completed")
    async with asyncio.timeout(2):
        while not conversations():  # noqa: ASYNC110 - tasks that begin tell nobody
            await asyncio.sleep(0.005)
    chat.call.cancel()
    async with asyncio.timeout(SOON_S + 0.4):
        while conversations():  # noqa: ASYNC110 - nor do those that end
            await asyncio.sleep(0.005)
    assert not served.log_lines("internal_error")


async def test_both_of_a_hedges_calls_are_stopped(served: Served) -> None:
    for upstream in (served.one, served.two):
        upstream.enqueue(Reply([Hang()]))
    request = ask()
    request.execution.hedge_delay.CopyFrom(Duration(nanos=20_000_000))
    call = served.router.Complete(request)
    await call.read()
    await served.two.wait_for(lambda u: len(u.requests) == 1)
    left_at = now()
    call.cancel()
    for upstream in (served.one, served.two):
        await upstream.wait_for(lambda u: len(u.closes) == 1)
        assert upstream.closes[0].at - left_at < SOON_S


async def test_fifty_that_leave_at_once_are_all_stopped(served: Served) -> None:
    served.one.default = lambda request: Reply(WHEN["in the middle"])
    calls = [served.router.Complete(ask()) for _ in range(50)]
    await served.one.wait_for(lambda u: len(u.requests) == 50, timeout_s=10)
    for call in calls:
        call.cancel()
    await served.one.wait_for(lambda u: len(u.closes) == 50)
    await served.idle()
    assert len(served.log_lines("request")) == 50


async def test_one_that_leaves_stops_nobody_else(served: Served) -> None:
    call = await under_way(served, "in the middle")
    served.one.enqueue(Reply(WHEN["in the middle"]))
    other = served.router.Complete(ask())
    while not text_of((await other.read()).events):
        pass
    call.cancel()
    await served.one.wait_for(lambda u: len(u.closes) == 1)
    await asyncio.sleep(0.05)
    assert len(served.one.closes) == 1
    other.cancel()


async def test_a_connection_goes_on_after_its_calls_were_cancelled(served: Served) -> None:
    call = await under_way(served, "in the middle")
    call.cancel()
    with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
        await call.read()
    assert text_of(await collect(served.router.Complete(ask()))) == "Hello, world"
