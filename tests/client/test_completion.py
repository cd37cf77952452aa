"""Answers over the wire: whole, cut, cancelled."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import grpc
import pytest
from pointsman.v1.decision_pb2 import Decision
from pointsman.v1.message_pb2 import ToolCall
from pointsman.v1.router_service_pb2 import (
    AttemptStarted,
    Completed,
    CompleteRequest,
    CompleteResponse,
    CompletionEvent,
    ModelSwitched,
)
from pointsman_client import (
    BrokenStream,
    Cancelled,
    Client,
    Constraints,
    Context,
    DeadlineExceeded,
    Execution,
    Generation,
    Overrides,
    PointsmanError,
    ServerUnreachable,
    TextDiscarded,
    Unavailable,
)

if TYPE_CHECKING:
    from tests.client.conftest import FakePointsman, Wire

Code = grpc.StatusCode
Seen = Callable[[asyncio.Event], Awaitable[None]]


async def test_the_simple_call_is_simple(fake: FakePointsman, client: Client) -> None:
    fake.play(*fake.whole("Hel", "lo"))
    assert await client.complete("Hi").text() == "Hello"
    assert fake.calls_finished == 1


async def test_all_options_arrive(fake: FakePointsman, client: Client) -> None:
    fake.play(*fake.whole("ok"))
    await client.complete(
        "Hi",
        system="Be brief.",
        constraints=Constraints(models=("m",)),
        generation=Generation(seed=1),
        execution=Execution(hedging=False),
        context=Context(user_id="u"),
        overrides=Overrides(tone="formal"),
        explain=True,
        request_id="r-1",
    ).text()
    (request,) = fake.requests
    assert isinstance(request, CompleteRequest)
    assert [message.parts[0].text for message in request.messages] == ["Be brief.", "Hi"]
    assert request.constraints == Constraints(models=("m",)).to_proto()
    assert request.generation == Generation(seed=1).to_proto()
    assert request.execution == Execution(hedging=False).to_proto()
    assert request.context == Context(user_id="u").to_proto()
    assert request.overrides == Overrides(tone="formal").to_proto()
    assert request.explain
    assert request.request_id == "r-1"


async def test_options_not_given_are_not_sent(fake: FakePointsman, client: Client) -> None:
    fake.play(*fake.whole("ok"))
    await client.complete("Hi").text()
    assert [field.name for field, _ in fake.requests[0].ListFields()] == ["messages"]


async def test_events_come_in_order_and_fill_the_answer(
    fake: FakePointsman, client: Client
) -> None:
    call = ToolCall(call_id="1", name="look_up", arguments_json="{}")
    events = fake.story(
        Decision(model="m"), AttemptStarted(model="m"), "Hi", call, Completed(model="m")
    )
    fake.play(*events)
    completion = client.complete("Hi")
    assert completion.decision is None
    seen = [event async for event in completion]
    assert seen == events
    assert completion.decision == Decision(model="m")
    assert completion.completed == Completed(model="m")
    assert completion.tool_calls == (call,)
    assert completion.text_so_far == "Hi"
    assert await completion.text() == "Hi"
    assert not completion.cancelled


async def test_texts_come_piece_by_piece(fake: FakePointsman, client: Client) -> None:
    fake.play(*fake.whole("a", "", "b", "c"))
    completion = client.complete("Hi")
    assert [text async for text in completion.texts()] == ["a", "b", "c"]
    assert completion.completed is not None
    assert completion.completed.total_usage.cost_usd_nanos == 2_150_000


async def test_reading_may_change_its_manner_midway(fake: FakePointsman, client: Client) -> None:
    fake.play(*fake.whole("a", "b", "c"))
    completion = client.complete("Hi")
    assert (await anext(completion)).HasField("decision")
    async for text in completion.texts():
        assert text == "a"
        break
    assert await completion.text() == "abc"


async def test_nothing_is_sent_before_it_is_read(fake: FakePointsman, client: Client) -> None:
    async with client.complete("Hi"):
        pass
    unread = client.complete("Hi")
    unread.cancel()
    assert [event async for event in unread] == []
    fake.reply(fake.failure(Code.INTERNAL))
    with pytest.raises(PointsmanError):
        await client.classify("Is anything before this?")
    assert len(fake.requests) == 1


async def test_events_of_the_future_are_skipped(fake: FakePointsman, client: Client) -> None:
    future = CompletionEvent.FromString(
        CompletionEvent(sequence=1).SerializeToString() + b"\xf2\x01\x00"
    )
    decision, _, *rest = fake.story(Decision(model="m"), "dropped", "Hi", Completed())
    fake.play(decision, fake.raw(CompleteResponse(events=[future])), *rest)
    completion = client.complete("Hi")
    kinds = [event.WhichOneof("event") async for event in completion]
    assert kinds == ["decision", "delta", "completed"]


async def test_a_stream_that_ends_early_is_no_answer(fake: FakePointsman, client: Client) -> None:
    """Even where the server says that all is well."""
    fake.play(*fake.whole("Hel", "lo")[:-1])
    completion = client.complete("Hi")
    with pytest.raises(BrokenStream, match="ended before the answer was complete"):
        await completion.text()
    assert completion.text_so_far == "Hello"
    assert completion.completed is None
    with pytest.raises(BrokenStream):
        await completion.text()


async def test_an_empty_stream_is_no_answer(fake: FakePointsman, client: Client) -> None:
    fake.play()
    with pytest.raises(BrokenStream):
        await client.complete("Hi").text()


async def test_a_missing_event_is_noticed_and_the_call_ended(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    events = fake.whole("a", "b", "c")
    del events[2]
    fake.play(*events[:-1], fake.hang)
    completion = client.complete("Hi")
    with pytest.raises(BrokenStream, match="event 2 of the answer is missing: 3 came"):
        [event async for event in completion]
    await seen_within(fake.ended)
    assert fake.calls_cancelled == 1
    with pytest.raises(BrokenStream):
        await completion.text()


async def test_an_error_midway_keeps_what_was_read(fake: FakePointsman, client: Client) -> None:
    interrupted = fake.failure(
        Code.UNAVAILABLE, "broke off", reason="ANSWER_INTERRUPTED", metadata={"model": "m"}
    )
    fake.play(*fake.whole("Hel")[:-1], interrupted)
    completion = client.complete("Hi")
    with pytest.raises(Unavailable) as caught:
        async for _ in completion.texts():
            pass
    assert caught.value.reason == "ANSWER_INTERRUPTED"
    assert caught.value.metadata == {"model": "m"}
    assert completion.text_so_far == "Hel"


async def test_an_error_before_anything(fake: FakePointsman, client: Client) -> None:
    fake.play(fake.failure(Code.FAILED_PRECONDITION, "none", reason="NO_ELIGIBLE_MODEL"))
    with pytest.raises(PointsmanError, match="NO_ELIGIBLE_MODEL: none"):
        await client.complete("Hi").text()


async def test_a_status_after_the_whole_answer_does_not_unmake_it(
    fake: FakePointsman, client: Client
) -> None:
    fake.play(*fake.whole("Hi"), fake.failure(Code.INTERNAL, "too late"))
    assert await client.complete("Hi").text() == "Hi"


async def test_a_connection_cut_midway_is_an_error(fake: FakePointsman, wire: Wire) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang)
    async with Client(wire.target) as client:
        completion = client.complete("Hi")
        await anext(completion)
        await anext(completion)
        wire.cut()
        with pytest.raises(Unavailable, match="the connection to") as caught:
            await completion.text()
        assert not isinstance(caught.value, ServerUnreachable)
        assert completion.text_so_far == "Hel"


async def test_a_switch_that_discards_drops_the_text(fake: FakePointsman, client: Client) -> None:
    fake.play(
        *fake.story(
            Decision(), "wrong", ModelSwitched(model="n", discard=True), "right", Completed()
        )
    )
    assert await client.complete("Hi").text() == "right"


async def test_pieces_already_handed_out_are_taken_back_by_name(
    fake: FakePointsman, client: Client
) -> None:
    fake.play(
        *fake.story(
            Decision(), "wrong", ModelSwitched(model="n", discard=True), "right", Completed()
        )
    )
    completion = client.complete("Hi", execution=Execution(switch_policy="restart"))
    texts = completion.texts()
    assert await anext(texts) == "wrong"
    with pytest.raises(TextDiscarded, match="n starts over"):
        await anext(texts)
    assert [text async for text in completion.texts()] == ["right"]
    assert await completion.text() == "right"


async def test_a_switch_before_any_piece_goes_unnoticed(
    fake: FakePointsman, client: Client
) -> None:
    fake.play(*fake.story(Decision(), ModelSwitched(discard=True), "right", Completed()))
    assert [text async for text in client.complete("Hi").texts()] == ["right"]


async def test_cancel_reaches_the_server_and_ends_the_reading(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang)
    completion = client.complete("Hi")
    pieces = []
    async for text in completion.texts():
        pieces.append(text)
        completion.cancel()
    await seen_within(fake.ended)
    assert fake.calls_cancelled == 1
    assert pieces == ["Hel"]
    assert completion.cancelled
    with pytest.raises(Cancelled):
        await completion.text()


async def test_cancel_from_another_task_wakes_the_reader(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang)
    completion = client.complete("Hi")
    await anext(completion)
    await anext(completion)
    reader = asyncio.create_task(completion.text())
    await asyncio.sleep(0)
    completion.cancel()
    with pytest.raises(Cancelled):
        await reader
    await seen_within(fake.ended)


async def test_leaving_the_context_cancels(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang)
    async with client.complete("Hi") as completion:
        await anext(completion)
    await seen_within(fake.ended)
    assert fake.calls_cancelled == 1
    assert completion.cancelled


async def test_leaving_the_context_of_a_whole_answer_does_not_cancel(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    fake.play(*fake.whole("Hi"), fake.linger)
    async with client.complete("Hi") as completion:
        async for event in completion:
            if event.HasField("completed"):
                break
    await seen_within(fake.ended)
    assert (fake.calls_finished, fake.calls_cancelled) == (1, 0)
    assert not completion.cancelled
    completion.cancel()
    assert await completion.text() == "Hi"


async def test_a_cancelled_task_cancels_the_call(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang)
    completion = client.complete("Hi")
    await anext(completion)
    await anext(completion)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await completion.text()
    await seen_within(fake.ended)
    assert fake.calls_cancelled == 1
    with pytest.raises(Cancelled):
        await completion.text()


async def test_closing_the_client_is_not_a_cancellation_of_the_task(
    fake: FakePointsman, seen_within: Seen
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang)
    async with Client(fake.target) as client:
        completion = client.complete("Hi")
        await anext(completion)
        reader = asyncio.create_task(completion.text())
        await asyncio.sleep(0)
    with pytest.raises(Cancelled):
        await reader
    assert not reader.cancelled()
    await seen_within(fake.ended)


async def test_the_deadline_is_the_callers_then_the_clients(
    fake: FakePointsman, client: Client
) -> None:
    for timeout_s in (7.0, None, math.inf):
        fake.play(*fake.whole("ok"))
        await client.complete("Hi", timeout_s=timeout_s).text()
    own, clients, none = fake.seconds_left
    assert own is not None
    assert 5 < own < 7.5
    assert clients is not None
    assert 15 < clients < 21
    assert none is None or none > 10**6


async def test_a_deadline_that_passes(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang)
    completion = client.complete("Hi", timeout_s=0.2)
    with pytest.raises(DeadlineExceeded):
        await completion.text()
    assert completion.text_so_far == "Hel"
    await seen_within(fake.ended)


async def test_a_big_answer_comes_whole(fake: FakePointsman, client: Client) -> None:
    pieces = [str(i % 10) * 3_000_000 for i in range(3)] + ["ü"] * 2000
    fake.play(*fake.whole(*pieces))
    assert await client.complete("Hi").text() == "".join(pieces)


async def test_a_message_over_the_bound_is_refused(fake: FakePointsman) -> None:
    fake.play(*fake.whole("x" * 2000))
    async with Client(fake.target, max_message_bytes=1000) as client:
        with pytest.raises(PointsmanError) as caught:
            await client.complete("Hi").text()
        assert caught.value.code is Code.RESOURCE_EXHAUSTED
        with pytest.raises(PointsmanError) as caught:
            await client.complete("y" * 2000).text()
        assert "yyy" not in str(caught.value)


async def test_many_answers_at_once_do_not_mix(fake: FakePointsman, client: Client) -> None:
    fake.scripts.extend(tuple(fake.whole(*(str(n) * 5,) * 10)) for n in range(50))
    answers = await asyncio.gather(*(client.complete("Hi").text() for _ in range(50)))
    assert sorted(answers, key=int) == [str(n) * 50 for n in range(50)]
