"""Answers as they come: the events of one completion, and what they amount to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from pointsman.v1.decision_pb2 import Decision
from pointsman.v1.message_pb2 import ToolCall
from pointsman.v1.router_service_pb2 import Completed, CompletionEvent

from pointsman_client.errors import BrokenStream, Cancelled, PointsmanError, TextDiscarded

MAX_ANSWER_CHARS = 16 * 1024 * 1024
"""The most that one answer may hold: many times what any model writes."""


class AnswerState:
    """What the events of one completion amount to so far. Does no I/O."""

    def __init__(self, max_chars: int = MAX_ANSWER_CHARS) -> None:
        self.decision: Decision | None = None
        self.completed: Completed | None = None
        self._texts: list[str] = []
        self._tool_calls: list[ToolCall] = []
        self._next_sequence = 0
        self._chars_left = self._max_chars = max_chars

    @property
    def text(self) -> str:
        """The text so far, without what was discarded."""
        return "".join(self._texts)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls so far, without those discarded."""
        return tuple(self._tool_calls)

    def accept(self, event: CompletionEvent) -> bool:
        """Take the next event in; False where its kind is not known and it must be skipped.

        Raises:
            BrokenStream: an event is missing, or one came that must not.

        """
        if event.sequence != self._next_sequence:
            raise BrokenStream(
                f"event {self._next_sequence} of the answer is missing: {event.sequence} came"
            )
        if self.completed is not None:
            raise BrokenStream("an event came after the answer was complete")
        self._next_sequence += 1
        kind = event.WhichOneof("event")
        if kind == "delta":
            self._add(event)
        elif kind == "decision":
            self.decision = event.decision
        elif kind == "completed":
            self.completed = event.completed
        elif kind == "model_switched" and event.model_switched.discard:
            self._texts.clear()
            self._tool_calls.clear()
            self._chars_left = self._max_chars
        return kind is not None

    def _add(self, event: CompletionEvent) -> None:
        delta = event.delta
        if delta.HasField("tool_call"):
            self._chars_left -= len(delta.tool_call.arguments_json)
            self._tool_calls.append(delta.tool_call)
        else:
            self._chars_left -= len(delta.text)
            self._texts.append(delta.text)
        if self._chars_left < 0:
            raise BrokenStream(f"the answer is longer than {self._max_chars} characters")


class Answer(ABC):
    """The answer to one prompt, while it comes. Iterate over it once, or take its text.

    Nothing is sent before it is first read. Iteration yields every event whose kind is known; it
    ends once the answer is complete, or quietly after a cancellation from this side, and raises a
    ``PointsmanError`` in any other case: an answer that was cut never looks complete.

    As a context manager it stops the answer, if it is still coming, on the way out.
    """

    def __init__(self) -> None:
        self._state = AnswerState()
        self._error: PointsmanError | None = None
        self._cancelled = False

    @property
    def decision(self) -> Decision | None:
        """Which model was chosen, and why. None before the first event."""
        return self._state.decision

    @property
    def completed(self) -> Completed | None:
        """Model, finish reason, usage and cost. None until the answer is whole."""
        return self._state.completed

    @property
    def cancelled(self) -> bool:
        """Whether the answer was cancelled before it was whole."""
        return self._cancelled

    @property
    def text_so_far(self) -> str:
        """The text read so far, without what was discarded. Whole only once ``completed`` is."""
        return self._state.text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls read so far, without those discarded."""
        return self._state.tool_calls

    async def text(self) -> str:
        """Read to the end and return the whole text.

        Raises:
            PointsmanError: there is no whole answer; ``Cancelled`` where it was cancelled.

        """
        async for _ in self:
            pass
        if self.cancelled:
            raise Cancelled("the answer was cancelled before it was whole")
        return self._state.text

    async def texts(self) -> AsyncIterator[str]:
        """Yield the text piece by piece, as it comes.

        Raises:
            TextDiscarded: the pieces yielded so far no longer count, which only happens where
                ``Execution.switch_policy`` is "restart". Iterate anew for what replaces them.
            PointsmanError: there is no whole answer.

        """
        yielded = False
        async for event in self:
            if event.HasField("delta") and event.delta.text:
                yielded = True
                yield event.delta.text
            elif yielded and event.HasField("model_switched") and event.model_switched.discard:
                raise TextDiscarded(f"{event.model_switched.model} starts over")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CompletionEvent:
        if self._error is None:
            try:
                event = await self._next_event()
            except PointsmanError as error:
                self._error = error
                raise
            if event is not None:
                return event
            if not self.cancelled and self._error is None and self.completed is None:
                self._error = BrokenStream("the stream ended before the answer was complete")
        if self._error is not None:
            raise self._error
        raise StopAsyncIteration

    @abstractmethod
    async def _next_event(self) -> CompletionEvent | None:
        """Read the next event of a known kind into the state; None where there is no more."""

    @abstractmethod
    async def aclose(self) -> None:
        """Stop the answer if it is still coming. Idempotent."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()
