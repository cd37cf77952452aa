"""RouterService.Chat over real gRPC: turns in order, cancels, failures, and what is remembered."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from answers import openai_chunk, openai_events, openai_tool_piece, openai_usage, sse, text_reply
from google.rpc.status_pb2 import Status
from pointsman.v1 import message_pb2, router_service_pb2
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
from upstream import Cut, Hang, Hold, Pause, Reply, Send, Upstream, whole

ChatRequest = router_service_pb2.ChatRequest
Code = grpc.StatusCode


def said(*texts: str) -> list[Send]:
    return [Send(openai_chunk({"content": text})) for text in texts]


def rest(*texts: str) -> Send:
    return Send(b"".join(openai_events(texts)))


def history_of(upstream: Upstream, number: int = -1) -> list[tuple[str, str]]:
    """Roles and texts of a request as a provider received it."""
    body: Any = upstream.requests[number].json
    return [(m["role"], m["content"]) for m in body["messages"]]


def events_of(chat: Chat, turn_id: str) -> list[str]:
    """What happened to a turn."""
    found: list[str] = []
    for response in chat.responses:
        if response.turn_id == turn_id:
            kind = response.WhichOneof("response")
            found += kinds(response.events.events) if kind == "events" else [str(kind)]
    return found


def check_numbering(chat: Chat, turn_id: str) -> None:
    events = [e for r in chat.responses if r.turn_id == turn_id for e in r.events.events]
    assert [e.sequence for e in events] == list(range(len(events)))


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


WHOLE = ["decision", "attempt_started", "delta", "completed"]


async def test_turns_are_answered_in_order_and_remembered(served: Served) -> None:
    served.one.enqueue(text_reply("openai", ["One."]), text_reply("openai", ["Two."]))
    chat = await begun(served)
    await chat.turn("a", "first?")
    await chat.turn("b", "second?")
    await chat.turn("c", "third?")
    await chat.rest()
    assert [chat.text(t) for t in "abc"] == ["One.", "Two.", "Hello, world"]
    order = list(dict.fromkeys(r.turn_id for r in chat.responses))
    assert order == ["a", "b", "c"]
    for turn in "abc":
        assert events_of(chat, turn) == WHOLE
        check_numbering(chat, turn)
    assert history_of(served.one) == [
        ("user", "first?"),
        ("assistant", "One."),
        ("user", "second?"),
        ("assistant", "Two."),
        ("user", "third?"),
    ]
    assert await chat.call.code() is Code.OK


async def test_setup_holds_for_every_turn(served: Served) -> None:
    request = ChatRequest()
    system = message_pb2.Message(role=message_pb2.ROLE_SYSTEM)
    system.parts.add(text="Be brief.")
    request.setup.history.append(system)
    request.setup.constraints.allowed_models.append("two/b")
    request.setup.generation.max_output_tokens = 77
    chat = served.chat()
    await chat.say(request)
    await chat.turn("a", "one")
    await chat.until("a", "completed")
    free = ChatRequest()
    free.turn.turn_id = "b"
    free.turn.messages.append(user("two"))
    free.turn.constraints.allowed_models.append("one/a")
    await chat.say(free)
    await chat.rest()
    assert history_of(served.two) == [("system", "Be brief."), ("user", "one")]
    assert history_of(served.one)[0] == ("system", "Be brief.")
    body: Any = served.two.requests[0].json
    assert 77 in (body.get("max_tokens"), body.get("max_completion_tokens"))


async def test_nothing_but_a_half_close(served: Served) -> None:
    chat = served.chat()
    assert await chat.rest() == []
    assert await chat.call.code() is Code.OK
    chat = await begun(served)
    assert await chat.rest() == []
    assert await chat.call.code() is Code.OK


async def test_a_turn_before_the_setup(served: Served) -> None:
    chat = served.chat()
    await chat.turn("a", "hi")
    error = await ended(chat)
    assert error.code() is Code.INVALID_ARGUMENT
    assert field_of(status_of(error)) == "setup"
    assert not served.one.requests


async def test_a_cancel_before_the_setup(served: Served) -> None:
    chat = served.chat()
    await chat.cancel_turn("a")
    assert field_of(status_of(await ended(chat))) == "setup"


async def test_an_empty_first_message(served: Served) -> None:
    chat = served.chat()
    await chat.say(ChatRequest())
    assert field_of(status_of(await ended(chat))) == "setup"


async def test_a_second_setup(served: Served) -> None:
    for in_a_turn in (False, True):
        served.one.enqueue(Reply([Hang()]))
        chat = await begun(served)
        if in_a_turn:
            await chat.turn("a", "hi")
            await chat.until("a", "attempt_started")
        await chat.setup()
        error = await ended(chat)
        assert error.code() is Code.INVALID_ARGUMENT
        assert field_of(status_of(error)) == "setup"
        await served.idle()
    assert all(close.answering for close in served.one.closes)


async def test_a_setup_that_is_malformed(served: Served) -> None:
    request = ChatRequest()
    request.setup.generation.temperature = 3
    chat = served.chat()
    await chat.say(request)
    assert field_of(status_of(await ended(chat))) == "setup.generation.temperature"


async def test_a_message_of_a_kind_that_is_not_known(served: Served) -> None:
    chat = await begun(served)
    await chat.say(ChatRequest())
    assert field_of(status_of(await ended(chat))) == "request"


@pytest.mark.parametrize("turn_id", ["", "x" * 257])
async def test_turn_ids_that_are_none(turn_id: str, served: Served) -> None:
    chat = await begun(served)
    await chat.turn(turn_id, "hi")
    assert field_of(status_of(await ended(chat))) == "turn.turn_id"


async def test_a_turn_id_that_is_in_use(served: Served) -> None:
    served.one.enqueue(Reply([Hang()]))
    chat = await begun(served)
    await chat.turn("a", "hi")
    await chat.turn("a", "hi again")
    assert field_of(status_of(await ended(chat))) == "turn.turn_id"


async def test_a_turn_id_may_be_used_again_once_its_turn_has_ended(served: Served) -> None:
    chat = await begun(served)
    for _ in range(3):
        await chat.turn("a", "hi")
        await chat.until("a", "completed")
        # its last event is said a moment before it is over
        await asyncio.sleep(0.02)
    await chat.rest()
    assert events_of(chat, "a") == WHOLE * 3


async def test_a_half_close_in_mid_turn_still_gets_the_answer(served: Served) -> None:
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
    assert await chat.call.code() is Code.OK


async def test_cancelling_the_turn_under_way(served: Served) -> None:
    served.one.enqueue(Reply([*said("The first half"), Hang()]))
    chat = await begun(served)
    await chat.turn("a", "go")
    await chat.until("a", "delta")
    began = asyncio.get_running_loop().time()
    await chat.cancel_turn("a")
    response = await chat.until("a", "cancelled")
    assert response.cancelled.usage.estimated
    assert response.cancelled.usage.output_tokens > 0
    await served.one.wait_for(lambda u: len(u.closes) == 1)
    assert served.one.closes[0].at - began < 0.1
    assert served.one.closes[0].answering
    await chat.turn("b", "and then?")
    await chat.rest()
    assert history_of(served.one) == [
        ("user", "go"),
        ("assistant", "The first half"),
        ("user", "and then?"),
    ]
    assert events_of(chat, "a") == ["decision", "attempt_started", "delta", "cancelled"]
    assert chat.text("b") == "Hello, world"


async def test_cancelling_before_any_text_leaves_no_trace(served: Served) -> None:
    served.one.enqueue(Reply([Hang()]))
    chat = await begun(served)
    await chat.turn("a", "go")
    await chat.until("a", "attempt_started")
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    await chat.cancel_turn("a")
    await chat.until("a", "cancelled")
    await chat.turn("b", "hello?")
    await chat.rest()
    assert history_of(served.one) == [("user", "hello?")]


async def test_cancelling_a_turn_that_waits(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(Reply([Hold(go), rest("first")]))
    chat = await begun(served)
    await chat.turn("a", "one")
    await chat.turn("b", "two")
    await chat.turn("c", "three")
    await chat.cancel_turn("b")
    await chat.until("a", "attempt_started")
    await asyncio.sleep(0.05)
    go.set()
    await chat.rest()
    assert events_of(chat, "b") == ["cancelled"]
    assert (chat.text("a"), chat.text("c")) == ("first", "Hello, world")
    assert ("user", "two") not in history_of(served.one)
    assert len(served.one.requests) == 2


async def test_cancelling_what_is_not_under_way_has_no_effect(served: Served) -> None:
    chat = await begun(served)
    await chat.cancel_turn("never")
    await chat.turn("a", "hi")
    await chat.until("a", "completed")
    await asyncio.sleep(0.02)
    await chat.cancel_turn("a")
    await chat.cancel_turn("a")
    await chat.turn("b", "ho")
    await chat.rest()
    assert events_of(chat, "a") == events_of(chat, "b") == WHOLE


async def test_cancelling_twice_cancels_once(served: Served) -> None:
    served.one.enqueue(Reply([Hang()]))
    chat = await begun(served)
    await chat.turn("a", "hi")
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    await chat.cancel_turn("a")
    await chat.cancel_turn("a")
    await chat.turn("b", "ho")
    await chat.rest()
    assert events_of(chat, "a").count("cancelled") == 1
    assert chat.text("b") == "Hello, world"


@pytest.mark.parametrize("cancels", [3, 6, 12])
async def test_no_number_of_cancels_costs_the_receipt(served: Served, cancels: int) -> None:
    served.one.enqueue(Reply([Hang()]))
    chat = await begun(served)
    await chat.turn("a", "hi")
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    for _ in range(cancels):
        await chat.cancel_turn("a")
    await chat.rest()
    await served.idle()
    [line] = served.log_lines("request")
    assert line["error"] == "Cancelled"
    assert line["cost_usd"] > 0


async def test_a_turn_is_completed_or_cancelled_and_never_both(served: Served) -> None:
    chat = await begun(served)
    for i in range(40):
        served.one.enqueue(text_reply("openai", ["a", "b"], pause_s=0.0005))
        await chat.turn(str(i), "hi")
        await asyncio.sleep(i * 0.0005)
        await chat.cancel_turn(str(i))
    # turns in excess of what may wait are refused, and that is an end as well
    await chat.rest(20)
    for i in range(40):
        last = events_of(chat, str(i))
        ends = [e for e in last if e in ("completed", "cancelled", "error")]
        assert len(ends) == 1, last
        assert last[-1] == ends[0]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (whole("oops", 500), "ALL_MODELS_FAILED"),
        (whole('{"error": {"code": "content_filter"}}', 400), "PROMPT_REFUSED"),
    ],
)
async def test_a_failed_turn_leaves_no_trace_and_the_stream_goes_on(
    reply: Reply, reason: str, served: Served
) -> None:
    served.one.enqueue(reply)
    served.two.enqueue(reply)
    chat = await begun(served)
    await chat.turn("a", "go")
    assert reason_of((await chat.until("a", "error")).error) == reason
    await chat.turn("b", "hello?")
    await chat.rest()
    assert history_of(served.one) == [("user", "hello?")]
    assert chat.text("b") == "Hello, world"
    assert await chat.call.code() is Code.OK


async def test_a_turn_that_breaks_off_keeps_what_was_said(served: Served) -> None:
    chat = await begun(served)
    served.one.enqueue(Reply([*said("half of"), Pause(0.02), Cut()]))
    await chat.turn("a", "go")
    error = (await chat.until("a", "error")).error
    assert reason_of(error) == "ANSWER_INTERRUPTED"
    await chat.turn("b", "go on")
    await chat.rest()
    assert history_of(served.one) == [("user", "go"), ("assistant", "half of"), ("user", "go on")]


async def test_a_turn_that_starts_over_remembers_only_what_stands(served: Served) -> None:
    request = ChatRequest()
    request.setup.execution.switch_policy = router_service_pb2.SWITCH_POLICY_RESTART
    chat = served.chat()
    await chat.say(request)
    served.one.enqueue(Reply([*said("dropped"), Pause(0.02), Cut()]))
    await chat.turn("a", "go")
    await chat.until("a", "completed")
    await chat.turn("b", "on")
    await chat.rest()
    assert history_of(served.one) == [("user", "go"), ("assistant", "Hello, world"), ("user", "on")]


async def test_a_malformed_turn_is_its_own_error(served: Served) -> None:
    chat = await begun(served)
    empty = ChatRequest()
    empty.turn.turn_id = "a"
    await chat.say(empty)
    assert field_of((await chat.until("a", "error")).error) == "turn.messages"
    await chat.turn("b", " ")
    assert field_of((await chat.until("b", "error")).error) == "turn.messages[0].parts"
    unknown = ChatRequest()
    unknown.turn.turn_id = "c"
    unknown.turn.messages.append(user("hi"))
    unknown.turn.constraints.allowed_models.append("nobody/x")
    await chat.say(unknown)
    assert field_of((await chat.until("c", "error")).error) == "turn.constraints.allowed_models"
    await chat.turn("d", "hi")
    await chat.rest()
    assert history_of(served.one) == [("user", "hi")]


async def test_tools_are_called_and_answered_across_turns(served: Served) -> None:
    request = ChatRequest()
    request.setup.generation.tools.add(name="look", parameters_json_schema="{}")
    chat = served.chat()
    await chat.say(request)
    piece = openai_tool_piece(0, "c1", "look", "{}")
    done = openai_chunk({}, "tool_calls") + openai_usage(5, 6) + sse("[DONE]")
    served.one.enqueue(Reply([Send(piece + done)]))
    await chat.turn("a", "look!")
    await chat.until("a", "completed")
    await chat.turn("b", "and?")
    assert field_of((await chat.until("b", "error")).error) == "turn.messages"
    result = ChatRequest()
    result.turn.turn_id = "c"
    message = result.turn.messages.add(role=message_pb2.ROLE_TOOL)
    message.parts.add().tool_result.CopyFrom(message_pb2.ToolResult(call_id="c1", text="a cat"))
    await chat.say(result)
    await chat.rest()
    roles = [role for role, _ in history_of(served.one)]
    assert roles == ["user", "assistant", "tool"]
    assert chat.text("c") == "Hello, world"


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
        assert error.code == Code.RESOURCE_EXHAUSTED.value[0]
        assert reason_of(error) == "OVERLOADED"
        retry = detail(error, RetryInfo)
        assert retry is not None
        assert retry.retry_delay.ToNanoseconds() > 0
    go.set()
    await chat.rest()
    assert chat.text("0") == "first"
    for i in range(1, 9):
        assert events_of(chat, str(i)) == WHOLE
    for i in range(9, 12):
        assert events_of(chat, str(i)) == ["error"]


async def test_a_client_that_vanishes_in_mid_turn_closes_its_providers_connection(
    served: Served,
) -> None:
    served.one.enqueue(Reply([*said("a"), Hang()]))
    chat = await begun(served)
    await chat.turn("a", "hi")
    await chat.turn("b", "ho")
    await chat.until("a", "delta")
    chat.call.cancel()
    left_at = asyncio.get_running_loop().time()
    await served.one.wait_for(lambda u: len(u.closes) == 1)
    assert served.one.closes[0].at - left_at < 0.1
    await served.idle()
    assert len(served.one.requests) == 1
    assert not served.log_lines("internal_error")


def chat_tasks() -> list[str]:
    return [t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith("chat")]


async def test_a_client_that_reads_nothing_and_vanishes_leaves_nothing_behind(
    served: Served,
) -> None:
    big = Send(openai_chunk({"content": "x" * 200_000}))
    served.one.enqueue(Reply([step for _ in range(200) for step in (big, Pause(0.001))]))
    chat = await begun(served)
    await chat.turn("a", "flood me")
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    # until nothing moves any more: neither the client's window nor the server's outbox has room
    sent = -1
    while sent != (now := len(served.log.getvalue()) + served.one.tokens_sent):
        sent = now
        await asyncio.sleep(0.3)
    assert not served.one.answers_completed
    await chat.cancel_turn("a")
    await asyncio.sleep(0)
    chat.call.cancel()
    await served.one.wait_for(lambda u: len(u.closes) == 1)
    await served.idle()
    async with asyncio.timeout(3):
        while chat_tasks():  # noqa: ASYNC110 - tasks that end tell nobody
            await asyncio.sleep(0.01)


async def test_a_slow_reader_slows_its_provider_down(served: Served) -> None:
    big = [Send(openai_chunk({"content": "x" * 100_000}), tokens=1) for _ in range(400)]
    served.one.enqueue(Reply(big))
    chat = await begun(served)
    await chat.turn("a", "flood me")
    await asyncio.sleep(1)
    stuck_at = served.one.tokens_sent
    await asyncio.sleep(0.3)
    assert served.one.tokens_sent == stuck_at < 300
    chat.call.cancel()
    await served.idle()


async def test_conversations_side_by_side_do_not_mix(served: Served) -> None:
    def parrot(request: Any) -> Reply:
        words = request.json["messages"][-1]["content"].split()
        return text_reply("openai", [f"{w} " for w in words], pause_s=0.001)

    served.one.default = parrot

    async def talk(name: str) -> Chat:
        chat = await begun(served)
        for i in range(3):
            await chat.turn(f"{name}-{i}", f"{name} says {i}")
        await chat.rest(20)
        return chat

    chats = await asyncio.gather(*(talk(f"c{n}") for n in range(20)))
    for n, chat in enumerate(chats):
        for i in range(3):
            assert chat.text(f"c{n}-{i}") == f"c{n} says {i} "


async def test_a_chat_and_a_complete_share_one_connection(served: Served) -> None:
    chat = await begun(served)
    served.one.enqueue(Reply([Hang()]))
    await chat.turn("a", "hi")
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    assert text_of(await collect(served.router.Complete(ask()))) == "Hello, world"
    chat.call.cancel()


async def test_the_deadline_of_a_chat_bounds_its_turns(served: Served) -> None:
    served.one.enqueue(Reply([Hang()]))
    chat = Chat(served.router.Chat(timeout=0.6))
    await chat.setup()
    await chat.turn("a", "hi")
    error = (await chat.until("a", "error")).error
    assert reason_of(error) == "DEADLINE_EXCEEDED"
    assert (await ended(chat)).code() is Code.DEADLINE_EXCEEDED


async def test_faults_that_only_the_engine_knows_name_the_chats_own_fields(served: Served) -> None:
    chat = served.chat()
    setup = ChatRequest()
    setup.setup.constraints.allowed_models.append("nobody/x")
    await chat.say(setup)
    await chat.turn("a", "hi")
    assert field_of((await chat.until("a", "error")).error) == "setup.constraints.allowed_models"
    odd = ChatRequest()
    odd.turn.turn_id = "b"
    odd.turn.messages.append(user("hi"))
    odd.turn.constraints.allowed_models.append("one/a")
    odd.turn.overrides.tone = "purple"
    await chat.say(odd)
    assert field_of((await chat.until("b", "error")).error) == "turn.overrides.tone"
