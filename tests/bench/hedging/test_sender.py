"""Requests go out when they are due, and their first text counts from then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from pointsman.v1.router_service_pb2 import (
    ATTEMPT_REASON_HEDGE,
    ATTEMPT_REASON_PRIMARY,
    AttemptStarted,
    CompleteRequest,
    CompleteResponse,
    CompletionEvent,
    ContentDelta,
)
from pointsman_bench.hedging.sender import METHOD, Block, send

STARTED = CompletionEvent(attempt_started=AttemptStarted(reason=ATTEMPT_REASON_PRIMARY))
HEDGED = CompletionEvent(attempt_started=AttemptStarted(reason=ATTEMPT_REASON_HEDGE))
TEXT = CompletionEvent(delta=ContentDelta(text="hello"))


class Server:
    """Answers each call as its script says: events to send, seconds to wait, a status to end on."""

    def __init__(self, *script: CompletionEvent | float | grpc.StatusCode) -> None:
        self.script = script
        self.asked: list[str] = []

    async def complete(self, request: CompleteRequest, context: Any) -> AsyncIterator[Any]:
        self.asked.append(request.messages[-1].parts[-1].text)
        for step in self.script:
            if isinstance(step, CompletionEvent):
                yield CompleteResponse(events=[step])
            elif isinstance(step, grpc.StatusCode):
                await context.abort(step, "as the script says")
            else:
                await asyncio.sleep(step)


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    handler = grpc.unary_stream_rpc_method_handler(
        server.complete,
        request_deserializer=CompleteRequest.FromString,
        response_serializer=CompleteResponse.SerializeToString,
    )
    _, service, method = METHOD.split("/")
    grpc_server = grpc.aio.server()
    grpc_server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    port = grpc_server.add_insecure_port("127.0.0.1:0")
    await grpc_server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await grpc_server.stop(None)


async def test_the_first_text_counts() -> None:
    """Not the first event but the first text is timed, from the moment the request was due."""
    server = Server(STARTED, 0.05, TEXT, 0.2, TEXT)
    async with serving(server) as target:
        block = await send(target, [0.0, 0.01, 0.02])
    assert len(block.due) == len(block.first_token_s) == len(server.asked) == 3
    assert all(0.05 <= time < 0.2 for time in block.first_token_s)
    assert block.hedged == []
    assert block.failures == {}
    assert 1 <= block.most_in_flight <= 3


async def test_hedges_are_noted() -> None:
    """When the client is told of a hedge is kept, on the clock of the requests."""
    async with serving(Server(STARTED, 0.05, HEDGED, TEXT)) as target:
        block = await send(target, [0.0])
    assert [at - due for at, due in zip(block.hedged, block.due, strict=True)] == [
        pytest.approx(0.05, abs=0.15)
    ]


async def test_nobody_waits_for_the_one_before() -> None:
    """Requests are sent when they are due though earlier ones have not ended."""
    ended: list[int] = []
    async with serving(Server(0.5, TEXT)) as target:
        block = await send(target, [n / 100 for n in range(10)], ended.append)
    assert block.most_in_flight == 10
    assert sum(ended) == 10
    assert block.due == sorted(block.due)
    assert max(block.late_s) < 0.4


async def test_failures_are_counted() -> None:
    """A request that fails has no time, and is counted by its status."""
    async with serving(Server(STARTED, grpc.StatusCode.UNAVAILABLE)) as target:
        block = await send(target, [0.0, 0.0])
    assert block.first_token_s == []
    assert block.failures == {"UNAVAILABLE": 2}


def test_blocks_add_up() -> None:
    """Two turns of a side are pooled."""
    whole = Block()
    whole.add(Block([1.0], [2.0], [3.0], [4.0], 5, {"A": 1}))
    whole.add(Block([6.0], [7.0], [8.0], [9.0], 2, {"A": 1, "B": 1}))
    assert whole == Block([1.0, 6.0], [2.0, 7.0], [3.0, 8.0], [4.0, 9.0], 5, {"A": 2, "B": 1})
