"""How long prompts are, in tokens, as far as can be said without the model's own tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman_server.domain.messages import GenerationOptions, Message, Role
from pointsman_server.domain.money import estimated_tokens

_MOST_BYTES_PER_TOKEN = 5
_TOKENS_PER_MESSAGE = 4  # the role and separators that chat templates add


def split_prompt(messages: Sequence[Message]) -> tuple[str, int]:
    """The prompt to read, and an estimate of the tokens in everything else.

    The prompt is the last user message: tool results and earlier turns are context, not the ask.
    """
    prompt = next((m for m in reversed(messages) if m.role is Role.USER), messages[-1])
    characters = sum(m.characters for m in messages if m is not prompt)
    others = estimated_tokens(characters) + _TOKENS_PER_MESSAGE * len(messages)
    return prompt.text, others


def estimate_tokens(messages: Sequence[Message]) -> int:
    """The whole conversation's tokens, without a tokenizer."""
    characters = sum(m.characters for m in messages)
    return estimated_tokens(characters) + _TOKENS_PER_MESSAGE * len(messages)


def estimate_tool_tokens(generation: GenerationOptions) -> int:
    """What the descriptions of tools and schemas add to a prompt."""
    characters = len(generation.response_json_schema or "") + sum(
        len(t.name) + len(t.description) + len(t.parameters_json_schema) for t in generation.tools
    )
    return estimated_tokens(characters)


def least_tokens(text: str) -> int:
    """Fewer tokens than this no vocabulary makes of ``text``, at about five bytes a token.

    The classifier's own count can be far less: to it a long word that it does not know, or a
    script that it does not read, is a single piece.
    """
    return len(text.encode(errors="surrogatepass")) // _MOST_BYTES_PER_TOKEN
