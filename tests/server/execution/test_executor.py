"""How a decision is carried out: who answers, what clients see and what is recorded."""

from __future__ import annotations

import pytest
from builders import Crash, Fail, Hang, Wait, answer, make_failure
from pointsman_server.domain.attempts import AttemptOutcome, FailureKind, FinishReason
from pointsman_server.domain.errors import (
    AllModelsFailed,
    AnswerInterrupted,
    DeadlineExceeded,
    PromptRefused,
)
from pointsman_server.domain.events import AttemptEnded, Completed, ToolCallDelta
from pointsman_server.domain.messages import ToolCall
from pointsman_server.domain.money import Usage
from pointsman_server.execution.attempt import total_usage
from pointsman_server.execution.retry import RetryPolicy
from pointsman_server.providers.base import Finish, TextChunk, ToolCallChunk
from stage import PROMPT_TOKENS, Stage, collect, story, text_of
from virtual_time import now, virtual_time

REPORTED = Usage(input_tokens=90, cached_input_tokens=10, output_tokens=7)


@virtual_time
async def test_the_primary_answers() -> None:
    """Where all goes well one model is called, and its answer passed on as it comes."""
    stage = Stage()
    stage.play("a", answer("Hel", "lo", after=0.5, gap=0.25, usage=REPORTED))
    execution = stage.execution()
    events, error = await collect(execution)
    assert error is None
    assert story(events) == ["primary 0: a", "0 says Hel", "0 says lo", "Completed"]
    done = events[-1]
    assert isinstance(done, Completed)
    assert (done.attempt, done.model, done.finish_reason) == (0, "a", FinishReason.STOP)
    assert done.first_token_s == 0.5
    assert done.decision_id == "d1"
    assert stage.open == []


@virtual_time
async def test_what_is_reported_is_priced() -> None:
    """The provider's own count is what is charged, at the model's and at the baseline's prices."""
    stage = Stage()
    stage.play("a", answer("Hello", usage=REPORTED))
    execution = stage.execution()
    events, _ = await collect(execution)
    done = events[-1]
    assert isinstance(done, Completed)
    # 80 fresh at 1, 10 cached at 0.1, 7 out at 2 nano-dollars each
    assert done.usage == Usage(90, 10, 7, 0, 80 + 1 + 14, False)
    assert done.baseline_model == "baseline"
    assert done.baseline_cost_nanos == 80 * 10 + 10 * 1 + 7 * 30
    (record,) = execution.records
    assert record.usage == done.usage == done.total_usage
    assert record.outcome is AttemptOutcome.COMPLETED
    assert record.provider == "at-a"


@virtual_time
async def test_what_is_not_reported_is_counted() -> None:
    """Without a report the prompt and the text that came are counted, and marked as estimated."""
    stage = Stage()
    stage.play("a", answer("12345", "6789", usage=None))
    execution = stage.execution()
    events, _ = await collect(execution)
    done = events[-1]
    assert isinstance(done, Completed)
    assert done.usage.input_tokens == PROMPT_TOKENS
    assert done.usage.output_tokens == stage.provider("a").calls[0].tokens_sent == 3
    assert done.usage.estimated


@virtual_time
async def test_each_model_gets_its_own_bound_and_what_time_is_left() -> None:
    """A call carries its model's output bound, and the time that is left until the deadline."""
    stage = Stage()
    stage.play("a", [Wait(2.0), Fail(make_failure(FailureKind.REJECTED))])
    stage.play("b", answer("ok"))
    await collect(stage.execution(deadline_s=60.0))
    (first,), (second,) = stage.provider("a").calls, stage.provider("b").calls
    assert (first.call.max_output_tokens, first.call.timeout_s) == (500, 60.0)
    assert (second.call.max_output_tokens, second.call.timeout_s) == (501, 58.0)


