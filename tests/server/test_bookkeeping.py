"""Nobody gets away without a receipt, and what is estimated is not far off."""

from __future__ import annotations

import asyncio

import pytest
from builders import Deaf, Fail, RecordingObserver, Wait, make_failure, make_request
from pointsman_classifier import Classifier
from pointsman_server.domain.attempts import AttemptOutcome, FailureKind, FinishReason
from pointsman_server.domain.messages import Message, Role, Text, ToolCall
from pointsman_server.domain.money import Usage
from pointsman_server.domain.observer import Observers, Receipt
from pointsman_server.domain.profile import Complexity, ProfileOverrides, stated_profile
from pointsman_server.execution.retry import RetryPolicy
from pointsman_server.providers.base import Finish, TextChunk, Working
from pointsman_server.reading import ClassifierReader, estimate_tokens, least_tokens
from stage import Stage, collect
from virtual_time import now, virtual_time

NO_RETRY = RetryPolicy(max_retries=0)


@virtual_time
async def test_work_that_broke_off_has_cost_its_prompt() -> None:
    """A model that was seen reasoning and then broke off is charged what it read."""
    stage = Stage()
    stage.play("a", [Working(), Wait(8.0), Fail(make_failure(FailureKind.INTERRUPTED))])
    stage.play("b", [TextChunk("ok"), Finish(FinishReason.STOP, Usage(5, 0, 2))])
    execution = stage.execution(models="ab", retry=NO_RETRY)
    await collect(execution)
    assert execution.records[0].usage.input_tokens > 0
    assert execution.records[0].usage.estimated


@virtual_time
async def test_a_refusal_does_not_make_a_total_an_estimate() -> None:
    """A call that was turned down cost exactly nothing."""
    stage = Stage()
    stage.play("a", [Fail(make_failure(FailureKind.REJECTED))])
    stage.play("b", [TextChunk("ok"), Finish(FinishReason.STOP, Usage(5, 0, 2))])
    execution = stage.execution(models="ab")
    await collect(execution)
    assert execution.completed is not None
    assert not execution.completed.total_usage.estimated


@virtual_time
async def test_an_answer_reported_as_nothing_is_counted() -> None:
    """A server that reports a prompt and no output has not answered for free."""
    stage = Stage()
    stage.play("a", [TextChunk("x" * 40), Finish(FinishReason.STOP, Usage(12, 0, 0))])
    execution = stage.execution(models="a")
    await collect(execution)
    (record,) = execution.records
    assert record.outcome is AttemptOutcome.COMPLETED
    assert (record.usage.input_tokens, record.usage.output_tokens) == (12, 10)
    assert record.usage.estimated


@virtual_time
async def test_closing_waits_once() -> None:
    """A provider that does not let go holds a request for one limit, however often it is closed."""
    stage = Stage()
    stage.play("a", [Deaf(60.0)])
    execution = stage.execution(models="a")
    execution.begin()
    await asyncio.sleep(0.1)
    began = now()
    await execution.close()
    await execution.close()
    assert now() - began == pytest.approx(2.0)
    await asyncio.sleep(60.0)


def test_observers_that_fail_harm_nobody() -> None:
    """The others are told all the same, and the fault is told to whoever asked for it."""

    class Broken(RecordingObserver):
        def request_ended(self, receipt: Receipt) -> None:
            raise OSError("the disk is full")

    faults: list[Exception] = []
    other = RecordingObserver()
    both = Observers([Broken(), other], faults.append)
    receipt = Receipt("d", make_request().context, (), Usage(), 0, "", None, 0.0)
    both.request_ended(receipt)
    assert other.receipts == [receipt]
    assert [str(f) for f in faults] == ["the disk is full"]

    def fails_too(_: Exception) -> None:
        raise OSError("still full")

    Observers([Broken()], fails_too).request_ended(receipt)


def test_tool_calls_count_as_prompt() -> None:
    """What a model is given back of its own tool calls is read, and paid for."""
    call = ToolCall("1", "write", "x" * 4000)
    conversation = (Message(Role.ASSISTANT, (call,)), Message(Role.USER, (Text("go on"),)))
    assert estimate_tokens(conversation) > 1000


@pytest.mark.parametrize(
    ("text", "least"),
    [("0f" * 50_000, 20_000), ("א" * 50_000, 20_000), ("\u0301" * 50_000, 20_000), ("hi", 0)],
)
async def test_no_text_is_free_because_the_classifier_cannot_read_it(text: str, least: int) -> None:
    """Hex, scripts without spaces and bare accents have tokens, whatever is made of them."""
    reader = ClassifierReader(Classifier.load())
    profile = await reader.read((Message(Role.USER, (Text(text),)),))
    assert profile.prompt_tokens >= least
    assert least_tokens(text) >= least
    reader.close()


def test_what_was_stated_stands_without_a_reading() -> None:
    """Overrides are not lost with the reading that they would have corrected."""
    assert stated_profile(ProfileOverrides(), 10) is None
    stated = stated_profile(ProfileOverrides(complexity=Complexity.HIGH, domain="code"), 10)
    assert stated is not None
    assert (stated.complexity, stated.domain.value, stated.confidence) == (3, "code", 1.0)
    assert (stated.prompt_tokens, stated.classifier_version) == (10, "")
