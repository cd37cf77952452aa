"""Tokens and money: whole nano-dollars, so that sums are exact."""

from __future__ import annotations

from dataclasses import dataclass

NANOS_PER_USD = 1_000_000_000
_TOKENS_PER_PRICE = 1_000_000
_CHARACTERS_PER_TOKEN = 4


def estimated_tokens(characters: int) -> int:
    """About how many tokens a text has; English prose has 4 to 5 characters in each."""
    return -(-characters // _CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one attempt, or a sum of them, consumed.

    Counts are tokens: ``input_tokens`` includes ``cached_input_tokens``, and ``output_tokens``
    includes ``reasoning_tokens``. ``estimated`` is true where the provider reported no counts.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanos: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.output_tokens + other.output_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.cost_nanos + other.cost_nanos,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class Pricing:
    """Prices in nano-dollars a million tokens."""

    input: int = 0
    cached_input: int = 0
    output: int = 0

    def cost(self, usage: Usage) -> int:
        """The price of ``usage`` in nano-dollars, rounded up to a whole one."""
        fresh = usage.input_tokens - usage.cached_input_tokens
        total = (
            fresh * self.input
            + usage.cached_input_tokens * self.cached_input
            + usage.output_tokens * self.output
        )
        return -(-total // _TOKENS_PER_PRICE)

    def priced(self, usage: Usage) -> Usage:
        """``usage`` with its cost filled in."""
        return Usage(
            usage.input_tokens,
            usage.cached_input_tokens,
            usage.output_tokens,
            usage.reasoning_tokens,
            self.cost(usage),
            usage.estimated,
        )