@virtual_time
async def test_tool_calls_are_passed_on_and_counted() -> None:
    """A tool call is passed on whole, and its name and arguments count as output."""
    stage = Stage()
    call = ToolCall("c1", "look", '{"up": 1}')
    stage.play("a", [ToolCallChunk(call), Finish(FinishReason.TOOL_CALLS, None)])
    execution = stage.execution()
    events, _ = await collect(execution)
    assert ToolCallDelta(0, call) in events
    assert execution.records[0].usage.output_tokens == -(-13 // 4)


@virtual_time
async def test_an_answer_without_text() -> None:
    """A provider may finish without a word: that is an answer."""
    stage = Stage()
    stage.play("a", [Finish(FinishReason.CONTENT_FILTER, REPORTED)])
    events, error = await collect(stage.execution())
    assert error is None
    assert story(events) == ["primary 0: a", "Completed"]


@virtual_time
async def test_a_hedge_fires_and_wins() -> None:
    """A slow primary is raced, loses, is closed at once and is charged its prompt."""
    stage = Stage()
    stage.play("a", [Hang()])
    stage.play("b", answer("Hi", after=0.5, gap=3.0, usage=REPORTED))
    execution = stage.execution(hedge="b", hedge_after_s=1.0)
    events, error = await collect(execution)
    assert error is None
    assert story(events) == [
        "primary 0: a",
        "hedge 1: b",
        "0 lost_race",
        "1 says Hi",
        "Completed",
    ]
    loser = stage.provider("a").calls[0]
    assert loser.closed_at == 1001.5
    assert stage.provider("b").calls[0].began_at == 1001.0
    lost, won = execution.records
    assert lost.outcome is AttemptOutcome.LOST_RACE
    assert lost.usage == Usage(PROMPT_TOKENS, cost_nanos=PROMPT_TOKENS, estimated=True)
    done = events[-1]
    assert isinstance(done, Completed)
    assert done.total_usage == lost.usage + won.usage
    assert done.usage == won.usage
    assert done.first_token_s == 1.5


@virtual_time
async def test_a_hedge_that_loses_is_closed_at_once() -> None:
    """The primary's first token closes the hedge's call at once, not at the request's end."""
    stage = Stage()
    stage.play("a", answer("x", "y", after=1.5, gap=2.0))
    stage.play("b", [Hang()])
    events, _ = await collect(stage.execution(hedge="b", hedge_after_s=1.0))
    assert text_of(events) == "xy"
    assert stage.provider("b").calls[0].closed_at == 1001.5


@virtual_time
async def test_an_empty_budget_does_not_fail_the_call() -> None:
    """Without a budget for hedges the primary answers alone."""
    stage = Stage()
    stage.play("a", answer("slow", after=5.0))
    events, error = await collect(stage.execution(hedge="b", hedge_after_s=1.0, share=0.0))
    assert error is None
    assert text_of(events) == "slow"
    assert stage.provider("b").calls == []


@virtual_time
async def test_in_a_tie_the_primary_wins() -> None:
    """Of two first tokens in one wake the primary's is taken, and the other call closed at once."""
    stage = Stage()
    stage.play("a", answer("primary", after=2.0, gap=3.0))
    stage.play("b", answer("12345678", after=1.0))
    execution = stage.execution(hedge="b", hedge_after_s=1.0)
    events, error = await collect(execution)
    assert error is None
    assert text_of(events) == "primary"
    assert stage.provider("b").calls[0].closed_at == 1002.0
    lost = execution.records[0]
    assert lost.outcome is AttemptOutcome.LOST_RACE
    assert lost.usage.output_tokens == stage.provider("b").calls[0].tokens_sent == 2
    assert lost.first_token_s == 1.0, "it lost by a hair, and is known to be fast"


@virtual_time
async def test_a_tie_of_a_token_and_a_failure() -> None:
    """A hedge that fails in the wake of the primary's first token is of no consequence."""
    stage = Stage()
    stage.play("a", answer("fine", after=2.0))
    stage.play("b", [Wait(1.0), Fail(make_failure())])
    events, error = await collect(stage.execution(hedge="b", hedge_after_s=1.0))
    assert error is None
    assert text_of(events) == "fine"


@virtual_time
async def test_a_tie_of_a_failure_and_a_token() -> None:
    """A primary that fails in the wake of the hedge's first token leaves the hedge to answer."""
    stage = Stage()
    stage.play("a", [Wait(2.0), Fail(make_failure())])
    stage.play("b", answer("fine", after=1.0))
    events, error = await collect(stage.execution(hedge="b", hedge_after_s=1.0))
    assert error is None
    assert story(events)[-3:] == ["0 provider_error", "1 says fine", "Completed"]


@virtual_time
async def test_retry_then_fallback() -> None:
    """A failing primary is called again after a backoff, and then the next model is."""
    stage = Stage()
    down = [Wait(1.0), Fail(make_failure(FailureKind.OVERLOADED))]
    stage.play("a", down, down)
    stage.play("b", answer("saved", after=0.5))
    execution = stage.execution()
    events, error = await collect(execution)
    assert error is None
    assert story(events) == [
        "primary 0: a",
        "0 provider_error",
        "retry 1: a",
        "1 provider_error",
        "fallback 2: b",
        "2 says saved",
        "Completed",
    ]
    assert [c.began_at for c in stage.provider("a").calls] == [1000.0, 1001.5]
    assert stage.provider("b").calls[0].began_at == 1002.5
    assert [r.usage.cost_nanos for r in execution.records[:2]] == [0, 0]


@virtual_time
async def test_a_failure_that_reports_its_usage_is_charged() -> None:
    """What a provider says a failed call has used is charged, even before any text."""
    stage = Stage()
    stage.play("a", [Fail(make_failure(FailureKind.REJECTED), Usage(input_tokens=42))])
    stage.play("b", answer("ok"))
    execution = stage.execution()
    await collect(execution)
    assert execution.records[0].usage == Usage(42, cost_nanos=42)


@virtual_time
async def test_no_first_token_in_time() -> None:
    """A call without a first token in its time is closed, charged its prompt, and replaced."""
    stage = Stage()
    stage.play("a", [Hang()])
    stage.play("b", answer("ok"))
    execution = stage.execution(first_token_s=10.0)
    events, error = await collect(execution)
    assert error is None
    assert story(events)[:3] == ["primary 0: a", "0 timed_out", "fallback 1: b"]
    assert stage.provider("a").calls[0].closed_at == 1010.0
    record = execution.records[0]
    assert record.failure is not None
    assert record.failure.kind is FailureKind.TIMED_OUT
    assert record.usage.input_tokens == PROMPT_TOKENS


@virtual_time
async def test_every_model_fails() -> None:
    """When every model has failed the caller is told of the last, and of how many there were."""
    stage = Stage()
    for name in "abc":
        stage.play(name, [Fail(make_failure(FailureKind.RATE_LIMITED, retry_after_s=30.0))])
    events, error = await collect(stage.execution())
    assert isinstance(error, AllModelsFailed)
    assert (error.attempts, error.last_model, error.retry_after_s) == (3, "c", 30.0)
    assert len([e for e in events if isinstance(e, AttemptEnded)]) == 3


@virtual_time
async def test_a_refused_prompt() -> None:
    """When the last model refuses the prompt itself, that is what the caller is told."""
    stage = Stage()
    for name in "ab":
        stage.play(name, [Fail(make_failure(FailureKind.PROMPT_REFUSED))])
    _, error = await collect(stage.execution(models="ab"))
    assert isinstance(error, PromptRefused)
    assert error.model == "b"


@virtual_time
async def test_cut_after_text() -> None:
    """An answer that breaks off ends the request, after the attempt's end was told."""
    stage = Stage()
    stage.play("a", [TextChunk("12345"), Wait(1.0), Fail(make_failure(FailureKind.INTERRUPTED))])
    execution = stage.execution()
    events, error = await collect(execution)
    assert isinstance(error, AnswerInterrupted)
    assert error.model == "a"
    assert story(events) == ["primary 0: a", "0 says 12345", "0 provider_error"]
    assert execution.records[0].usage.input_tokens == PROMPT_TOKENS
    assert execution.records[0].usage.output_tokens == 2


@virtual_time
async def test_a_stream_that_just_ends_is_not_whole() -> None:
    """A stream that ends without a finish, after text, is an answer that broke off."""
    stage = Stage()
    stage.play("a", [TextChunk("half")])
    _, error = await collect(stage.execution())
    assert isinstance(error, AnswerInterrupted)
    assert error.failure.kind is FailureKind.PROTOCOL


@virtual_time
async def test_a_stream_that_ends_at_once_is_a_failure() -> None:
    """A stream without any event has failed, and the call is made again."""
    stage = Stage()
    stage.play("a", [], answer("second"))
    events, error = await collect(stage.execution())
    assert error is None
    assert story(events)[:3] == ["primary 0: a", "0 provider_error", "retry 1: a"]


@virtual_time
async def test_silence_in_the_middle() -> None:
    """An answer that falls silent is cut after idle_s, and its call closed."""
    stage = Stage()
    stage.play("a", [TextChunk("x"), Wait(4.9), TextChunk("y"), Hang()])
    execution = stage.execution(idle_s=5.0)
    events, error = await collect(execution)
    assert isinstance(error, AnswerInterrupted)
    assert story(events) == ["primary 0: a", "0 says x", "0 says y", "0 timed_out"]
    assert stage.provider("a").calls[0].closed_at == pytest.approx(1009.9)
    assert execution.records[0].outcome is AttemptOutcome.TIMED_OUT


@virtual_time
async def test_the_deadline_before_a_first_token() -> None:
    """At the deadline every call is closed, and the caller told that it was too late."""
    stage = Stage()
    stage.play("a", [Hang()])
    stage.play("b", [Hang()])
    execution = stage.execution(hedge="b", deadline_s=3.0)
    events, error = await collect(execution)
    assert isinstance(error, DeadlineExceeded)
    assert error.stage == "execute"
    assert now() == 1003.0
    assert story(events)[2:] == ["0 timed_out", "1 timed_out"]
    assert [stage.provider(n).calls[0].closed_at for n in "ab"] == [1003.0, 1003.0]


@virtual_time
async def test_the_deadline_after_a_first_token() -> None:
    """The deadline cuts an answer in the middle."""
    stage = Stage()
    stage.play("a", answer(*"abcdefgh", after=1.0, gap=1.0))
    events, error = await collect(stage.execution(deadline_s=3.5))
    assert isinstance(error, DeadlineExceeded)
    assert text_of(events) == "abc"
    assert now() == 1003.5
    assert stage.open == []


@virtual_time
async def test_the_deadline_while_a_retry_waits() -> None:
    """A retry that waits for the deadline's sake moves on instead; nothing starts after it."""
    stage = Stage()
    stage.play("a", [Wait(2.9), Fail(make_failure())])
    stage.play("b", [Hang()])
    _, error = await collect(stage.execution(deadline_s=3.0, retry=RetryPolicy(base_delay_s=1.0)))
    assert isinstance(error, DeadlineExceeded)
    assert now() == 1003.0


@virtual_time
async def test_no_time_at_all() -> None:
    """A request at its deadline calls nobody."""
    stage = Stage()
    events, error = await collect(stage.execution(deadline_s=0.0))
    assert isinstance(error, DeadlineExceeded)
    assert events == []


@virtual_time
async def test_restart_switches_and_discards() -> None:
    """With RESTART another model starts over, and the client is told to drop what it has."""
    stage = Stage()
    stage.play("a", [TextChunk("half an ans"), Fail(make_failure(FailureKind.INTERRUPTED))])
    stage.play("b", answer("a whole answer", after=2.0))
    execution = stage.execution(restart=True)
    events, error = await collect(execution)
    assert error is None
    assert story(events) == [
        "primary 0: a",
        "0 says half an ans",
        "0 provider_error",
        "fallback 1: b",
        "0 -> 1",
        "1 says a whole answer",
        "Completed",
    ]
    assert text_of(events) == "a whole answer"
    done = events[-1]
    assert isinstance(done, Completed)
    assert done.total_usage == total_usage(execution.records)
    assert done.first_token_s == 0.0, "the client's first token, not the winner's"


@virtual_time
async def test_a_bug_is_not_hidden() -> None:
    """An unexpected exception of a provider propagates, once every call is closed and recorded."""
    stage = Stage()
    stage.play("a", [Wait(2.0), Crash(RuntimeError("a bug"))])
    stage.play("b", [Hang()])
    execution = stage.execution(hedge="b", hedge_after_s=1.0)
    _, error = await collect(execution)
    assert isinstance(error, RuntimeError)
    assert stage.open == []
    assert {r.outcome for r in execution.records} == {AttemptOutcome.CANCELLED}


@pytest.mark.parametrize("bug", [RuntimeError("a bug"), TimeoutError("not ours")])
def test_a_bug_in_the_middle_is_not_hidden(bug: Exception) -> None:
    """A bug in the middle of an answer propagates too, and is not taken for silence."""

    @virtual_time
    async def run() -> None:
        stage = Stage()
        stage.play("a", [TextChunk("x"), Wait(1.0), Crash(bug)])
        execution = stage.execution()
        events, error = await collect(execution)
        assert error is bug
        assert text_of(events) == "x"
        assert len(execution.records) == 1

    run()
