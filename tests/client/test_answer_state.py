"""What a completion's events amount to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman.v1.decision_pb2 import Decision
from pointsman.v1.message_pb2 import ToolCall
from pointsman.v1.router_service_pb2 import (
    Completed,
    CompletionEvent,
    ContentDelta,
    ModelSwitched,
)
from pointsman_client import BrokenStream
from pointsman_client.answer import AnswerState


def text(sequence: int, words: str) -> CompletionEvent:
    return CompletionEvent(sequence=sequence, delta=ContentDelta(text=words))


def tool_call(sequence: int, arguments: str = "{}") -> CompletionEvent:
    call = ToolCall(call_id="1", name="look_up", arguments_json=arguments)
    return CompletionEvent(sequence=sequence, delta=ContentDelta(tool_call=call))


def switched(sequence: int, *, discard: bool) -> CompletionEvent:
    return CompletionEvent(sequence=sequence, model_switched=ModelSwitched(discard=discard))


def of_the_future(sequence: int) -> CompletionEvent:
    """An event whose kind, field 30, this client does not know."""
    return CompletionEvent.FromString(
        CompletionEvent(sequence=sequence).SerializeToString() + b"\xf2\x01\x00"
    )


@given(st.lists(st.text(), max_size=20))
def test_the_text_is_that_of_the_deltas_in_order(words: list[str]) -> None:
    state = AnswerState()
    for sequence, word in enumerate(words):
        assert state.accept(text(sequence, word))
    assert state.text == "".join(words)


def test_decision_and_completed_are_kept() -> None:
    state = AnswerState()
    state.accept(CompletionEvent(sequence=0, decision=Decision(model="m")))
    assert state.decision == Decision(model="m")
    assert state.completed is None
    state.accept(CompletionEvent(sequence=1, completed=Completed(model="m")))
    assert state.completed == Completed(model="m")


def test_a_switch_that_discards_drops_text_and_tool_calls() -> None:
    state = AnswerState()
    for event in (text(0, "wrong"), tool_call(1), switched(2, discard=True), text(3, "right")):
        state.accept(event)
    assert state.text == "right"
    assert state.tool_calls == ()


def test_a_switch_that_continues_keeps_them() -> None:
    state = AnswerState()
    for event in (text(0, "so "), tool_call(1), switched(2, discard=False), text(3, "on")):
        state.accept(event)
    assert state.text == "so on"
    assert [call.call_id for call in state.tool_calls] == ["1"]


def test_an_event_of_the_future_is_counted_and_skipped() -> None:
    state = AnswerState()
    assert not state.accept(of_the_future(0))
    assert state.accept(text(1, "Hi"))


@pytest.mark.parametrize("sequence", [0, 2, 7, -1])
def test_a_gap_or_a_repetition_breaks_the_stream(sequence: int) -> None:
    state = AnswerState()
    state.accept(text(0, "a"))
    with pytest.raises(BrokenStream, match=f"event 1 of the answer is missing: {sequence} came"):
        state.accept(text(sequence, "b"))
    assert state.text == "a"


def test_nothing_comes_after_the_end() -> None:
    state = AnswerState()
    state.accept(CompletionEvent(sequence=0, completed=Completed()))
    with pytest.raises(BrokenStream, match="after the answer was complete"):
        state.accept(text(1, "more"))


def test_an_answer_has_a_bound() -> None:
    state = AnswerState(max_chars=10)
    state.accept(text(0, "12345"))
    state.accept(tool_call(1, "12345"))
    with pytest.raises(BrokenStream, match="longer than 10"):
        state.accept(text(2, "1"))


def test_what_was_discarded_does_not_count_against_the_bound() -> None:
    state = AnswerState(max_chars=10)
    for event in (text(0, "1234567890"), switched(1, discard=True), text(2, "1234567890")):
        state.accept(event)
    assert state.text == "1234567890"
