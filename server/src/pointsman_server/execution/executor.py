"""Carries a `HedgeRace` out: provider calls, timers and events of one request.

Until an attempt commits, each attempt is a task that waits for its first token. After that there
are no tasks and no queue: the committed stream is read directly, so that a slow reader slows the
provider down and nothing piles up in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from pointsman_server.domain.attempts import (
    AttemptOutcome,
    AttemptReason,
    AttemptRecord,
    Failure,
    FailureKind,
)
from pointsman_server.domain.clock import Monotonic
from pointsman_server.domain.errors import (
    AllModelsFailed,
    AnswerInterrupted,
    DeadlineExceeded,
    PromptRefused,
    RouterError,
)
from pointsman_server.domain.events import (
    AttemptEnded,
    AttemptStarted,
    Completed,
    CompletionEvent,
    ModelSwitched,
    TextDelta,
    ToolCallDelta,
)
from pointsman_server.domain.messages import GenerationOptions, Message
from pointsman_server.domain.model import Model
from pointsman_server.domain.observer import AttemptDetails, AttemptStart, Observer
from pointsman_server.execution.attempt import Attempt, see, total_usage
from pointsman_server.execution.hedge import (
    Cancel,
    Command,
    Commit,
    GiveUp,
    HedgeRace,
    RacePlan,
    Start,
)
from pointsman_server.execution.hedge_budget import HedgeBudget
from pointsman_server.providers.base import (
    Batch,
    Finish,
    ModelCall,
    Provider,
    ProviderError,
    TextChunk,
    ToolCallChunk,
    Working,
)

_CLOSE_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Job:
    """One decision to carry out. ``models`` holds the registry's entry of each model in the plan.

    ``accepted_at`` is when the request arrived, in seconds on the executor's clock.
    """

    decision_id: str
    plan: RacePlan
    models: Mapping[str, Model]
    messages: tuple[Message, ...]
    generation: GenerationOptions
    output_bounds: Mapping[str, int]
    prompt_tokens: int
    accepted_at: float
    baseline: Model


class Executor:
    """Makes executions; holds what they share."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        observer: Observer,
        budget: HedgeBudget,
        clock: Monotonic,
        random: Callable[[], float],
    ) -> None:
        self.providers = providers
        self.observer = observer
        self.budget = budget
        self.clock = clock
        self.random = random

    def execution(self, job: Job) -> Execution:
        """An execution of ``job``, not yet begun."""
        return Execution(self, job)


