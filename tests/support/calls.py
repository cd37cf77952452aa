"""Model calls, and what comes of streaming one."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass, field

from pointsman_server.domain.messages import GenerationOptions, Message, Role, Text, ToolCall
from pointsman_server.domain.model import Model, Tier
from pointsman_server.providers.base import (
    Batch,
    Finish,
    ModelCall,
    ProviderError,
    ProviderEvent,
    TextChunk,
    ToolCallChunk,
)

MODEL = Model(
    name="test/model",
    provider="test",
    provider_model="scripted",
    tier=Tier.CHEAP,
    context_window=8192,
    max_output_tokens=1024,
)


def user(text: str) -> Message:
    """A message of the user's."""
    return Message(Role.USER, (Text(text),))


def model_call(
    *messages: Message, generation: GenerationOptions | None = None, max_output_tokens: int = 64
) -> ModelCall:
    """A call with these messages, or with a greeting."""
    return ModelCall(
        model=MODEL,
        messages=messages or (user("Hello"),),
        generation=generation or GenerationOptions(),
        max_output_tokens=max_output_tokens,
        timeout_s=10.0,
    )


@dataclass(slots=True)
class Outcome:
    """All that came of one answer."""

    texts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    finish: Finish | None = None
    error: ProviderError | None = None

    @property
    def text(self) -> str:
        """The text, however it was cut."""
        return "".join(self.texts)

    def add(self, events: Sequence[ProviderEvent]) -> None:
        """Take events in; nothing may follow a finish."""
        for event in events:
            assert self.finish is None, "an event after the finish"
            match event:
                case TextChunk(text):
                    assert text, "an empty chunk"
                    self.texts.append(text)
                case ToolCallChunk(call):
                    self.calls.append(call)
                case Finish():
                    self.finish = event


async def outcome_of(batches: AsyncIterable[Batch]) -> Outcome:
    """Listen until the end."""
    outcome = Outcome()
    try:
        async for batch in batches:
            outcome.add(batch)
    except ProviderError as error:
        outcome.error = error
    return outcome
