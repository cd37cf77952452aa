"""What every provider is to the rest of the server.

A provider turns one `ModelCall` into batches of `ProviderEvent`s, or raises `ProviderError`.
It never retries, never logs, and knows nothing of other providers.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pointsman_server.domain.attempts import Failure, FinishReason
from pointsman_server.domain.messages import GenerationOptions, Message, ToolCall
from pointsman_server.domain.model import Model
from pointsman_server.domain.money import Usage


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call to make.

    ``max_output_tokens`` is the bound that the decision set and wins over the one in
    ``generation``. ``timeout_s`` is what is left of the request's time: a provider need not
    enforce it, the executor does.
    """

    model: Model
    messages: tuple[Message, ...]
    generation: GenerationOptions
    max_output_tokens: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class TextChunk:
    """More text: all that one read of the connection delivered, so never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallChunk:
    """A whole tool call, put together from its pieces."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Working:
    """The model is at work on what is not shown yet: reasoning, or a tool call in pieces.

    Always alone in its batch.
    """


@dataclass(frozen=True, slots=True)
class Finish:
    """The provider said that the answer is whole. Always the last event, exactly once.

    Its stream holds nothing any more: closing it has nothing to wait for.

    ``usage`` is what the provider reported, unpriced; ``None`` where it reported nothing.
    """

    reason: FinishReason
    usage: Usage | None


ProviderEvent = TextChunk | ToolCallChunk | Working | Finish

Batch = Sequence[ProviderEvent]
"""All that one read of the connection delivered, in order; never empty."""


class ProviderError(Exception):
    """A call failed; ``failure`` says how, in pointsman's own vocabulary.

    ``usage`` is what the provider had reported until then, unpriced, where it had.
    """

    def __init__(self, failure: Failure, usage: Usage | None = None) -> None:
        self.failure = failure
        self.usage = usage
        super().__init__(failure.message)


class Provider(Protocol):
    """A provider account: one dialect, one base address, one key."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""

    async def start(self) -> None:
        """Make ready what calls need, such as child processes. Called once, first.

        Raises:
            ProviderError: it cannot be made ready.
        """

    def stream(self, call: ModelCall) -> AsyncGenerator[Batch, None]:
        """Make the call; yield batches of events until one that ends with `Finish`.

        Closing the generator, or cancelling the task that awaits it, closes the provider's
        connection at once: that is how a provider learns that nobody listens any more. A stream
        that ends without its dialect's terminator raises `ProviderError` (INTERRUPTED).

        Raises:
            ProviderError: the call failed, before or in the middle of the answer.
        """

    async def check(self) -> None:
        """Ask the provider whether it is there and takes our key, without generating anything.

        Raises:
            ProviderError: it is not, or does not.
        """

    async def close(self) -> None:
        """Release connections and child processes. Idempotent."""
