"""A stream of responses, over every transport: in order, as it comes, at the reader's pace."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from answers import openai_chunk, openai_events, sse, text_reply
from google.protobuf.duration_pb2 import Duration
from pointsman.v1.router_service_pb2_grpc import RouterServiceStub
from served import Served, ask, collect, failing, kinds, serving, text_of
from transports import over
from upstream import Cut, Hang, Hold, Pause, Reply, SeenRequest, Send, whole

LARGE = 100_000


def said(*texts: str) -> list[Send]:
    """The beginning of an answer, each piece in a send of its own."""
    return [Send(openai_chunk({"content": text})) for text in texts]


def rest(*texts: str) -> Send:
    """An answer whose beginning was `said`, to its end."""
    return Send(b"".join(openai_events(texts)))


def check_numbering(events: list[Any]) -> None:
    assert [e.sequence for e in events] == list(range(len(events)))
    elapsed = [e.elapsed.ToNanoseconds() for e in events]
    assert elapsed == sorted(elapsed)


def parrot(request: SeenRequest) -> Reply:
    """Says the prompt again, word by word."""
    body: Any = request.json
    words: str = body["messages"][-1]["content"]
    return text_reply("openai", [f"{word} " for word in words.split()], pause_s=0.001)


async def test_an_answer_from_its_decision_to_its_end(served: Served) -> None:
    call = served.router.Complete(ask("Say hello to the world."))
    events = await collect(call)
    assert (kinds(events)[:2], kinds(events)[-1]) == (["decision", "attempt_started"], "completed")
    check_numbering(events)
    assert text_of(events) == "Hello, world"
    assert events[-1].completed.decision_id == events[0].decision.decision_id
    assert await call.code() is grpc.StatusCode.OK


async def test_the_decision_comes_before_the_model_says_anything(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(Reply([Hold(go), rest("late")]))
    call = served.router.Complete(ask())
    async with asyncio.timeout(2):
        first = await call.read()
    assert first.events[0].WhichOneof("event") == "decision"
    go.set()
    assert text_of(await read_on(call)) == "late"


async def test_text_comes_as_the_provider_sends_it(served: Served) -> None:
    steps = [asyncio.Event() for _ in range(3)]
    served.one.enqueue(
        Reply([*said("a"), Hold(steps[0]), *said("b"), Hold(steps[1]), *said("c"), Hold(steps[2])])
    )
    call, text = served.router.Complete(ask()), ""
    async with asyncio.timeout(5):
        for want, step in zip(("a", "ab", "abc"), steps, strict=True):
            while text != want:
                text += text_of((await call.read()).events)
            step.set()
    call.cancel()


async def test_no_message_is_empty_and_a_burst_comes_in_few(served: Served) -> None:
    burst = b"".join(openai_events([f"{i} " for i in range(200)]))
    served.one.enqueue(Reply([Pause(0.01), Send(burst)]))
    messages = [m async for m in served.router.Complete(ask())]
    assert all(message.events for message in messages)
    events = [e for m in messages for e in m.events]
    check_numbering(events)
    assert text_of(events) == "".join(f"{i} " for i in range(200))
    assert len(messages) <= 40


async def test_a_hedge_and_its_loser_are_told_in_order(served: Served) -> None:
    served.one.enqueue(Reply([Hang()]))
    request = ask()
    request.execution.hedge_delay.CopyFrom(Duration(nanos=20_000_000))
    events = await collect(served.router.Complete(request))
    check_numbering(events)
    assert kinds(events) == [
        "decision",
        "attempt_started",
        "attempt_started",
        "attempt_ended",
        "delta",
        "completed",
    ]


async def test_a_failure_before_text_falls_back_in_the_open(served: Served) -> None:
    served.one.enqueue(whole("oops", 500, "text/plain"))
    events = await collect(served.router.Complete(ask()))
    check_numbering(events)
    assert kinds(events)[2:4] == ["attempt_ended", "attempt_started"]
    assert text_of(events) == "Hello, world"
    assert events[-1].completed.model == "two/b"


async def test_a_cut_stream_is_an_error_after_its_text(served: Served) -> None:
    served.one.enqueue(Reply([*said("half of"), Pause(0.02), Cut()]))
    events, error = await failing(served.router.Complete(ask()))
    check_numbering(events)
    assert text_of(events) == "half of"
    assert "completed" not in kinds(events)
    assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_blocking_client_is_served_alike(served: Served) -> None:
    def work() -> str:
        with grpc.insecure_channel(served.address) as channel:
            router: Any = RouterServiceStub(channel)
            call = router.Complete(ask(), timeout=5)
            text = text_of([event for response in call for event in response.events])
            assert call.code() is grpc.StatusCode.OK
            return text

    assert await asyncio.to_thread(work) == "Hello, world"


async def test_a_hundred_streams_on_one_connection_are_not_mixed(served: Served) -> None:
    served.one.default = parrot
    prompts = [" ".join(f"{i}-{word}" for word in range(20)) for i in range(100)]
    answers = await asyncio.gather(
        *(collect(served.router.Complete(ask(prompt))) for prompt in prompts)
    )
    for prompt, events in zip(prompts, answers, strict=True):
        assert text_of(events).split() == prompt.split()
        check_numbering(events)
    assert len({events[0].decision.decision_id for events in answers}) == 100
    assert served.in_flight == 0


async def ending(call: Any) -> str:
    """The text of a call; "refused" where it was turned away before it began."""
    events: list[Any] = []
    try:
        async for response in call:
            events += response.events
    except grpc.aio.AioRpcError as error:
        refused = error.code() is grpc.StatusCode.UNAVAILABLE and not events
        return "refused" if refused else f"{error}"
    return text_of(events)


async def test_streams_over_the_limit_of_a_connection_wait(tmp_path: Path, transport: str) -> None:
    """The reference may instead refuse some of them, untouched: clients can safely ask again."""
    limit = ", drain: 5s, max_concurrent_streams: 10"
    async with serving(tmp_path, over(transport, limit)) as served:
        await collect(served.router.Complete(ask()))  # a connection that knows the limit
        go = asyncio.Event()
        served.one.default = lambda request: Reply([Hold(go), rest("at last")])
        calls = [asyncio.create_task(ending(served.router.Complete(ask()))) for _ in range(25)]
        await served.one.wait_for(lambda u: len(u.requests) >= 10, timeout_s=20)
        await asyncio.sleep(0.1)
        assert not any(call.done() for call in calls)
        go.set()
        ends = await asyncio.gather(*calls)
        assert ends.count("at last") >= 10
        allowed = {"at last", "refused"} if transport == "grpc" else {"at last"}
        assert set(ends) <= allowed


async def settled(served: Served) -> int:
    """How much the provider has sent once it sends no more."""
    before, sent = -1, 0
    while sent == 0 or sent != before:
        before = sent
        await asyncio.sleep(0.3)
        sent = served.one.tokens_sent
    return sent


async def read_on(call: Any) -> list[Any]:
    """The events of a call from which `read` has taken some."""
    events: list[Any] = []
    while (response := await call.read()) is not grpc.aio.EOF:
        events += response.events
    return events


async def test_a_slow_reader_slows_its_provider_down_and_loses_nothing(served: Served) -> None:
    pieces = [f"{i:06}".ljust(LARGE, "x") for i in range(300)]
    steps = [Send(openai_chunk({"content": piece}), tokens=1) for piece in pieces]
    served.one.enqueue(Reply([*steps, Send(openai_chunk({}, "stop") + sse("[DONE]"))]))
    call = served.router.Complete(ask())
    first = await call.read()
    assert await settled(served) < 250
    events = [*first.events, *await read_on(call)]
    check_numbering(events)
    assert text_of(events) == "".join(pieces)
    assert events[-1].WhichOneof("event") == "completed"


async def test_a_reader_that_is_behind_does_not_hold_up_others(served: Served) -> None:
    steps = [Send(openai_chunk({"content": "x" * LARGE}), tokens=1) for _ in range(15)]
    served.one.enqueue(Reply([*steps, Hang()]))
    behind = served.router.Complete(ask())
    await behind.read()
    await settled(served)
    async with asyncio.timeout(2):
        for _ in range(20):
            assert text_of(await collect(served.router.Complete(ask()))) == "Hello, world"
    behind.cancel()


async def test_a_slow_reader_who_leaves_frees_its_provider(served: Served) -> None:
    steps = [Send(openai_chunk({"content": "x" * LARGE}), tokens=1) for _ in range(300)]
    served.one.enqueue(Reply(steps))
    call = served.router.Complete(ask())
    await call.read()
    await settled(served)
    call.cancel()
    await served.one.wait_for(lambda u: len(u.closes) == 1)
    assert served.one.closes[0].answering
    await served.idle()


@pytest.mark.parametrize("texts", [1, 2000])
async def test_answers_of_any_length_come_whole(texts: int, served: Served) -> None:
    words = [f"{i} " for i in range(texts)]
    served.one.enqueue(Reply([Send(chunk) for chunk in openai_events(words)]))
    events = await collect(served.router.Complete(ask()))
    check_numbering(events)
    assert text_of(events) == "".join(words)


async def test_our_own_limit_ends_streams_that_have_none(tmp_path: Path, transport: str) -> None:
    async with serving(tmp_path, over(transport, total="300ms")) as served:
        served.one.enqueue(Reply([Hang()]))
        _, error = await failing(served.router.Complete(ask()))
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
