"""Conversations over one stream."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import grpc
import pytest
from pointsman.v1.router_service_pb2 import (
    ChatCancelled,
    ChatResponse,
    CompletionEvent,
    CompletionEvents,
)
from pointsman.v1.usage_pb2 import Usage
from pointsman_client import (
    BrokenStream,
    BudgetExceeded,
    Cancelled,
    Chat,
    Client,
    Constraints,
    Context,
    DeadlineExceeded,
    Execution,
    Generation,
    Overrides,
    PointsmanError,
    Unavailable,
    messages,
)

if TYPE_CHECKING:
    from tests.client.conftest import FakePointsman, Wire

Code = grpc.StatusCode
Seen = Callable[[asyncio.Event], Awaitable[None]]
CANCELLED = ChatCancelled(usage=Usage(output_tokens=3))


def kinds(fake: FakePointsman) -> list[str | None]:
    return [request.WhichOneof("request") for request in fake.chat_requests]


async def still_talks(fake: FakePointsman, chat: Chat) -> bool:
    fake.play(*fake.whole("still", " here"))
    return await chat.turn("Hello?").text() == "still here"


async def test_turn_by_turn(fake: FakePointsman, client: Client, seen_within: Seen) -> None:
    fake.play(*fake.whole("Hi", "!"))
    fake.play(*fake.whole("Bye."))
    async with client.chat() as chat:
        seen = [event.WhichOneof("event") async for event in chat.turn("Hello")]
        assert seen == ["decision", "delta", "delta", "completed"]
        turn = chat.turn("Goodbye")
        assert await turn.text() == "Bye."
        assert turn.decision is not None
        assert turn.decision.model == "acme/small"
        assert turn.completed is not None
    await seen_within(fake.ended)
    assert kinds(fake) == ["setup", "turn", "turn"]
    first, second = (request.turn for request in fake.chat_requests[1:])
    assert first.messages == [messages.user("Hello")]
    assert second.messages == [messages.user("Goodbye")]
    assert first.turn_id != second.turn_id
    assert (fake.calls_finished, fake.calls_cancelled) == (1, 0)


async def test_the_setup_and_the_turns_options_arrive(fake: FakePointsman, client: Client) -> None:
    fake.play(*fake.whole("ok"))
    history = [messages.user("Earlier"), messages.assistant("Indeed")]
    async with client.chat(
        system="Be brief.",
        history=history,
        constraints=Constraints(models=("m",)),
        generation=Generation(seed=1),
        execution=Execution(hedging=False),
        context=Context(session_id="s"),
    ) as chat:
        result = messages.tool_result("1", "42")
        overrides, constraints = Overrides(tone="formal"), Constraints(exclude=("n",))
        await chat.turn(result, overrides=overrides, constraints=constraints).text()
    setup, turn = fake.chat_requests[0].setup, fake.chat_requests[1].turn
    assert setup.history == [messages.system("Be brief."), *history]
    assert setup.constraints == Constraints(models=("m",)).to_proto()
    assert setup.generation == Generation(seed=1).to_proto()
    assert setup.execution == Execution(hedging=False).to_proto()
    assert setup.context == Context(session_id="s").to_proto()
    assert turn.messages == [result]
    assert turn.overrides == overrides.to_proto()
    assert turn.constraints == constraints.to_proto()


async def test_a_turns_error_is_typed_and_the_chat_goes_on(
    fake: FakePointsman, client: Client
) -> None:
    fake.play(
        fake.failure(
            Code.RESOURCE_EXHAUSTED, "spent", reason="BUDGET_EXCEEDED", metadata={"budget": "b"}
        )
    )
    fake.play(*fake.whole("Hel")[:-1], fake.failure(Code.UNAVAILABLE, "broke off", reason="X"))
    async with client.chat() as chat:
        turn = chat.turn("Hello")
        for _ in range(2):
            with pytest.raises(BudgetExceeded, match="spent") as caught:
                await turn.text()
        assert caught.value.metadata == {"budget": "b"}
        cut = chat.turn("Again")
        with pytest.raises(Unavailable):
            await cut.text()
        assert cut.text_so_far == "Hel"
        assert await still_talks(fake, chat)


async def test_cancel_stops_the_turn_and_says_what_it_cost(
    fake: FakePointsman, client: Client
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang, CANCELLED)
    async with client.chat() as chat:
        turn = chat.turn("Hello")
        pieces = []
        async for text in turn.texts():
            pieces.append(text)
            await chat.cancel()
            await chat.cancel()
        assert pieces == ["Hel"]
        assert turn.cancelled
        assert turn.completed is None
        assert turn.cancelled_usage == CANCELLED.usage
        with pytest.raises(Cancelled):
            await turn.text()
        assert await still_talks(fake, chat)
        await chat.cancel()
    assert kinds(fake) == ["setup", "turn", "cancel", "turn"]
    assert fake.chat_requests[2].cancel.turn_id == turn.turn_id


async def test_cancel_from_another_task(fake: FakePointsman, client: Client) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang, CANCELLED)
    async with client.chat() as chat:
        turn = chat.turn("Hello")
        await anext(turn)
        reader = asyncio.create_task(turn.text())
        await asyncio.sleep(0)
        await chat.cancel()
        with pytest.raises(Cancelled):
            await reader
        assert await still_talks(fake, chat)


async def test_the_next_turn_may_begin_while_the_cancelled_one_is_still_read(
    fake: FakePointsman, client: Client
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang, *fake.whole(*"lo there")[2:-1], CANCELLED)
    async with client.chat() as chat:
        turn = chat.turn("Hello")
        await anext(turn)
        reader = asyncio.create_task(turn.text())
        await asyncio.sleep(0.05)
        await chat.cancel()
        assert await still_talks(fake, chat)
        with pytest.raises(Cancelled):
            await reader


async def test_a_cancel_waits_for_a_turn_that_is_still_being_sent(
    fake: FakePointsman, client: Client
) -> None:
    """The server does not read while it lingers, so the second turn stays in the pipe."""
    whole = fake.whole("Hi")
    fake.play(*whole[:-1], fake.linger, whole[-1], fake.linger)
    fake.play(*fake.whole("Hel")[:-1], fake.hang, CANCELLED)
    async with client.chat() as chat:
        await chat.turn("Hello").text()
        turn = chat.turn("x" * 3_900_000)
        reader = asyncio.create_task(turn.text())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await chat.cancel()
        with pytest.raises(Cancelled, match="the answer was cancelled"):
            await reader
        assert turn.cancelled_usage == CANCELLED.usage
        assert await still_talks(fake, chat)


async def test_a_turn_that_completes_in_spite_of_the_cancel_is_whole(
    fake: FakePointsman, client: Client
) -> None:
    events = fake.whole("Hi")
    fake.play(*events[:-1], fake.hang, events[-1])
    async with client.chat() as chat:
        turn = chat.turn("Hello")
        await anext(turn)
        await chat.cancel()
        assert await turn.text() == "Hi"
        assert not turn.cancelled


async def test_a_cancellation_nobody_asked_for_is_an_error(
    fake: FakePointsman, client: Client
) -> None:
    fake.play(*fake.whole("Hel")[:-1], CANCELLED)
    async with client.chat() as chat:
        with pytest.raises(Cancelled, match="the server cancelled"):
            async for _ in chat.turn("Hello"):
                pass
        assert await still_talks(fake, chat)


async def test_a_turn_left_behind_must_be_cancelled_first(
    fake: FakePointsman, client: Client
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang, CANCELLED)
    async with client.chat() as chat:
        left = chat.turn("Hello")
        async for _ in left:
            break
        waiting = chat.turn("Hello?")
        with pytest.raises(RuntimeError, match="another turn is under way"):
            await waiting.text()
        await chat.cancel()
        fake.play(*fake.whole("second"))
        assert await waiting.text() == "second"
        assert left.cancelled
        assert left.cancelled_usage == CANCELLED.usage


async def test_leaving_a_turns_context_cancels_it_alone(
    fake: FakePointsman, client: Client
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang, CANCELLED)
    async with client.chat() as chat:
        async with chat.turn("Hello") as turn:
            await anext(turn)
        async with chat.turn("never begun"):
            pass
        assert await still_talks(fake, chat)
    assert kinds(fake) == ["setup", "turn", "cancel", "turn"]


async def test_a_turns_timeout_cancels_it_alone(fake: FakePointsman, client: Client) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang, CANCELLED)
    async with client.chat() as chat:
        turn = chat.turn("Hello", timeout_s=0.2)
        with pytest.raises(DeadlineExceeded, match=r"0\.2 s"):
            await turn.text()
        assert turn.text_so_far == "Hel"
        assert await still_talks(fake, chat)


async def test_a_turn_that_the_server_will_not_take_ends_the_chat(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    """Half a message cannot be taken back."""
    fake.play(*fake.whole("Hi"), fake.freeze)
    async with client.chat() as chat:
        await chat.turn("Hello").text()
        with pytest.raises(DeadlineExceeded):
            await chat.turn("x" * 3_900_000, timeout_s=0.2).text()
        with pytest.raises(Cancelled, match="the chat was cancelled"):
            await chat.turn("Hello?").text()
    await seen_within(fake.ended)
    assert fake.calls_cancelled == 1


async def test_a_chat_has_no_deadline_and_a_turn_may_have_none(fake: FakePointsman) -> None:
    fake.play(*fake.whole("ok"))
    async with Client(fake.target, timeout_s=math.inf) as client, client.chat() as chat:
        assert await chat.turn("Hello").text() == "ok"
    (left,) = fake.seconds_left
    assert left is None or left > 10**6


async def test_a_reader_that_is_cancelled_loses_nothing(
    fake: FakePointsman, client: Client
) -> None:
    fake.play(*fake.whole("Hel", "lo")[:-1], fake.hang, fake.whole("Hel", "lo")[-1])
    async with client.chat() as chat:
        turn = chat.turn("Hello")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await turn.text()
        await chat.cancel()
        assert await turn.text() == "Hello"
        assert await still_talks(fake, chat)


async def test_a_gap_ends_the_chat(fake: FakePointsman, client: Client, seen_within: Seen) -> None:
    events = fake.whole("a", "b")
    del events[1]
    fake.play(*events, fake.hang)
    async with client.chat() as chat:
        with pytest.raises(BrokenStream, match="event 1 of the answer is missing"):
            await chat.turn("Hello").text()
        await seen_within(fake.ended)
        assert fake.calls_cancelled == 1
        with pytest.raises(BrokenStream, match="event 1 of the answer is missing"):
            await chat.turn("Hello?").text()


async def test_an_answer_to_another_turn_ends_the_chat(fake: FakePointsman, client: Client) -> None:
    fake.play(fake.raw(ChatResponse(turn_id="99", cancelled=ChatCancelled())), fake.hang)
    async with client.chat() as chat:
        with pytest.raises(BrokenStream, match="not under way"):
            await chat.turn("Hello").text()


async def test_responses_of_the_future_are_skipped(fake: FakePointsman, client: Client) -> None:
    decision, _, *rest = fake.whole("dropped", "Hi")
    event = CompletionEvent.FromString(
        CompletionEvent(sequence=1).SerializeToString() + b"\xf2\x01\x00"
    )
    fake.play(
        decision,
        fake.raw(ChatResponse(turn_id="1")),
        fake.raw(ChatResponse(turn_id="1", events=CompletionEvents(events=[event]))),
        *rest,
    )
    async with client.chat() as chat:
        kinds = [event.WhichOneof("event") async for event in chat.turn("Hello")]
        assert kinds == ["decision", "delta", "completed"]


async def test_a_stream_that_ends_within_a_turn_is_no_answer(
    fake: FakePointsman, client: Client
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.end_stream())
    async with client.chat() as chat:
        turn = chat.turn("Hello")
        with pytest.raises(BrokenStream, match="the server ended the chat"):
            await turn.text()
        assert turn.text_so_far == "Hel"
        with pytest.raises(BrokenStream, match="the server ended the chat"):
            await chat.turn("Hello?").text()


async def test_a_stream_that_ends_between_turns_is_noticed_by_the_next(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    fake.play(*fake.whole("Hi"), fake.end_stream())
    async with client.chat() as chat:
        await chat.turn("Hello").text()
        await seen_within(fake.ended)
        await asyncio.sleep(0.05)
        with pytest.raises(BrokenStream, match="the server ended the chat"):
            await chat.turn("Hello?").text()


async def test_a_failed_stream_is_typed(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    draining = fake.failure(Code.UNAVAILABLE, "draining", reason="SHUTTING_DOWN")
    fake.play(*fake.whole("Hi"), fake.end_stream(draining))
    async with client.chat() as chat:
        await chat.turn("Hello").text()
        await seen_within(fake.ended)
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable, match="SHUTTING_DOWN: draining"):
            await chat.turn("Hello?").text()


async def test_a_connection_cut_within_a_turn(fake: FakePointsman, wire: Wire) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang)
    async with Client(wire.target) as client, client.chat() as chat:
        turn = chat.turn("Hello")
        await anext(turn)
        wire.cut()
        with pytest.raises(Unavailable, match="the connection to"):
            await turn.text()


async def test_leaving_the_chat_cancels_the_turn_under_way(
    fake: FakePointsman, client: Client, seen_within: Seen
) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang)
    async with client.chat() as chat:
        turn = chat.turn("Hello")
        await anext(turn)
    await seen_within(fake.ended)
    assert fake.calls_finished == 0
    with pytest.raises(Cancelled, match="the chat is closed"):
        await turn.text()
    with pytest.raises(Cancelled, match="the chat is closed"):
        await chat.turn("Hello?").text()


async def test_closing_the_client_ends_the_chats_reader(fake: FakePointsman) -> None:
    fake.play(*fake.whole("Hel")[:-1], fake.hang)
    client = Client(fake.target)
    async with client.chat() as chat:
        turn = chat.turn("Hello")
        await anext(turn)
        reader = asyncio.create_task(turn.text())
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(Cancelled):
            await reader
        with pytest.raises(PointsmanError):
            await chat.turn("Hello?").text()


async def test_a_chat_must_be_opened(client: Client) -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await client.chat().turn("Hello").text()


async def test_a_long_conversation_of_big_answers(fake: FakePointsman, client: Client) -> None:
    async with client.chat() as chat:
        for n in range(20):
            fake.play(*fake.whole(*[str(n) * 10_000] * 20))
            assert await chat.turn("x" * 100_000).text() == str(n) * 200_000
