"""What reading an answer has in common in every dialect that streams server-sent events."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pointsman_server.domain.attempts import Failure, FailureKind, FinishReason
from pointsman_server.domain.messages import ToolCall
from pointsman_server.domain.money import Usage
from pointsman_server.providers.base import Finish, TextChunk, ToolCallChunk, Working
from pointsman_server.providers.plain_text import PlainTextReader
from pointsman_server.providers.sse import SseDecoder, SseLimitExceeded
from pointsman_server.providers.tool_calls import ToolCallAssembler, ToolCallError

_A_RUN = 4
"""From so many events on it pays to look at them all at once."""

Content = TextChunk | ToolCallChunk | Working


class AnswerStream(ABC):
    """Reads the bytes of one answer, without I/O; any chunking gives the same answer.

    Feed it until `finish` or `failure` is set. Content that came before a failure is still given:
    look at ``failure`` after what `feed` returned.
    """

    def __init__(self) -> None:
        self.finish: Finish | None = None
        """How the answer ended, once it is whole."""
        self.failure: Failure | None = None
        """What is wrong with the answer, once something is."""
        self._sse = SseDecoder()
        self._plain = PlainTextReader(self._only_text)
        self._texts: list[str] = []
        self._tools = ToolCallAssembler()
        self._calls: list[ToolCall] = []
        self._started = False
        self._working = False

    @property
    @abstractmethod
    def usage(self) -> Usage | None:
        """What the provider has reported so far, unpriced."""

    def feed(self, data: bytes) -> list[Content]:
        """Read what ``data`` adds: all its text as one chunk, then whole tool calls.

        Where there is nothing to show of it yet, but the model is at work, that is said instead.
        """
        if self.over:
            return []
        too_long = False
        try:
            events = self._sse.feed(data)
        except SseLimitExceeded as error:
            events, too_long = error.events, True
        self._take_all([data for _, data in events])
        if too_long and not self.over:
            self._fail("the provider sent an event that is too long")
        return self._taken()

    def end(self) -> list[Content]:
        """Read what the body's clean end adds; after it there is a finish or a failure."""
        if self.over:
            return []
        try:
            for _, event in self._sse.end():
                self._take(event)
        except SseLimitExceeded:
            self._fail("the provider sent an event that is too long")
        if self.failure is not None and self.failure.kind is FailureKind.PROTOCOL:
            # The last event lacked its blank line: it was cut, not garbled.
            self.failure = None
            self._break_off()
        elif not self.over:
            self._body_ended()
        return self._taken()

    @abstractmethod
    def whole(self, body: bytes) -> list[Content]:
        """Read an answer that was not streamed although that was asked for.

        After it there is a finish or a failure.
        """

    @property
    def over(self) -> bool:
        """Whether there is nothing more to read: a finish or a failure."""
        return self.finish is not None or self.failure is not None

    def _take_all(self, events: list[bytes]) -> None:
        plain, place, in_runs = self._plain, 0, len(events) >= _A_RUN
        while place < len(events) and not self.over:
            if in_runs and plain.knows:
                text, alike = plain.read_run(events[place:])
                self._texts.append(text)
                place += alike
                in_runs = False  # once: what is not alike would be looked through again and again
                continue
            event = events[place]
            place += 1
            only = plain.read(event)
            if only is not None:
                self._texts.append(only)
                continue
            before = len(self._texts)
            self._take(event)
            if len(self._texts) == before + 1:
                plain.learn(event, self._texts[-1])

    @abstractmethod
    def _take(self, event: bytes) -> None:
        """Read the data of one event."""

    @abstractmethod
    def _only_text(self, event: bytes) -> str | None:
        """The text of an event which, in an answer that has begun, does no more than add it."""

    def _body_ended(self) -> None:
        """Conclude from a clean end of the body without the dialect's terminator."""
        self._break_off()

    def _complete(self, reason: FinishReason) -> None:
        try:
            self._calls = self._tools.calls(cut_off=reason is FinishReason.MAX_TOKENS)
        except ToolCallError as error:
            self._fail(str(error))
            return
        if reason is FinishReason.STOP and self._calls:
            reason = FinishReason.TOOL_CALLS
        self.finish = Finish(reason, self.usage)

    def _add_to_call(self, index: int | None, call_id: str, name: str, arguments: str) -> None:
        self._working = True
        try:
            self._tools.add(index, call_id, name, arguments)
        except ToolCallError as error:
            self._fail(str(error))

    def _break_off(self) -> None:
        if self._started:
            message = "the provider's answer ended without saying that it was whole"
            self.failure = Failure(FailureKind.INTERRUPTED, message)
        else:
            self._fail("the provider sent no answer")

    def _fail(self, message: str) -> None:
        self.failure = Failure(FailureKind.PROTOCOL, message)

    def _taken(self) -> list[Content]:
        text = "".join(self._texts)
        taken: list[Content] = [TextChunk(text)] if text else []
        taken += [ToolCallChunk(call) for call in self._calls]
        if not taken and self._working and not self.over:
            taken.append(Working())
        self._texts, self._calls, self._working = [], [], False
        return taken
