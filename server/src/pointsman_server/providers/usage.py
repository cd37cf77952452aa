"""Counts that providers report, believed only where they can be true."""

from __future__ import annotations

from pointsman_server.domain.money import Usage

MAX_REPORTED_TOKENS = 1_000_000_000


def reported_usage(
    *, input_tokens: int, cached_input_tokens: int, output_tokens: int, reasoning_tokens: int
) -> Usage | None:
    """Make a `Usage` of reported counts; ``None`` where they cannot be true.

    No call has a prompt of no tokens: all zeros is what some servers send in place of counts, and
    believing it would make the call free.
    """
    counts = (input_tokens, cached_input_tokens, output_tokens, reasoning_tokens)
    if any(count < 0 or count > MAX_REPORTED_TOKENS for count in counts):
        return None
    if input_tokens == 0 and output_tokens == 0:
        return None
    return Usage(
        input_tokens=input_tokens,
        cached_input_tokens=min(cached_input_tokens, input_tokens),
        output_tokens=output_tokens,
        reasoning_tokens=min(reasoning_tokens, output_tokens),
    )
