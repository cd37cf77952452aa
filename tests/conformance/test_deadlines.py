"""Deadlines over every transport: the server's own typed status arrives before the caller's time is
up, not the bare one that the caller's library makes up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from answers import openai_chunk
from pointsman.v1 import admin_service_pb2, router_service_pb2
from served import (
    Chat,
    ErrorInfo,
    Served,
    ask,
    collect,
    detail,
    failing,
    read_to_end,
    reason_of,
    status_of,
    text_of,
    user,
)
from upstream import Hang, Reply, Send, Step

Code = grpc.StatusCode

INFO = admin_service_pb2.GetServerInfoRequest()
SHORT_S = 0.4

WHEN: dict[str, list[Step]] = {
    "before the first token": [Hang()],
    "in the middle": [Send(openai_chunk({"content": "half of"})), Hang()],
}


def check_typed(error: grpc.aio.AioRpcError, stage: str = "execute") -> None:
    """It is the server's own word, details and all."""
    assert error.code() is Code.DEADLINE_EXCEEDED
    status = status_of(error)
    assert reason_of(status) == "DEADLINE_EXCEEDED"
    info = detail(status, ErrorInfo)
    assert info is not None
    assert dict(info.metadata) == {"stage": stage}
    assert error.details() == status.message


async def typed(provoke: Callable[[], Awaitable[grpc.aio.AioRpcError]]) -> None:
    """The server's own word comes in time: on a machine that is very busy, at some try."""
    for _ in range(4):
        error = await provoke()
        assert error.code() is Code.DEADLINE_EXCEEDED
        if reason_of(status_of(error)):
            break
    else:
        error = await provoke()
    check_typed(error)


async def failure(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize("when", WHEN)
async def test_a_streams_deadline_is_told_by_the_server(when: str, served: Served) -> None:
    async def provoke() -> grpc.aio.AioRpcError:
        served.one.enqueue(Reply(WHEN[when]))
        began = time.perf_counter()
        events, error = await failing(served.router.Complete(ask(), timeout=SHORT_S))
        assert 0.85 * SHORT_S < time.perf_counter() - began < SHORT_S + 0.2
        assert text_of(events) == ("half of" if when == "in the middle" else "")
        return error

    await typed(provoke)
    await served.one.wait_for(lambda u: len(u.closes) == len(u.requests))
    await served.idle()
    assert {line["error"] for line in served.log_lines("request")} == {"DeadlineExceeded"}


async def test_a_single_answers_deadline_is_told_by_the_server(served: Served) -> None:
    served.one.default = lambda request: Reply([Hang()])
    request = router_service_pb2.GenerateRequest(messages=[user("hi")])
    await typed(lambda: failure(served.router.Generate(request, timeout=SHORT_S)))
    await served.one.wait_for(lambda u: len(u.closes) == len(u.requests))


async def test_the_blocking_client_is_told_alike(served: Served) -> None:
    served.one.default = lambda request: Reply(WHEN["in the middle"])

    def work() -> Any:
        with grpc.insecure_channel(served.address) as channel:
            path = "/pointsman.v1.RouterService/Complete"
            complete: Any = channel.unary_stream(path)
            call = complete(ask().SerializeToString(), timeout=SHORT_S)
            with pytest.raises(grpc.RpcError):
                list(call)
            return call

    await typed(lambda: asyncio.to_thread(work))


async def test_a_conversations_deadline_bounds_its_turns_and_ends_it(served: Served) -> None:
    served.one.enqueue(Reply([Hang()]))
    chat = Chat(served.router.Chat(timeout=SHORT_S))
    await chat.setup()
    await chat.turn("a", "hi")
    assert reason_of((await chat.until("a", "error")).error) == "DEADLINE_EXCEEDED"
    error = await failure(read_to_end(chat.call))
    assert error.code() is Code.DEADLINE_EXCEEDED
    await served.one.wait_for(lambda u: len(u.closes) == 1)


async def test_an_idle_conversations_deadline_ends_it(served: Served) -> None:
    chat = Chat(served.router.Chat(timeout=SHORT_S))
    await chat.setup()
    error = await failure(read_to_end(chat.call))
    assert error.code() is Code.DEADLINE_EXCEEDED
    assert reason_of(status_of(error)) in ("DEADLINE_EXCEEDED", "")


async def test_a_deadline_that_is_past_already(served: Served) -> None:
    hi = ask().messages
    route, read = router_service_pb2.RouteRequest, router_service_pb2.ClassifyRequest
    for timeout in (1e-9, 0.0):
        for call in (
            served.router.Complete(ask(), timeout=timeout).read(),
            served.router.Route(route(messages=hi), timeout=timeout),
            served.router.Classify(read(messages=hi), timeout=timeout),
        ):
            # a moment may be left when the call arrives, and that is too short for any model
            code = (await failure(call)).code()
            assert code in (Code.DEADLINE_EXCEEDED, Code.FAILED_PRECONDITION)
    assert not served.one.requests


@pytest.mark.parametrize("seconds", [5.0, 3600.0, 10.0**7, 10.0**9, None])
async def test_deadlines_far_away_change_nothing(seconds: float | None, served: Served) -> None:
    events = await collect(served.router.Complete(ask(), timeout=seconds))
    assert text_of(events) == "Hello, world"
    assert (await served.admin.GetServerInfo(INFO, timeout=seconds)).version


async def test_a_missed_deadline_harms_nobody_else(served: Served) -> None:
    late = [
        asyncio.create_task(failing(served.router.Complete(ask(), timeout=SHORT_S)))
        for _ in range(20)
    ]
    served.one.default = lambda request: Reply([Hang()])
    await served.one.wait_for(lambda u: len(u.requests) >= 1)
    info = [served.admin.GetServerInfo(INFO, timeout=5) for _ in range(20)]
    assert all([(await call).version for call in info])
    for _, error in await asyncio.gather(*late):
        assert error.code() is Code.DEADLINE_EXCEEDED
    await served.idle()
