"""However a request ends, its provider calls are closed in time and recorded once."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing

import pytest
from builders import Deaf, Fail, Hang, Step, Wait, answer, make_failure
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_server.domain.attempts import (
    AttemptOutcome,
    AttemptRecord,
    FailureKind,
    FinishReason,
)
from pointsman_server.domain.errors import DeadlineExceeded, RouterError
from pointsman_server.domain.events import AttemptEnded, AttemptStarted, Completed, TextDelta
from pointsman_server.domain.money import Usage
from pointsman_server.execution.attempt import total_usage
from pointsman_server.providers.base import Finish, TextChunk
from stage import Stage, collect, singly, story, text_of
from virtual_time import now, virtual_time


@virtual_time
async def test_closed_before_the_first_token() -> None:
    """A caller who leaves while two calls are racing has both closed and recorded."""
    stage = Stage()
    stage.play("a", [Hang()])
    stage.play("b", [Hang()])
    execution = stage.execution(hedge="b", hedge_after_s=1.0)
    events = singly(execution.events())
    assert isinstance(await anext(events), AttemptStarted)
    assert isinstance(await anext(events), AttemptStarted)
    await asyncio.sleep(0)  # let the hedge's call begin
    await events.aclose()
    assert len(stage.provider("a").calls) == len(stage.provider("b").calls) == 1
    assert stage.open == []
    assert [r.outcome for r in execution.records] == [AttemptOutcome.CANCELLED] * 2
    assert all(r.usage.input_tokens == 100 for r in execution.records)


@virtual_time
async def test_cancelled_before_the_first_token() -> None:
    """Cancelling the task that iterates closes every call, in no time."""
    stage = Stage()
    stage.play("a", [Hang()])
    stage.play("b", [Hang()])
    execution = stage.execution(hedge="b", hedge_after_s=1.0)
    task = asyncio.create_task(collect(execution))
    await asyncio.sleep(2.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert now() == 1002.0
    assert stage.open == []
    assert [r.outcome for r in execution.records] == [AttemptOutcome.CANCELLED] * 2


@virtual_time
async def test_closed_in_the_middle() -> None:
    """A caller who leaves in the middle has the call closed, and pays for what came."""
    stage = Stage()
    stage.play("a", answer("12345678", "never seen", gap=1.0))
    execution = stage.execution()
    async with aclosing(singly(execution.events())) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    assert stage.open == []
    (record,) = execution.records
    assert record.outcome is AttemptOutcome.CANCELLED
    assert record.usage.output_tokens == stage.provider("a").calls[0].tokens_sent == 2


@virtual_time
async def test_cancelled_while_reading() -> None:
    """Cancelling the task while it waits for more of the answer closes the call."""
    stage = Stage()
    stage.play("a", [TextChunk("x"), Hang()])
    execution = stage.execution()
    task = asyncio.create_task(collect(execution))
    await asyncio.sleep(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.provider("a").calls[0].closed_at == 1001.0
    assert execution.records[0].outcome is AttemptOutcome.CANCELLED


@virtual_time
async def test_cancelled_while_a_retry_waits() -> None:
    """Leaving between a failure and its retry calls nobody again."""
    stage = Stage()
    stage.play("a", [Fail(make_failure(FailureKind.RATE_LIMITED, retry_after_s=1.0))])
    execution = stage.execution()
    task = asyncio.create_task(collect(execution))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [r.outcome for r in execution.records] == [AttemptOutcome.RATE_LIMITED]


@virtual_time
async def test_closed_before_it_began() -> None:
    """An execution that is closed without being iterated has done nothing."""
    stage = Stage()
    execution = stage.execution()
    await execution.events().aclose()
    assert execution.records == []


@virtual_time
async def test_a_finished_call_is_closed() -> None:
    """A call that has finished is closed as well: it holds a connection until then."""
    stage = Stage()
    stage.play("a", answer("ok"))
    await collect(stage.execution())
    (book,) = stage.provider("a").calls
    assert book.finished
    assert book.closed_at is not None


@virtual_time
async def test_a_provider_that_is_slow_to_close() -> None:
    """A loser that takes its time to close delays neither the answer nor the other's closing."""
    stage = Stage()
    stage.provider("a").close_s = 0.5
    stage.play("a", [Hang()])
    stage.play("b", answer("x", after=0.5, gap=2.0))
    events, _ = await collect(stage.execution(hedge="b", hedge_after_s=1.0))
    assert text_of(events) == "x"
    assert stage.provider("a").calls[0].closed_at == 1002.0
    assert now() == 1003.5


@virtual_time
async def test_a_provider_that_does_not_let_go() -> None:
    """A call that ignores its cancellation holds the request for the close limit, no longer."""
    stage = Stage()
    stage.play("a", [Deaf(100.0)])
    _, error = await collect(stage.execution(deadline_s=3.0))
    assert isinstance(error, DeadlineExceeded)
    assert now() == 1005.0
    await asyncio.sleep(100.0)
    assert stage.open == []


@virtual_time
async def test_a_stream_that_never_closes_holds_nobody_for_long() -> None:
    """A winner that hangs while it is closed holds the request for the close limit, no longer."""
    stage = Stage()
    stage.provider("a").close_s = 100.0
    stage.play("a", answer("ok", after=1.0))
    events, error = await collect(stage.execution())
    assert error is None
    assert isinstance(events[-1], Completed)
    assert now() == 1003.0
    await asyncio.sleep(100.0)
    assert stage.open == []


