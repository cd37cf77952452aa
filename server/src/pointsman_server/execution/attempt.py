"""One provider call under way: its stream, and the books on what it consumes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from pointsman_server.domain.attempts import (
    AttemptOutcome,
    AttemptReason,
    AttemptRecord,
    Failure,
    FailureKind,
)
from pointsman_server.domain.model import Model
from pointsman_server.domain.money import Usage, estimated_tokens
from pointsman_server.providers.base import (
    Batch,
    Finish,
    ProviderError,
    TextChunk,
    ToolCallChunk,
)

_CUT_SHORT_BY_US = frozenset(
    {AttemptOutcome.LOST_RACE, AttemptOutcome.TIMED_OUT, AttemptOutcome.CANCELLED}
)


@dataclass(slots=True)
class Attempt:
    """A call to ``model``. ``opening`` waits for the first batch that there is to show.

    ``asked`` is false until the provider is asked: what is cancelled before has cost nothing.
    ``worked`` is true once the model was seen at work: from then on the call costs its prompt.
    ``whole`` is true once it has given all that it ever will.
    """

    number: int
    model: Model
    reason: AttemptReason
    started_at: float
    stream: AsyncGenerator[Batch, None]
    opening: asyncio.Task[Batch]
    asked: bool = False
    worked: bool = False
    first_batch: Batch = ()
    first_token_at: float | None = None
    characters: int = 0
    reported: Usage | None = None
    whole: bool = False
    ended: bool = False
    closing: asyncio.Task[None] | None = None

    def count(self, batch: Batch) -> None:
        """Note what a batch says of the tokens consumed."""
        for event in batch:
            match event:
                case TextChunk(text):
                    self.characters += len(text)
                case ToolCallChunk(call):
                    self.characters += len(call.name) + len(call.arguments_json)
                case Finish(_, usage):
                    self.reported = usage
                    self.whole = True

    def failure_of(self, error: BaseException) -> Failure:
        """What went wrong, from the exception that ended the stream.

        Raises:
            BaseException: ``error`` itself, where it is no failure of the provider's but a bug.
        """
        if isinstance(error, ProviderError):
            self.reported = error.usage
            return error.failure
        if isinstance(error, StopAsyncIteration):
            message = "the stream ended without saying that it was whole"
            return Failure(FailureKind.PROTOCOL, message)
        raise error

    def end(
        self, outcome: AttemptOutcome, failure: Failure | None, now: float, prompt_tokens: int
    ) -> AttemptRecord:
        """Close the books."""
        self.ended = True
        return AttemptRecord(
            number=self.number,
            model=self.model.name,
            provider=self.model.provider,
            reason=self.reason,
            outcome=outcome,
            usage=self.model.pricing.priced(self._consumed(outcome, prompt_tokens)),
            started_at=self.started_at,
            ended_at=now,
            first_token_at=self.first_token_at,
            failure=failure,
        )

    def _consumed(self, outcome: AttemptOutcome, prompt_tokens: int) -> Usage:
        """What the provider reported, else what it must have cost.

        A call that the provider turned down cost nothing. One that was cancelled, or that broke
        off, has cost its prompt and the tokens that came.
        """
        reported, output = self.reported, estimated_tokens(self.characters)
        if reported is not None:
            whole = outcome is AttemptOutcome.COMPLETED and reported.output_tokens > 0
            if whole or reported.output_tokens >= output:
                return reported
            # an answer that broke off had been reported only as far as its beginning, and some
            # servers report no output at all
            return replace(reported, output_tokens=output, estimated=True)
        cut_short = self.asked and outcome in _CUT_SHORT_BY_US
        accepted = self.first_token_at is not None or self.worked or cut_short
        if not accepted:
            return Usage()
        return Usage(input_tokens=prompt_tokens, output_tokens=output, estimated=True)

    def let_go(self) -> asyncio.Task[None]:
        """Close the provider call at once; the task ends once it is closed. Idempotent."""
        if self.closing is None:
            self.opening.cancel()  # which closes the stream, where it is still waiting in it
            self.closing = asyncio.create_task(self._shut())
        return self.closing

    async def _shut(self) -> None:
        if not self.opening.done():
            # a stream that answers its cancellation with an event is open still
            await asyncio.wait((self.opening,))
        see(self.opening)
        with suppress(ProviderError):
            await self.stream.aclose()


def see(task: asyncio.Task[Any]) -> None:
    """Take note of how a task ended, so that the loop does not report its error as lost."""
    if not task.cancelled():
        task.exception()


def total_usage(records: Iterable[AttemptRecord]) -> Usage:
    """The sum over attempts."""
    total = Usage()
    for record in records:
        total += record.usage
    return total
