"""One request, one response, over every transport, by the stock client."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from answers import openai_chunk, openai_events, openai_tool_piece, openai_usage, sse
from pointsman.v1 import admin_service_pb2, registry_service_pb2, router_service_pb2
from pointsman.v1.admin_service_pb2_grpc import AdminServiceStub
from pointsman.v1.router_service_pb2_grpc import RouterServiceStub
from pointsman_server import __version__
from served import Served, user
from upstream import Hold, Reply, Send

INFO = admin_service_pb2.GetServerInfoRequest()


def generate(text: str = "hi", **fields: Any) -> router_service_pb2.GenerateRequest:
    return router_service_pb2.GenerateRequest(messages=[user(text)], **fields)


async def test_a_prompt_is_read(served: Served) -> None:
    request = router_service_pb2.ClassifyRequest(messages=[user("Write a sorting function in C.")])
    reading = (await served.router.Classify(request)).classification
    assert reading.task_type.value == "code"
    assert not served.one.requests


async def test_a_model_is_chosen(served: Served) -> None:
    call = served.router.Route(router_service_pb2.RouteRequest(messages=[user("hi")]))
    decision = (await call).decision
    assert (decision.model, list(decision.fallback_models)) == ("one/a", ["two/b"])
    assert await call.code() is grpc.StatusCode.OK
    assert not served.one.requests


async def test_an_answer_comes_whole(served: Served) -> None:
    call = served.router.Generate(generate())
    answer = await call
    assert answer.text == "Hello, world"
    assert answer.decision.model == answer.completed.model == "one/a"
    assert answer.completed.decision_id == answer.decision.decision_id
    assert answer.completed.usage.cost_usd_nanos == 12 * 1000 + 3 * 2000
    assert await call.code() is grpc.StatusCode.OK


async def test_tool_calls_come_with_the_answer(served: Served) -> None:
    piece = openai_tool_piece(0, "c1", "look", '{"at": "it"}')
    done = openai_chunk({}, "tool_calls") + openai_usage(5, 6) + sse("[DONE]")
    served.one.enqueue(Reply([Send(piece + done)]))
    request = generate()
    request.generation.tools.add(name="look", parameters_json_schema="{}")
    answer = await served.router.Generate(request)
    assert [(c.call_id, c.name) for c in answer.tool_calls] == [("c1", "look")]
    assert answer.text == ""


async def test_models_and_facts(served: Served) -> None:
    listed = await served.registry.ListModels(registry_service_pb2.ListModelsRequest())
    assert [m.name for m in listed.models] == ["one/a", "two/b"]
    assert (await served.admin.GetServerInfo(INFO)).version == __version__


async def test_a_large_request_and_a_large_response(served: Served) -> None:
    text = "x" * 3_000_000
    chunks = openai_events([text[:100_000]] * 30)
    served.two.enqueue(Reply([Send(chunk) for chunk in chunks]))  # which holds such prompts
    answer = await served.router.Generate(generate(text))
    assert answer.text == text
    body: Any = served.two.requests[0].json
    assert body["messages"][0]["content"] == text


async def test_the_blocking_client_is_served_alike(served: Served) -> None:
    def work() -> tuple[str, str]:
        with grpc.insecure_channel(served.address) as channel:
            router: Any = RouterServiceStub(channel)
            answer, call = router.Generate.with_call(generate(), timeout=5)
            assert call.code() is grpc.StatusCode.OK
            return answer.text, dict(call.initial_metadata())["x-pointsman-model"]

    assert await asyncio.to_thread(work) == ("Hello, world", "one/a")


async def test_two_thousand_calls_one_after_the_other(served: Served) -> None:
    def work() -> int:
        with grpc.insecure_channel(served.address) as channel:
            info = AdminServiceStub(channel).GetServerInfo
            return sum(info(INFO, timeout=5).version == __version__ for _ in range(2000))

    assert await asyncio.to_thread(work) == 2000


async def test_two_hundred_calls_at_once(served: Served) -> None:
    route = router_service_pb2.RouteRequest(messages=[user("hi")])
    calls = [served.router.Route(route) for _ in range(200)]
    decisions = {(await call).decision.decision_id for call in calls}
    assert len(decisions) == 200


async def test_a_slow_call_does_not_hold_up_those_after_it(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(Reply([Hold(go), Send(openai_chunk({"content": "late"}) + sse("[DONE]"))]))
    slow = asyncio.create_task(_text(served.router.Generate(generate())))
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    assert await _text(served.router.Generate(generate())) == "Hello, world"
    assert not slow.done()
    go.set()
    with pytest.raises(grpc.aio.AioRpcError):  # it has no finish marker, and is no answer
        await slow


async def test_a_connection_of_its_own_for_each_of_thirty_calls(served: Served) -> None:
    for _ in range(30):
        async with grpc.aio.insecure_channel(
            served.address, [("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            info: Any = AdminServiceStub(channel).GetServerInfo
            assert (await info(INFO, timeout=5)).version == __version__


async def _text(call: Any) -> str:
    return str((await call).text)