class Execution:
    """One request's attempts. Iterate `events` once; ``records`` grows as attempts end."""

    def __init__(self, executor: Executor, job: Job) -> None:
        self._shared = executor
        self._job = job
        self._race = HedgeRace(job.plan, executor.budget, executor.random)
        self._attempts: list[Attempt] = []
        self._winner: Attempt | None = None
        self.completed: Completed | None = None
        self._error: RouterError | None = None
        self._begun = False
        self._closed = False
        self._news: asyncio.Future[None] | None = None
        self.records: list[AttemptRecord] = []
        self.first_token_at: float | None = None

    async def events(self) -> AsyncGenerator[list[CompletionEvent], None]:
        """Run to the end; each batch is all that one wake of the loop brought.

        However it ends, every provider call is closed and recorded.

        Raises:
            AllModelsFailed, PromptRefused, DeadlineExceeded: before any text.
            AnswerInterrupted, DeadlineExceeded: after some.
        """
        news = [] if self._begun else self.begin()
        try:
            while True:
                if news:
                    yield news
                if self._error is not None:
                    raise self._error
                if self.completed is not None:
                    return
                if self._winner is None:
                    news = await self._race_on()
                else:
                    news = await self._read_on(self._winner)
        finally:
            await self.close()

    def begin(self) -> list[CompletionEvent]:
        """Make the first call now, before anybody asks for events. Whoever does must `close`."""
        self._begun = True
        return self._carry_out(self._race.begin(self._shared.clock()))

    async def _race_on(self) -> list[CompletionEvent]:
        """Wait until a first token, a failure or a timer, and act on it."""
        due = self._race.wake_at
        await self._wait_for_news(max(0.0, due - self._shared.clock()))
        now = self._shared.clock()
        news: list[CompletionEvent] = []
        opened = self._opened()  # in order: the primary wins a tie
        for attempt in opened:
            if attempt.opening.exception() is None:
                attempt.first_batch = attempt.opening.result()
                attempt.first_token_at = now
                attempt.count(attempt.first_batch)  # it has been paid for, even if it loses
        for attempt in opened:
            if not attempt.ended:
                news += self._take_opening(attempt, now)
        if not opened:
            # what was due may have moved on since, which the race knows
            news += self._carry_out(self._race.tick(max(now, due)))
        if self._winner is not None:
            # after what ended with its victory: the answer's last event comes last
            news += self._delivered(self._winner, self._winner.first_batch)
        return news

    async def _wait_for_news(self, limit_s: float) -> None:
        """Until an attempt opens or fails, but no longer than the limit."""
        if self._opened():
            return
        loop = asyncio.get_running_loop()
        self._news = news = loop.create_future()
        timer = loop.call_later(limit_s, _wake, news)
        try:
            await news
        finally:
            timer.cancel()
            self._news = None

    def _opening_ended(self, _: object) -> None:
        # not for one that we cancelled: that is no news
        if self._news is not None and self._opened():
            _wake(self._news)

    def _opened(self) -> list[Attempt]:
        """Those that have opened or failed by themselves, in the order in which they started."""
        return [a for a in self._attempts if not a.ended and a.opening.done()]

    def _take_opening(self, attempt: Attempt, now: float) -> list[CompletionEvent]:
        """The first batch of an attempt has come, or its failure."""
        error = attempt.opening.exception()
        if error is None:
            return self._carry_out(self._race.first_token(attempt.number, now))
        return self._failed(attempt, attempt.failure_of(error), now)

    async def _read_on(self, winner: Attempt) -> list[CompletionEvent]:
        """The next piece of the committed answer."""
        now = self._shared.clock()
        self._race.listening(now)  # the time that our own reader took is no silence of the model's
        wait = self._race.wake_at - now
        if wait <= 0:  # a stream that always has more at hand must not outrun the deadline
            return self._carry_out(self._race.tick(now))
        try:
            async with asyncio.timeout(wait) as limit:
                batch = await anext(winner.stream)
        except TimeoutError:
            if not limit.expired():
                raise  # not ours: a bug of the provider's
            # the stream is closed by now, so the race must see its time as come even if this
            # timer was a hair early
            now = max(self._shared.clock(), self._race.wake_at)
            return self._carry_out(self._race.tick(now))
        except (ProviderError, StopAsyncIteration) as error:
            return self._failed(winner, winner.failure_of(error), self._shared.clock())
        winner.count(batch)
        return self._delivered(winner, batch)

    def _delivered(self, winner: Attempt, batch: Batch) -> list[CompletionEvent]:
        news: list[CompletionEvent] = []
        for event in batch:
            match event:
                case TextChunk(text):
                    news.append(TextDelta(winner.number, text))
                case ToolCallChunk(call):
                    news.append(ToolCallDelta(winner.number, call))
                case Finish():
                    news.append(self._finish(winner, event))
                case Working():
                    pass
        return news

    def _finish(self, winner: Attempt, finish: Finish) -> Completed:
        self._race.finished(winner.number)
        record = self._end(winner, AttemptOutcome.COMPLETED, None)
        job = self._job
        self.completed = Completed(
            attempt=winner.number,
            model=winner.model.name,
            finish_reason=finish.reason,
            usage=record.usage,
            total_usage=total_usage(self.records),
            first_token_s=_since(job.accepted_at, self.first_token_at),
            decision_id=job.decision_id,
            baseline_model=job.baseline.name,
            baseline_cost_nanos=job.baseline.pricing.cost(record.usage),
        )
        return self.completed

    def _failed(self, attempt: Attempt, failure: Failure, now: float) -> list[CompletionEvent]:
        record = self._end(attempt, failure.kind.outcome, failure)
        news: list[CompletionEvent] = [_ended(record, failure.message)]
        return news + self._carry_out(self._race.failed(attempt.number, failure, now))

    def _carry_out(self, commands: list[Command]) -> list[CompletionEvent]:
        news: list[CompletionEvent] = []
        for command in commands:
            match command:
                case Start(number, model, reason):
                    news.append(self._start(number, model, reason))
                case Cancel(number, outcome, message, failure):
                    attempt = self._attempts[number]
                    attempt.let_go()
                    news.append(_ended(self._end(attempt, outcome, failure), message))
                case Commit(number, discards):
                    self._winner = self._attempts[number]
                    if self.first_token_at is None:
                        self.first_token_at = self._winner.first_token_at
                    if discards is not None:
                        news.append(self._switched(self._winner, discards))
                case GiveUp():
                    self._error = _error_of(command)
        return news

    def _start(self, number: int, name: str, reason: AttemptReason) -> AttemptStarted:
        job, shared = self._job, self._shared
        model, now = job.models[name], shared.clock()
        call = ModelCall(
            model,
            job.messages,
            job.generation,
            job.output_bounds[name],
            job.plan.deadline - now,
        )
        stream = shared.providers[model.provider].stream(call)
        opening = asyncio.create_task(self._first(number, stream), name=f"attempt {number}: {name}")
        opening.add_done_callback(self._opening_ended)
        self._attempts.append(Attempt(number, model, reason, now, stream, opening))
        shared.observer.attempt_started(AttemptStart(job.decision_id, number, name, reason))
        return AttemptStarted(number, name, reason)

    async def _first(self, number: int, stream: AsyncGenerator[Batch, None]) -> Batch:
        """The first batch that there is something to show of."""
        attempt = self._attempts[number]
        attempt.asked = True
        while isinstance((batch := await anext(stream))[0], Working):
            attempt.worked = True
            self._race.working(number, self._shared.clock())
        return batch

    def _switched(self, winner: Attempt, discards: int) -> ModelSwitched:
        return ModelSwitched(discards, winner.number, winner.model.name, winner.reason, True)

    def _end(
        self, attempt: Attempt, outcome: AttemptOutcome, failure: Failure | None
    ) -> AttemptRecord:
        """Record that an attempt is over, with what it consumed."""
        if attempt is self._winner:
            self._winner = None
        job, shared = self._job, self._shared
        record = attempt.end(outcome, failure, shared.clock(), job.prompt_tokens)
        self.records.append(record)
        shared.observer.attempt_ended(AttemptDetails(job.decision_id, record, job.prompt_tokens))
        return record

    async def close(self) -> None:
        """End what is still under way, and record it. Idempotent."""
        if self._closed:
            return
        whole = [a for a in self._attempts if a.whole and a.closing is None]
        closing = {a.let_go() for a in self._attempts if a not in whole}
        for attempt in self._attempts:
            if not attempt.ended:
                self._end(attempt, AttemptOutcome.CANCELLED, None)
        # neither must hold the request: a provider that keeps on closing, nor one that never does
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                for attempt in whole:
                    await attempt.stream.aclose()
        if closing:
            done, _ = await asyncio.wait(closing, timeout=_CLOSE_LIMIT_S)
            for task in done:
                see(task)
        self._closed = True


def _wake(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)


def _ended(record: AttemptRecord, message: str) -> AttemptEnded:
    return AttemptEnded(record.number, record.outcome, record.usage, message)


def _since(start: float, moment: float | None) -> float | None:
    return None if moment is None else moment - start


def _error_of(end: GiveUp) -> RouterError:
    if end.late:
        return DeadlineExceeded("execute")
    if end.partial:
        return AnswerInterrupted(end.model, end.failure)
    if end.failure.kind is FailureKind.PROMPT_REFUSED:
        return PromptRefused(end.model, end.failure)
    return AllModelsFailed(end.attempts, end.model, end.failure)
