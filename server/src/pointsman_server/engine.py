"""The pipeline: one typed step for each arrow of a request's way.

    Request -> Admission -> Profile -> Decision -> Attempts -> Receipt

`Engine` stops it ever later: `classify` after the profile, `route` after the decision, `complete`
after the answer. Nothing downstream changes what it was given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass

from pointsman_server.domain.clock import Monotonic
from pointsman_server.domain.decision import Decision
from pointsman_server.domain.errors import (
    DeadlineExceeded,
    FieldViolation,
    InvalidRequest,
    Overloaded,
    RouterError,
    ShuttingDown,
)
from pointsman_server.domain.events import Completed, CompletionEvent, Decided
from pointsman_server.domain.observer import DecisionDetails, Observer, Receipt
from pointsman_server.domain.profile import (
    Profile,
    ProfileOverrides,
    Vocabulary,
    stated_profile,
)
from pointsman_server.domain.request import Request, SwitchPolicy
from pointsman_server.execution.attempt import total_usage
from pointsman_server.execution.executor import Execution, Executor, Job
from pointsman_server.execution.hedge import RacePlan
from pointsman_server.execution.retry import RetryPolicy
from pointsman_server.execution.timeout import TimeoutPolicy
from pointsman_server.reading import Reader, estimate_tokens, estimate_tool_tokens
from pointsman_server.routing.router import Router

SHED_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one server takes on.

    ``max_in_flight`` counts calls under way; ``classify_s`` is how long a routed call waits for
    its reading before it is routed without one.
    """

    max_in_flight: int = 256
    classify_s: float = 0.25


class Admission:
    """Counts the calls under way and refuses those over the limit, or all once ``draining``."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0
        self.draining = False

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold a place for the length of a call.

        Raises:
            Overloaded, ShuttingDown: there is none to be had.
        """
        if self.draining:
            raise ShuttingDown
        if self.in_flight >= self.limit:
            raise Overloaded(self.limit, SHED_RETRY_S)
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


