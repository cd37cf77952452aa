"""What Anthropic-compatible servers answer, read without I/O."""

from __future__ import annotations

import msgspec

from pointsman_server.domain.attempts import FinishReason
from pointsman_server.domain.money import Usage
from pointsman_server.providers.answer import AnswerStream, Content
from pointsman_server.providers.failures import anthropic_stream_failure
from pointsman_server.providers.usage import reported_usage
from pointsman_server.providers.wire import ABSENT, decode

_STOP_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.MAX_TOKENS,
    "model_context_window_exceeded": FinishReason.MAX_TOKENS,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
}


class _Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"")


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Message(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"")


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    # Decoded apart, so that nonsense in it does not cost the answer.
    usage: msgspec.Raw = msgspec.Raw(b"")


class _WholeMessage(msgspec.Struct):
    type: str
    content: list[_Block] | None = None
    stop_reason: str | None = None
    usage: msgspec.Raw = msgspec.Raw(b"")


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


_EVENT = msgspec.json.Decoder(_Event)
_WHOLE = msgspec.json.Decoder(_WholeMessage)
_USAGE = msgspec.json.Decoder(_Usage)


class _Counts:
    """Usage as it adds up: later counts are cumulative and replace what they name."""

    def __init__(self) -> None:
        self.fresh = 0
        self.written = 0
        self.read = 0
        self.output = 0
        self.thinking = 0

    def update(self, data: bytes) -> None:
        reported = None if data in ABSENT else decode(_USAGE, data)
        if reported is None:
            return
        self.fresh = _newer(self.fresh, reported.input_tokens)
        self.written = _newer(self.written, reported.cache_creation_input_tokens)
        self.read = _newer(self.read, reported.cache_read_input_tokens)
        self.output = _newer(self.output, reported.output_tokens)
        details = reported.output_tokens_details
        self.thinking = _newer(self.thinking, details.thinking_tokens if details else None)

    def usage(self) -> Usage | None:
        if min(self.fresh, self.written, self.read) < 0:
            return None
        return reported_usage(
            input_tokens=self.fresh + self.written + self.read,
            cached_input_tokens=self.read,
            output_tokens=self.output,
            reasoning_tokens=self.thinking,
        )


class MessageStream(AnswerStream):
    """Reads one streamed message; only ``message_stop`` makes it whole."""

    def __init__(self) -> None:
        super().__init__()
        self._tool_blocks: set[int] = set()
        self._reason: str | None = None
        self._counts = _Counts()

    @property
    def usage(self) -> Usage | None:
        """What the provider has reported so far, unpriced."""
        return self._counts.usage()

    def whole(self, body: bytes) -> list[Content]:
        """Read a message that came as one JSON object. See `AnswerStream.whole`."""
        message = decode(_WHOLE, body)
        if message is not None and message.type == "error":
            self.failure = anthropic_stream_failure(body)
        elif message is None or message.type != "message":
            self._fail("the provider sent something that is no message")
        else:
            self._started = True
            self._counts.update(bytes(message.usage))
            for index, block in enumerate(message.content or ()):
                self._start_block(index, block)
                if index in self._tool_blocks:
                    self._add_to_call(index, "", "", bytes(block.input).decode())
            self._reason = message.stop_reason
            if not self.over:
                self._stop()
        return self._taken()

    def _take(self, event: bytes) -> None:
        wire = decode(_EVENT, event)
        if wire is None:
            self._fail("the provider sent something that is no event of a message")
            return
        match wire.type:
            case "content_block_delta":
                if wire.delta is not None:
                    self._take_delta(wire.index, wire.delta)
            case "message_start":
                self._started = True
                if wire.message is not None:
                    self._counts.update(bytes(wire.message.usage))
            case "content_block_start":
                if wire.content_block is not None:
                    self._start_block(wire.index, wire.content_block)
            case "message_delta":
                self._counts.update(bytes(wire.usage))
                if wire.delta is not None:
                    self._reason = wire.delta.stop_reason or self._reason
            case "message_stop":
                self._stop()
            case "error":
                self.failure = anthropic_stream_failure(event)
            case _:
                # ping, content_block_stop, and whatever is added to the format later.
                pass

    def _only_text(self, event: bytes) -> str | None:
        wire = decode(_EVENT, event)
        if wire is None or wire.type != "content_block_delta" or wire.delta is None:
            return None
        return wire.delta.text if wire.delta.type == "text_delta" else None

    def _start_block(self, index: int, block: _Block) -> None:
        if block.type == "text" and block.text:
            self._texts.append(block.text)
        elif block.type == "tool_use":
            # Only these: other blocks with JSON in them are calls that the provider makes itself.
            self._tool_blocks.add(index)
            self._add_to_call(index, block.id or "", block.name or "", "")

    def _take_delta(self, index: int, delta: _Delta) -> None:
        self._started = True
        if delta.type == "text_delta" and delta.text:
            self._texts.append(delta.text)
        elif delta.type in ("thinking_delta", "signature_delta"):
            self._working = True
        elif delta.type == "input_json_delta" and delta.partial_json and index in self._tool_blocks:
            self._add_to_call(index, "", "", delta.partial_json)

    def _stop(self) -> None:
        if self._reason is None:
            self._break_off()
        else:
            self._complete(_STOP_REASONS.get(self._reason, FinishReason.UNKNOWN))


def _newer(count: int, reported: int | None) -> int:
    return count if reported is None else reported
