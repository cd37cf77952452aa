"""Models that reason, or write a tool call, before there is anything to show."""

from __future__ import annotations

from builders import Fail, Hang, Wait, make_failure
from pointsman_server.domain.attempts import FailureKind, FinishReason
from pointsman_server.domain.errors import AllModelsFailed, AnswerInterrupted
from pointsman_server.domain.money import Usage
from pointsman_server.providers.base import Finish, TextChunk, Working
from stage import Stage, collect, story
from virtual_time import now, virtual_time

FINISH = Finish(FinishReason.STOP, Usage(input_tokens=5, output_tokens=2))


@virtual_time
async def test_a_model_that_reasons_is_not_timed_out() -> None:
    """Signs of work push the first-token limit on, and are not shown to the client."""
    stage = Stage()
    thinking = [step for _ in range(8) for step in (Wait(9.0), Working())]
    stage.play("a", [*thinking, Wait(1.0), TextChunk("done"), FINISH])
    began = now()
    execution = stage.execution(models="a", first_token_s=10.0, deadline_s=600.0)
    events, error = await collect(execution)
    assert error is None
    assert story(events) == ["primary 0: a", "0 says done", "Completed"]
    assert now() - began == 73.0


@virtual_time
async def test_a_model_that_stops_reasoning_is_timed_out() -> None:
    """The limit counts from the last sign of work."""
    stage = Stage()
    stage.play("a", [Wait(9.0), Working(), Hang()])
    began = now()
    _, error = await collect(stage.execution(models="a", first_token_s=10.0))
    assert isinstance(error, AllModelsFailed)
    assert now() - began == 19.0


@virtual_time
async def test_work_in_the_middle_of_an_answer_is_no_silence() -> None:
    """After the first token signs of work count as progress; without them the answer is cut."""
    stage = Stage()
    pauses = [step for _ in range(4) for step in (Wait(9.0), Working())]
    stage.play("a", [TextChunk("first"), *pauses, TextChunk(" last"), FINISH])
    events, error = await collect(stage.execution(models="a", idle_s=10.0))
    assert error is None
    assert story(events)[-2] == "0 says  last"
    stage = Stage()
    stage.play("a", [TextChunk("first"), Wait(9.0), Working(), Hang()])
    began = now()
    _, error = await collect(stage.execution(models="a", idle_s=10.0))
    assert isinstance(error, AnswerInterrupted)
    assert now() - began == 19.0


@virtual_time
async def test_what_broke_off_costs_what_came() -> None:
    """A count that was reported at the beginning of an answer does not stand for all of it."""
    stage = Stage()
    broken = Fail(make_failure(FailureKind.INTERRUPTED), Usage(input_tokens=90, output_tokens=1))
    stage.play("a", [TextChunk("x" * 400), broken])
    execution = stage.execution(models="a")
    await collect(execution)
    (record,) = execution.records
    assert record.usage.input_tokens == 90
    assert record.usage.output_tokens == 100
    assert record.usage.estimated
