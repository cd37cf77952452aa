"""Metadata over every transport: what comes before the first message, what after the last."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import grpc
import grpc.aio
import pytest
from answers import openai_events
from pointsman.v1 import registry_service_pb2, router_service_pb2
from raw_http2 import grpc_headers, http2, message
from served import Served, ask, collect, failing, reason_of, status_of, text_of, user
from upstream import Cut, Hold, Pause, Reply, Send

TRAILERS = {
    "x-pointsman-cost-usd",
    "x-pointsman-baseline-cost-usd",
    "x-pointsman-attempts",
    "x-pointsman-hedged",
}


def own(metadata: Any) -> dict[str, str]:
    """What pointsman says in metadata, without what the transport's library adds."""
    return {key: value for key, value in metadata if key.startswith("x-pointsman-")}


async def test_a_stream_has_headers_before_its_messages_and_trailers_after(served: Served) -> None:
    call = served.router.Complete(ask())
    headers = own(await call.initial_metadata())
    events = await collect(call)
    trailers = own(await call.trailing_metadata())
    assert headers["x-pointsman-decision-id"] == events[0].decision.decision_id
    assert headers["x-pointsman-model"] == "one/a"
    assert headers["x-pointsman-basis"] == "decision_tree"
    assert set(trailers) == TRAILERS
    assert trailers["x-pointsman-cost-usd"] == "0.000018000"
    assert trailers["x-pointsman-hedged"] == "false"
    assert not set(headers) & set(trailers)


async def test_headers_come_before_the_model_says_anything(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(Reply([Hold(go), Send(b"".join(openai_events(["late"])))]))
    call = served.router.Complete(ask())
    async with asyncio.timeout(2):
        assert own(await call.initial_metadata())["x-pointsman-model"] == "one/a"
    go.set()
    assert text_of(await collect(call)) == "late"


async def test_single_answers_have_both_too(served: Served) -> None:
    call = served.router.Generate(router_service_pb2.GenerateRequest(messages=[user("hi")]))
    answer = await call
    headers, trailers = own(await call.initial_metadata()), own(await call.trailing_metadata())
    assert headers["x-pointsman-decision-id"] == answer.decision.decision_id
    assert set(trailers) == TRAILERS
    call = served.router.Route(router_service_pb2.RouteRequest(messages=[user("hi")]))
    await call
    assert own(await call.initial_metadata())["x-pointsman-model"] == "one/a"
    assert own(await call.trailing_metadata()) == {}


async def test_a_call_that_fails_in_the_middle_keeps_both(served: Served) -> None:
    served.one.enqueue(Reply([Send(openai_events(["half of"])[1]), Pause(0.02), Cut()]))
    call = served.router.Complete(ask())
    events, error = await failing(call)
    assert text_of(events) == "half of"
    assert own(await call.initial_metadata())["x-pointsman-model"] == "one/a"
    assert set(own(error.trailing_metadata())) == TRAILERS
    assert reason_of(status_of(error)) == "ANSWER_INTERRUPTED"


async def test_what_callers_send_does_no_harm(served: Served) -> None:
    metadata = (
        ("x-trace", "a"),
        ("x-trace", "b"),
        ("x-odd", "!\"#$%&'()*+,-./:;<=>?@[]^_`{|} ~"),
        ("x-bytes-bin", bytes(range(256))),
        ("x-empty-bin", b""),
        ("x-empty", ""),
        ("authorization", "Bearer sk-123"),
        ("x-long", "y" * 4000),
    )
    call = served.router.Complete(ask(), metadata=metadata)
    assert text_of(await collect(call)) == "Hello, world"
    assert "sk-123" not in served.log.getvalue()


@pytest.mark.parametrize(
    "name", ["漢字/模型", "a%20b%", "naïve\n\ttwo lines", "🚂", "x" * 2000, "%E6"]
)
async def test_status_messages_are_any_text_and_come_as_they_were(
    name: str, served: Served
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.registry.GetModel(registry_service_pb2.GetModelRequest(name=name))
    status = status_of(caught.value)  # whose bytes are beyond any encoding of headers
    assert caught.value.details() == status.message
    assert repr(name)[:200] in status.message
    assert reason_of(status) == "NOT_FOUND"


async def test_on_the_wire_text_is_percent_encoded_and_bytes_are_in_base64(served: Served) -> None:
    request = registry_service_pb2.GetModelRequest(name="漢 50%")
    async with http2(served.address) as connection:
        response = await connection.call(
            grpc_headers("/pointsman.v1.RegistryService/GetModel"),
            message(request.SerializeToString()),
        )
    assert response.headers[":status"] == "200"
    assert response.headers["content-type"].startswith("application/grpc")
    trailers = response.trailers
    assert trailers["grpc-status"] == "5"
    assert "%E6%BC%A2 50%25" in trailers["grpc-message"]
    details = trailers["grpc-status-details-bin"]
    status = base64.b64decode(details + "=" * (-len(details) % 4))
    assert "漢 50%".encode() in status


async def test_a_response_needs_no_compression(served: Served) -> None:
    async with http2(served.address) as connection:
        response = await connection.call(
            grpc_headers(
                "/pointsman.v1.RouterService/Complete", ("grpc-accept-encoding", "identity")
            ),
            message(ask().SerializeToString()),
        )
    assert response.headers.get("grpc-encoding", "identity") == "identity"
    texts = [
        text_of(router_service_pb2.CompleteResponse.FromString(m).events)
        for m in response.messages()
    ]
    assert "".join(texts) == "Hello, world"
    assert response.trailers["grpc-status"] == "0"
    assert len(response.blocks) == 2
