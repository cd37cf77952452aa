"""A stream each way, over every transport: interleaving, half-closes, and who ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import grpc
import grpc.aio
import pytest
from answers import openai_chunk, openai_events, text_reply
from google.rpc.status_pb2 import Status
from pointsman.v1.router_service_pb2 import ChatRequest
from pointsman.v1.router_service_pb2_grpc import RouterServiceStub
from served import (
    BadRequest,
    Chat,
    RetryInfo,
    Served,
    ask,
    collect,
    detail,
    kinds,
    read_to_end,
    reason_of,
    status_of,
    text_of,
    user,
)
from upstream import Hang, Hold, Reply, SeenRequest, Send, Upstream, whole

Code = grpc.StatusCode


def said(*texts: str) -> list[Send]:
    return [Send(openai_chunk({"content": text})) for text in texts]


def rest(*texts: str) -> Send:
    return Send(b"".join(openai_events(texts)))


def history_of(upstream: Upstream) -> list[tuple[str, str]]:
    """Roles and texts of the last request as a provider received it."""
    body: Any = upstream.requests[-1].json
    return [(m["role"], m["content"]) for m in body["messages"]]


def events_of(chat: Chat, turn_id: str) -> list[str]:
    """What happened to a turn."""
    found: list[str] = []
    for response in chat.responses:
        if response.turn_id == turn_id:
            kind = response.WhichOneof("response")
            found += kinds(response.events.events) if kind == "events" else [str(kind)]
    return found


async def ended(chat: Chat) -> grpc.aio.AioRpcError:
    """The error that ends the stream."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read_to_end(chat.call)
    return caught.value


def field_of(status: Status) -> str:
    assert reason_of(status) == "INVALID_REQUEST"
    bad = detail(status, BadRequest)
    assert bad is not None
    (violation,) = bad.field_violations
    return str(violation.field)


async def begun(served: Served) -> Chat:
    chat = served.chat()
    await chat.setup()
    return chat


def turn(turn_id: str, text: str) -> ChatRequest:
    request = ChatRequest()
    request.turn.turn_id = turn_id
    request.turn.messages.append(user(text))
    return request


async def test_turns_are_answered_in_order_and_remembered(served: Served) -> None:
    served.one.enqueue(text_reply("openai", ["One."]), text_reply("openai", ["Two."]))
    chat = await begun(served)
    for turn_id in "abc":
        await chat.turn(turn_id, f"{turn_id}?")
    await chat.rest()
    assert [chat.text(t) for t in "abc"] == ["One.", "Two.", "Hello, world"]
    assert list(dict.fromkeys(r.turn_id for r in chat.responses)) == ["a", "b", "c"]
    for turn_id in "abc":
        assert events_of(chat, turn_id)[0] == "decision"
        assert events_of(chat, turn_id)[-1] == "completed"
    assert [text for _, text in history_of(served.one)] == ["a?", "One.", "b?", "Two.", "c?"]
    assert await chat.call.code() is Code.OK