class Engine:
    """Reads, routes and answers requests."""

    def __init__(
        self,
        reader: Reader,
        router: Router,
        executor: Executor,
        observer: Observer,
        clock: Monotonic,
        *,
        limits: Limits = Limits(),
        timeouts: TimeoutPolicy = TimeoutPolicy(),
        retry: RetryPolicy = RetryPolicy(),
    ) -> None:
        self.router = router
        self.admission = Admission(limits.max_in_flight)
        self._reader = reader
        self._executor = executor
        self._observer = observer
        self._clock = clock
        self._limits = limits
        self._timeouts = timeouts
        self._retry = retry

    @property
    def vocabulary(self) -> Vocabulary:
        """The labels that readings use."""
        return self._reader.vocabulary

    async def classify(self, request: Request) -> Profile:
        """Read a prompt; calls no model.

        Raises:
            InvalidRequest: an override is not a label that the classifier knows.
            DeadlineExceeded: the reading was not there in time.
        """
        check_overrides(request.overrides, self.vocabulary)
        with self.admission.enter():
            try:
                async with asyncio.timeout(request.deadline - self._clock()):
                    profile = await self._reader.read(request.messages)
            except TimeoutError:
                raise DeadlineExceeded("classify") from None
        return profile.with_overrides(request.overrides)

    async def route(self, request: Request) -> Decision:
        """Choose a model; calls none.

        Raises:
            InvalidRequest, NoEligibleModel, DeadlineExceeded, Overloaded, ShuttingDown.
        """
        with self._refusals():
            self._check(request)
            with self.admission.enter():
                profile = await self._read(request)
                return self._decide(request, profile, _prompt_tokens(request, profile))

    def complete(self, request: Request) -> Completion:
        """An answer to a prompt, not yet begun: iterate its events."""
        return Completion(self, request)

    async def answer(self, completion: Completion) -> AsyncGenerator[list[CompletionEvent], None]:
        """The whole way of one request; `Completion` is its face.

        A request that was decided gets its receipt exactly once, however it ends.
        """
        request = completion.request
        with ExitStack() as place:
            with self._refusals():
                self._check(request)
                place.enter_context(self.admission.enter())
                if request.constraints.pinned:  # nothing to choose, so nothing to read for
                    profile = _stated(request)
                else:
                    profile = await self._read(request)
                prompt_tokens = _prompt_tokens(request, profile)
                decision = self._decide(request, profile, prompt_tokens)
            completion.decision = decision
            job = self._job(request, decision, prompt_tokens)
            execution = self._executor.execution(job)
            error = "Cancelled"
            try:
                # the call is on its way while the decision is being sent
                yield [Decided(decision), *execution.begin()]
                async with aclosing(execution.events()) as batches:
                    async for batch in batches:
                        if isinstance(batch[-1], Completed):
                            error = ""  # now: whoever has the last event may stop iterating
                        yield batch
            except Exception as failure:
                error = type(failure).__name__
                raise
            finally:
                try:
                    await execution.close()
                finally:  # whoever interrupts the closing does not get away without a receipt
                    receipt = self._receipt(request, job, execution, error)
                    completion.receipt = receipt
                    self._observer.request_ended(receipt)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Tell the observer of a request that ends before it has a decision."""
        try:
            yield
        except RouterError as error:
            self._observer.refused(error)
            raise

    def _check(self, request: Request) -> None:
        check_overrides(request.overrides, self.vocabulary)
        known = self.router.registry
        violations = [
            FieldViolation(f"constraints.{field}", f"no model is called {name!r}")
            for field, names in (
                ("allowed_models", request.constraints.allowed_models),
                ("excluded_models", request.constraints.excluded_models),
            )
            for name in sorted(names)
            if name not in known
        ]
        if violations:
            raise InvalidRequest(*violations)

    async def _read(self, request: Request) -> Profile | None:
        """The reading; where it fails or takes too long what the caller stated, if anything."""
        left = request.deadline - self._clock()
        if left <= 0:
            raise DeadlineExceeded("classify")
        try:
            async with asyncio.timeout(min(self._limits.classify_s, left)):
                profile = await self._reader.read(request.messages)
        except TimeoutError:
            if left <= self._limits.classify_s:
                raise DeadlineExceeded("classify") from None
        except Exception as error:  # noqa: BLE001 - no fault of the classifier's may end a request
            self._observer.reading_failed(error)
        else:
            return profile.with_overrides(request.overrides)
        return _stated(request)

    def _decide(self, request: Request, profile: Profile | None, prompt_tokens: int) -> Decision:
        if self._clock() >= request.deadline:
            raise DeadlineExceeded("route")
        decision = self.router.decide(request, profile, prompt_tokens)
        self._observer.decided(DecisionDetails(decision, request.context, request.messages))
        return decision

    def _job(self, request: Request, decision: Decision, prompt_tokens: int) -> Job:
        registry = self.router.registry
        names = (decision.model, *decision.fallback_models)
        models = {name: registry.get(name) for name in names}
        first_token = self._timeouts.first_token_s
        plan = RacePlan(
            models=names,
            first_token_s=tuple(models[n].first_token_timeout_s or first_token for n in names),
            idle_s=self._timeouts.idle_s,
            deadline=request.deadline,
            hedge_model=decision.hedge_model,
            hedge_after_s=decision.hedge_delay_s,
            restart_allowed=request.execution.switch_policy is SwitchPolicy.RESTART,
            retry=self._retry,
        )
        return Job(
            decision_id=decision.decision_id,
            plan=plan,
            models=models,
            messages=request.messages,
            generation=request.generation,
            output_bounds=decision.output_bounds,
            prompt_tokens=prompt_tokens,
            accepted_at=request.accepted_at,
            baseline=registry.get(decision.baseline_model),
        )

    def _receipt(self, request: Request, job: Job, execution: Execution, error: str) -> Receipt:
        completed = execution.completed
        first = execution.first_token_at
        return Receipt(
            decision_id=job.decision_id,
            context=request.context,
            attempts=tuple(execution.records),
            usage=total_usage(execution.records),
            baseline_cost_nanos=completed.baseline_cost_nanos if completed else 0,
            error=error,
            first_token_s=None if first is None else first - request.accepted_at,
            duration_s=self._clock() - request.accepted_at,
        )


class Completion:
    """One answer.

    ``decision`` is there with the first batch of events; after that, ``receipt`` once it has ended,
    in whatever way.
    """

    def __init__(self, engine: Engine, request: Request) -> None:
        self.request = request
        self.decision: Decision | None = None
        self.receipt: Receipt | None = None
        self._engine = engine

    def events(self) -> AsyncGenerator[list[CompletionEvent], None]:
        """`Decided`, then what happens, then `Completed`, in batches. Iterate once.

        A batch is all that one wake of the loop brought, in order, and never empty.

        Closing the generator cancels every provider call made for the request; what was spent is
        settled all the same.

        Raises:
            RouterError: any of `domain.errors`.
        """
        return self._engine.answer(self)


def _stated(request: Request) -> Profile | None:
    return stated_profile(request.overrides, estimate_tokens(request.messages))


def _prompt_tokens(request: Request, profile: Profile | None) -> int:
    tokens = profile.prompt_tokens if profile else estimate_tokens(request.messages)
    return tokens + estimate_tool_tokens(request.generation)


def check_overrides(overrides: ProfileOverrides, known: Vocabulary) -> None:
    """Refuse labels that the classifier does not know.

    Raises:
        InvalidRequest: naming each field, and the labels that it may have.
    """
    violations = [
        FieldViolation(f"overrides.{field}", f"{value!r} is not one of {', '.join(labels)}")
        for field, value, labels in (
            ("task_type", overrides.task_type, known.task_types),
            ("domain", overrides.domain, known.domains),
            ("tone", overrides.tone, known.tones),
        )
        if value is not None and value not in labels
    ]
    if violations:
        raise InvalidRequest(*violations)
