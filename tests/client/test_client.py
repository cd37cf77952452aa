"""The calls that answer at once, and what holds for all calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import grpc
import pytest
from pointsman.v1.admin_service_pb2 import GetServerInfoRequest, GetServerInfoResponse
from pointsman.v1.classification_pb2 import Classification, Label
from pointsman.v1.decision_pb2 import Decision
from pointsman.v1.registry_service_pb2 import ListModelsRequest
from pointsman.v1.router_service_pb2 import (
    ClassifyRequest,
    ClassifyResponse,
    GenerateRequest,
    GenerateResponse,
    RouteRequest,
    RouteResponse,
)
from pointsman_client import (
    BrokenStream,
    Cancelled,
    Client,
    Constraints,
    Context,
    DeadlineExceeded,
    Generation,
    Overrides,
    PointsmanError,
    messages,
)

if TYPE_CHECKING:
    from tests.client.conftest import FakePointsman


Seen = Callable[[asyncio.Event], Awaitable[None]]


async def test_classify(fake: FakePointsman, client: Client) -> None:
    read = Classification(task_type=Label(value="code"))
    fake.reply(ClassifyResponse(classification=read))
    overrides = Overrides(urgency="high")
    assert await client.classify("Hi", overrides=overrides, include_scores=True) == read
    assert fake.requests == [
        ClassifyRequest(
            messages=[messages.user("Hi")], overrides=overrides.to_proto(), include_scores=True
        )
    ]


async def test_generate_waits_for_the_whole_answer(fake: FakePointsman, client: Client) -> None:
    answer = GenerateResponse(decision=Decision(model="m"), text="Hello")
    fake.reply(answer)
    generation = Generation(max_output_tokens=5)
    got = await client.generate("Hi", system="Be brief.", generation=generation, explain=True)
    assert got == answer
    assert fake.requests == [
        GenerateRequest(
            messages=[messages.system("Be brief."), messages.user("Hi")],
            generation=generation.to_proto(),
            explain=True,
        )
    ]


async def test_route_explains_itself(fake: FakePointsman, client: Client) -> None:
    decision = Decision(model="m", reasons=["complexity = high"])
    fake.reply(RouteResponse(decision=decision), RouteResponse())
    constraints, generation = Constraints(exclude=("n",)), Generation(max_output_tokens=5)
    got = await client.route(
        "Hi",
        system="Be brief.",
        constraints=constraints,
        generation=generation,
        context=Context(user_id="u"),
        overrides=Overrides(tone="formal"),
    )
    assert got == decision
    await client.route("Hi", explain=False)
    assert fake.requests == [
        RouteRequest(
            messages=[messages.system("Be brief."), messages.user("Hi")],
            constraints=constraints.to_proto(),
            generation=generation.to_proto(),
            context=Context(user_id="u").to_proto(),
            overrides=Overrides(tone="formal").to_proto(),
            explain=True,
        ),
        RouteRequest(messages=[messages.user("Hi")]),
    ]


async def test_models_are_listed_page_by_page(fake: FakePointsman, client: Client) -> None:
    fake.reply(fake.models("a", "b", next_page_token="t"), fake.models("c"))
    assert [model.name for model in await client.models()] == ["a", "b", "c"]
    assert fake.requests == [ListModelsRequest(), ListModelsRequest(page_token="t")]


async def test_a_list_that_never_ends_is_ended(
    fake: FakePointsman, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman_client.client._MAX_PAGES", 3)
    fake.reply(*[fake.models("a", next_page_token="t")] * 4)
    with pytest.raises(BrokenStream, match="after 3 pages"):
        await client.models()
    assert len(fake.requests) == 3


async def test_server_info(fake: FakePointsman, client: Client) -> None:
    fake.reply(GetServerInfoResponse(version="1.2.3"))
    assert (await client.server_info()).version == "1.2.3"
    assert fake.requests == [GetServerInfoRequest()]


async def test_health_speaks_the_standard_protocol(fake: FakePointsman, client: Client) -> None:
    await fake.set_serving(True)
    assert await client.health() is True
    await fake.set_serving(False)
    assert await client.health() is False


async def test_health_of_a_service_that_is_not_there(client: Client) -> None:
    with pytest.raises(PointsmanError) as caught:
        await client.health("no.such.Service")
    assert caught.value.code is grpc.StatusCode.NOT_FOUND


async def test_the_key_goes_with_every_call_and_nowhere_else(fake: FakePointsman) -> None:
    fake.reply(ClassifyResponse(), RouteResponse(), fake.models(), GetServerInfoResponse())
    fake.play(*fake.whole("ok"))
    fake.play(*fake.whole("ok"))
    async with Client(fake.target, api_key="k-123") as client:
        await client.classify("Hi")
        await client.route("Hi")
        await client.models()
        await client.server_info()
        await client.complete("Hi").text()
        async with client.chat() as chat:
            await chat.turn("Hi").text()
        assert "k-123" not in repr(client)
    assert [sent.get("authorization") for sent in fake.metadata] == ["Bearer k-123"] * 6


async def test_without_a_key_none_is_sent(fake: FakePointsman, client: Client) -> None:
    fake.reply(ClassifyResponse())
    await client.classify("Hi")
    assert "authorization" not in fake.metadata[0]


async def test_deadlines(fake: FakePointsman, client: Client) -> None:
    fake.reply(ClassifyResponse(), ClassifyResponse())
    await client.classify("Hi")
    await client.classify("Hi", timeout_s=3)
    clients, own = fake.seconds_left
    assert clients is not None
    assert 15 < clients < 21
    assert own is not None
    assert 1 < own < 3.5
    fake.reply(fake.hang)
    with pytest.raises(DeadlineExceeded):
        await client.classify("Hi", timeout_s=0.1)


async def test_closing_ends_a_call_under_way(fake: FakePointsman, seen_within: Seen) -> None:
    fake.reply(fake.hang)
    client = Client(fake.target)
    caller = asyncio.create_task(client.classify("Hi"))
    await seen_within(fake.arrived)
    await client.close()
    with pytest.raises(Cancelled):
        await caller


async def test_a_cancelled_task_cancels_its_call(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    fake.reply(fake.hang)
    caller = asyncio.create_task(client.classify("Hi"))
    await seen_within(fake.arrived)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await seen_within(fake.ended)


async def test_a_closed_client_says_so(fake: FakePointsman) -> None:
    client = Client(fake.target)
    assert client.target == fake.target
    await client.close()
    await client.close()
    with pytest.raises(RuntimeError, match="closed"):
        await client.classify("Hi")


def test_a_client_can_be_made_before_the_loop_runs() -> None:
    assert Client().target == "127.0.0.1:50051"


async def test_tls(fake: FakePointsman) -> None:
    """A client told to use TLS never talks in clear."""
    async with Client(fake.target, credentials=grpc.ssl_channel_credentials()) as client:
        with pytest.raises(PointsmanError):
            await client.classify("Hi", timeout_s=5)
    assert fake.requests == []