@virtual_time
async def test_a_cancellation_answered_with_an_event() -> None:
    """A loser that answers its cancellation with an event is closed then, not at the end."""
    stage = Stage()
    stage.play("a", [Deaf(2.0), TextChunk("too late"), Hang()])
    stage.play("b", answer("x", after=0.5, gap=4.0))
    events, _ = await collect(stage.execution(hedge="b", hedge_after_s=1.0))
    assert text_of(events) == "x"
    assert stage.provider("a").calls[0].closed_at == 1002.0
    assert now() == 1005.5


@virtual_time
async def test_a_slow_reader_is_not_the_models_silence() -> None:
    """The time that the caller takes between two events is not held against the model."""
    stage = Stage()
    stage.play("a", answer("x", "y", after=0.0, gap=1.0))
    execution = stage.execution(idle_s=5.0)
    events, error = await collect(execution, reader_s=8.0)
    assert error is None
    assert text_of(events) == "xy"
    assert execution.records[0].outcome is AttemptOutcome.COMPLETED


@virtual_time
async def test_a_stream_that_never_waits_cannot_outrun_the_deadline() -> None:
    """The deadline ends an answer even if more of it is always at hand."""
    stage = Stage()
    stage.play("a", [TextChunk("x")] * 1000)
    events, error = await collect(stage.execution(deadline_s=3.5), reader_s=1.0)
    assert isinstance(error, DeadlineExceeded)
    assert text_of(events) == "xxx"
    assert stage.open == []


@virtual_time
async def test_no_error_is_lost() -> None:
    """The failure of a call that has lost already is seen, so that the loop does not complain."""
    stage = Stage()
    stage.play("a", answer("ok", after=2.0))
    stage.play("b", [Wait(1.0), Fail(make_failure())])
    await collect(stage.execution(hedge="b", hedge_after_s=1.0))
    stage.play("a", answer("ok", after=2.0))
    stage.play("b", [Deaf(1.5), Fail(make_failure())])
    await collect(stage.execution(hedge="b", hedge_after_s=1.0))
    gc.collect()  # an unseen error is complained of when its task is collected


waits = st.sampled_from([0.0, 0.5, 1.0, 2.0, 4.0, 11.0])
endings: st.SearchStrategy[Step] = st.one_of(
    st.just(Hang()),
    st.just(Finish(FinishReason.STOP, None)),
    st.just(Finish(FinishReason.STOP, Usage(input_tokens=50, output_tokens=5))),
    st.sampled_from(FailureKind).map(lambda kind: Fail(make_failure(kind))),
    st.just(Wait(0.0)),  # just ends
)
scripts = st.builds(
    lambda first, texts, end: [Wait(first), *texts, end],
    waits,
    st.lists(st.one_of(st.just(TextChunk("12345")), waits.map(Wait)), max_size=4),
    endings,
)


def _number(record: AttemptRecord) -> int:
    return record.number


@settings(max_examples=300, deadline=None)
@given(
    plays=st.fixed_dictionaries({n: st.lists(scripts, min_size=2, max_size=2) for n in "abc"}),
    hedge=st.sampled_from([None, "b", "c"]),
    restart=st.booleans(),
    deadline_s=st.sampled_from([0.7, 3.0, 20.0, 60.0]),
    leave_at=st.one_of(st.none(), st.floats(0.0, 20.0)),
    reader_s=st.sampled_from([0.0, 0.0, 1.5]),
)
def test_whatever_happens(
    plays: dict[str, list[list[Step]]],
    hedge: str | None,
    restart: bool,
    deadline_s: float,
    leave_at: float | None,
    reader_s: float,
) -> None:
    """In every mix of endings each call is closed, recorded once, told of, and charged."""

    @virtual_time
    async def run() -> None:
        stage = Stage()
        for name, played in plays.items():
            stage.play(name, *played)
        execution = stage.execution(hedge=hedge, restart=restart, deadline_s=deadline_s)
        events: list[object] = []
        errors: list[RouterError] = []

        async def read() -> None:
            try:
                async with aclosing(singly(execution.events())) as stream:
                    async for event in stream:
                        events.append(event)
                        await asyncio.sleep(reader_s)
            except RouterError as error:
                errors.append(error)

        task = asyncio.create_task(read())
        await asyncio.wait([task], timeout=leave_at)
        left = not task.done()
        task.cancel()
        await asyncio.wait([task])

        assert stage.open == []
        numbers = [r.number for r in execution.records]
        assert sorted(numbers) == list(range(len(numbers)))
        assert [s.number for s in stage.observer.starts] == sorted(numbers)
        assert [d.record for d in stage.observer.ends] == execution.records
        done = [e for e in events if isinstance(e, Completed)]
        assert len(done) + len(errors) == (0 if left else 1) or (left and len(done) == 1)
        if done:
            assert events[-1] is done[0]
            assert done[0].total_usage == total_usage(execution.records)
        if not left:
            ended = {e.attempt for e in events if isinstance(e, AttemptEnded)}
            ended |= {e.attempt for e in done}
            assert ended == set(numbers), "an end that nobody was told of"
        for name in stage.models:
            mine = sorted((r for r in execution.records if r.model == name), key=_number)
            for record, book in zip(mine, stage.provider(name).calls, strict=False):
                if record.first_token_at is not None and record.usage.estimated:
                    assert record.usage.output_tokens == book.tokens_sent

    run()


@virtual_time
async def test_events_in_order() -> None:
    """An attempt's end is told before the next one's start."""
    stage = Stage()
    stage.play("a", [Fail(make_failure(FailureKind.REJECTED))])
    stage.play("b", answer("ok"))
    events, _ = await collect(stage.execution())
    assert story(events)[:3] == ["primary 0: a", "0 rejected", "fallback 1: b"]