async def test_what_both_sides_say_is_interleaved(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(Reply([*said("half, "), Hold(go), rest("whole")]))
    chat = await begun(served)
    await chat.turn("a", "first?")
    await chat.until("a", "delta")
    await chat.turn("b", "second?")  # heard while the first is answered
    await chat.cancel_turn("never")
    go.set()
    await chat.until("a", "completed")
    await chat.until("b", "completed")
    await chat.turn("c", "third?")
    await chat.until("c", "completed")
    assert [chat.text(t) for t in "abc"] == ["half, whole", "Hello, world", "Hello, world"]
    await chat.rest()
    assert await chat.call.code() is Code.OK


async def test_a_hundred_turns_over_one_stream(served: Served) -> None:
    chat = await begun(served)
    for i in range(100):
        await chat.turn(str(i), "hi")
        await chat.until(str(i), "completed")
    await chat.rest()
    assert {chat.text(str(i)) for i in range(100)} == {"Hello, world"}


async def test_nothing_but_a_half_close_is_half_closed_in_turn(served: Served) -> None:
    for chat in (served.chat(), await begun(served)):
        assert await chat.rest() == []
        assert await chat.call.code() is Code.OK


async def test_a_half_close_in_mid_turn_still_gets_the_answers(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(Reply([*said("half, "), Hold(go), rest("whole")]))
    chat = await begun(served)
    await chat.turn("a", "hi")
    await chat.turn("b", "ho")
    await chat.until("a", "delta")
    await chat.call.done_writing()
    await asyncio.sleep(0.02)
    go.set()
    await chat.until("b", "completed")
    assert (chat.text("a"), chat.text("b")) == ("half, whole", "Hello, world")
    await read_to_end(chat.call)
    assert await chat.call.code() is Code.OK


async def test_a_half_close_right_behind_the_turn(served: Served) -> None:
    for _ in range(20):
        chat = await begun(served)
        await chat.turn("a", "hi")
        await chat.rest()
        assert chat.text("a") == "Hello, world"


@pytest.mark.parametrize("in_a_turn", [False, True])
async def test_the_server_may_end_first_and_says_why(in_a_turn: bool, served: Served) -> None:
    served.one.enqueue(Reply([Hang()]))
    chat = await begun(served)
    if in_a_turn:
        await chat.turn("a", "hi")
        await chat.until("a", "attempt_started")
    await chat.setup()  # the client has not said its last, and never will
    error = await ended(chat)
    assert error.code() is Code.INVALID_ARGUMENT
    assert field_of(status_of(error)) == "setup"
    await served.idle()
    assert len(served.one.requests) == len(served.one.closes) == int(in_a_turn)


async def test_whoever_writes_on_after_the_servers_end_is_told_that_end(served: Served) -> None:
    chat = served.chat()
    await chat.turn("a", "hi")
    assert field_of(status_of(await ended(chat))) == "setup"
    with pytest.raises((asyncio.InvalidStateError, grpc.aio.AioRpcError)):
        await chat.turn("b", "ho")
    assert await chat.call.code() is Code.INVALID_ARGUMENT


async def test_a_stopped_turn_leaves_the_stream_open(served: Served) -> None:
    served.one.enqueue(Reply([*said("The first half"), Hang()]))
    chat = await begun(served)
    await chat.turn("a", "go")
    await chat.until("a", "delta")
    began = asyncio.get_running_loop().time()
    await chat.cancel_turn("a")
    response = await chat.until("a", "cancelled")
    assert response.cancelled.usage.estimated
    await served.one.wait_for(lambda u: len(u.closes) == 1)
    assert served.one.closes[0].at - began < 0.1
    assert served.one.closes[0].answering
    await chat.turn("b", "and then?")
    await chat.rest()
    assert [t for _, t in history_of(served.one)] == ["go", "The first half", "and then?"]
    assert chat.text("b") == "Hello, world"


async def test_a_failed_turn_leaves_the_stream_open(served: Served) -> None:
    for upstream in (served.one, served.two):
        upstream.enqueue(whole("oops", 500))
    chat = await begun(served)
    await chat.turn("a", "go")
    error = (await chat.until("a", "error")).error
    assert reason_of(error) == "ALL_MODELS_FAILED"
    assert error.code == Code.UNAVAILABLE.value[0]
    empty = ChatRequest()
    empty.turn.turn_id = "b"
    await chat.say(empty)
    assert field_of((await chat.until("b", "error")).error) == "turn.messages"
    await chat.turn("c", "hello?")
    await chat.rest()
    assert chat.text("c") == "Hello, world"
    assert await chat.call.code() is Code.OK


async def test_more_turns_than_may_wait_are_refused_one_by_one(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(Reply([Hold(go), rest("first")]))
    chat = await begun(served)
    await chat.turn("0", "hi")
    await chat.until("0", "attempt_started")
    for i in range(1, 12):
        await chat.turn(str(i), "hi")
    for i in range(9, 12):
        error = (await chat.until(str(i), "error")).error
        assert reason_of(error) == "OVERLOADED"
        assert detail(error, RetryInfo) is not None
    go.set()
    await chat.rest()
    assert chat.text("0") == "first"
    for i in range(1, 9):
        assert chat.text(str(i)) == "Hello, world"


def parrot(request: SeenRequest) -> Reply:
    body: Any = request.json
    words = body["messages"][-1]["content"].split()
    return text_reply("openai", [f"{w} " for w in words], pause_s=0.001)


async def test_forty_conversations_side_by_side_do_not_mix(served: Served) -> None:
    served.one.default = parrot

    async def talk(name: str) -> Chat:
        chat = await begun(served)
        for i in range(3):
            await chat.turn(f"{name}-{i}", f"{name} says {i}")
        await chat.rest(20)
        return chat

    chats = await asyncio.gather(*(talk(f"c{n}") for n in range(40)))
    for n, chat in enumerate(chats):
        for i in range(3):
            assert chat.text(f"c{n}-{i}") == f"c{n} says {i} "


async def test_a_slow_reader_slows_its_provider_down(served: Served) -> None:
    big = [Send(openai_chunk({"content": "x" * 100_000}), tokens=1) for _ in range(400)]
    served.one.enqueue(Reply(big))
    chat = await begun(served)
    await chat.turn("a", "flood me")
    await asyncio.sleep(1)
    stuck_at = served.one.tokens_sent
    await asyncio.sleep(0.3)
    assert 0 < served.one.tokens_sent == stuck_at < 300
    chat.call.cancel()
    await served.idle()
    assert len(served.one.closes) == 1


async def test_a_conversation_and_a_completion_share_one_connection(served: Served) -> None:
    chat = await begun(served)
    served.one.enqueue(Reply([Hang()]))
    await chat.turn("a", "hi")
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    assert text_of(await collect(served.router.Complete(ask()))) == "Hello, world"
    chat.call.cancel()


async def test_the_blocking_client_is_served_alike(served: Served) -> None:
    def work() -> list[str]:
        requests: SimpleQueue[ChatRequest | None] = SimpleQueue()

        def say() -> Iterator[ChatRequest]:
            while (request := requests.get()) is not None:
                yield request

        setup = ChatRequest()
        setup.setup.SetInParent()
        texts = []
        with grpc.insecure_channel(served.address) as channel:
            router: Any = RouterServiceStub(channel)
            call = router.Chat(say(), timeout=10)
            requests.put(setup)
            for turn_id in "ab":
                requests.put(turn(turn_id, "hi"))
                text = ""
                for response in call:
                    assert response.turn_id == turn_id
                    text += text_of(response.events.events)
                    if "completed" in kinds(response.events.events):
                        break
                texts.append(text)
            requests.put(None)
            assert not list(call)
            assert call.code() is Code.OK
        return texts

    assert await asyncio.to_thread(work) == ["Hello, world"] * 2
