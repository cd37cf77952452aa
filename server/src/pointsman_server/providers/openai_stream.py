"""What OpenAI-compatible servers answer, read without I/O."""

from __future__ import annotations

import msgspec

from pointsman_server.domain.attempts import Failure, FailureKind, FinishReason
from pointsman_server.domain.money import Usage
from pointsman_server.providers.answer import AnswerStream, Content
from pointsman_server.providers.failures import openai_stream_failure
from pointsman_server.providers.usage import reported_usage
from pointsman_server.providers.wire import ABSENT, decode

_FINISH_REASONS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.MAX_TOKENS,
    "model_length": FinishReason.MAX_TOKENS,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Part(msgspec.Struct):
    # Mistral's content is a list of these; of the types only "text" has a text.
    text: str | None = None


class _Delta(msgspec.Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    # Extensions of compatible servers; of any type, since they are only looked for.
    reasoning_content: msgspec.Raw = msgspec.Raw(b"")
    reasoning: msgspec.Raw = msgspec.Raw(b"")


class _Choice(msgspec.Struct):
    index: int | None = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    object: str | None = None
    choices: list[_Choice] | None = None
    # Decoded apart, so that nonsense in them does not cost the answer.
    usage: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)
_USAGE = msgspec.json.Decoder(_Usage)


class ChatCompletionStream(AnswerStream):
    """Reads one streamed chat completion.

    The answer is whole at ``[DONE]``, or at the body's clean end, once a finish reason was given.
    ``[DONE]`` alone is not enough: a proxy whose own upstream broke off sends that too.
    """

    def __init__(self) -> None:
        super().__init__()
        self._reason: str | None = None
        self._refused = False
        self._usage: Usage | None = None

    @property
    def usage(self) -> Usage | None:
        """What the provider has reported so far, unpriced."""
        return self._usage

    def whole(self, body: bytes) -> list[Content]:
        """Read a completion that came as one JSON object. See `AnswerStream.whole`."""
        self._take_chunk(body)
        if not self.over:
            self._body_ended()
        return self._taken()

    def _take(self, event: bytes) -> None:
        if event.strip() == b"[DONE]":
            self._body_ended()
        else:
            self._take_chunk(event)

    def _only_text(self, event: bytes) -> str | None:
        chunk = decode(_CHUNK, event)
        if chunk is None or chunk.choices is None or len(chunk.choices) != 1:
            return None
        (choice,) = chunk.choices
        delta = choice.delta
        if delta is None or not isinstance(delta.content, str):
            return None
        others = (choice.index, choice.finish_reason, delta.refusal, delta.tool_calls)
        extensions = (chunk.usage, chunk.error, delta.reasoning_content, delta.reasoning)
        plain = chunk.object != "error" and not any(others)
        return delta.content if plain and all(bytes(e) in ABSENT for e in extensions) else None

    def _take_chunk(self, data: bytes) -> None:
        chunk = decode(_CHUNK, data)
        if chunk is None:
            self._fail("the provider sent something that is no chat completion")
            return
        if bytes(chunk.error) not in ABSENT or chunk.object == "error":
            self.failure = openai_stream_failure(data)
            return
        if bytes(chunk.usage) not in ABSENT:
            self._usage = _usage(bytes(chunk.usage)) or self._usage
        for choice in chunk.choices or ():
            self._started = True
            if choice.index:
                continue
            content = choice.delta or choice.message
            if content is not None:
                self._take_content(content)
            self._reason = choice.finish_reason or self._reason

    def _take_content(self, delta: _Delta) -> None:
        if isinstance(delta.content, str):
            self._texts.append(delta.content)
        elif delta.content is not None:
            self._texts += [part.text for part in delta.content if part.text]
            self._working |= any(not part.text for part in delta.content)
        for reasoning in (delta.reasoning_content, delta.reasoning):
            self._working |= bytes(reasoning) not in (*ABSENT, b'""')
        if delta.refusal:
            self._refused = True
            self._texts.append(delta.refusal)
        for piece in delta.tool_calls or ():
            function = piece.function or _Function()
            self._add_to_call(
                piece.index, piece.id or "", function.name or "", function.arguments or ""
            )

    def _body_ended(self) -> None:
        if self._reason == "error":
            message = "the provider failed in the middle of the answer"
            self.failure = Failure(FailureKind.SERVER_ERROR, message)
        elif not self._reason:
            self._break_off()
        elif self._reason == "stop" and self._refused:
            self._complete(FinishReason.CONTENT_FILTER)
        else:
            self._complete(_FINISH_REASONS.get(self._reason, FinishReason.UNKNOWN))


def _usage(data: bytes) -> Usage | None:
    reported = decode(_USAGE, data)
    if reported is None:
        return None
    prompt_details = reported.prompt_tokens_details or _PromptDetails()
    cached = prompt_details.cached_tokens or reported.prompt_cache_hit_tokens or 0
    details = reported.completion_tokens_details or _CompletionDetails()
    reasoning = details.reasoning_tokens or 0
    output = reported.completion_tokens
    # Some servers count reasoning beside the completion, not in it: their totals show it.
    if reasoning > 0 and reported.total_tokens == reported.prompt_tokens + output + reasoning:
        output += reasoning
    return reported_usage(
        input_tokens=reported.prompt_tokens,
        cached_input_tokens=cached,
        output_tokens=output,
        reasoning_tokens=reasoning,
    )
