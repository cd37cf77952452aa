"""Plain values to test with, and doubles that keep their own books."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pointsman_server.domain.attempts import Failure, FailureKind, FinishReason
from pointsman_server.domain.clock import Monotonic
from pointsman_server.domain.decision import RoutingConstraints
from pointsman_server.domain.errors import RouterError
from pointsman_server.domain.messages import GenerationOptions, Message, Role, Text
from pointsman_server.domain.model import Capability, LatencyPrior, Model, ModelState, Tier
from pointsman_server.domain.money import Pricing, Usage
from pointsman_server.domain.observer import (
    AttemptDetails,
    AttemptStart,
    DecisionDetails,
    Receipt,
)
from pointsman_server.domain.profile import (
    Complexity,
    CostSensitivity,
    Label,
    Profile,
    ProfileOverrides,
    Urgency,
    Vocabulary,
)
from pointsman_server.domain.request import CallContext, ExecutionOptions, Request
from pointsman_server.providers.base import (
    Batch,
    Finish,
    ModelCall,
    ProviderError,
    ProviderEvent,
    TextChunk,
)

VOCABULARY = Vocabulary(
    task_types=("simple_qa", "code", "analysis", "long_form", "multi_step"),
    domains=("general", "law", "software"),
    tones=("neutral", "frustrated"),
    classifier_version="test",
)


def make_model(
    name: str = "small",
    tier: Tier = Tier.MIDDLE,
    *,
    provider: str = "acme",
    context_window: int = 100_000,
    max_output_tokens: int = 4096,
    price: tuple[int, int] = (1_000_000, 2_000_000),
    capabilities: Iterable[Capability] = (),
    quality_priors: Mapping[str, float] | None = None,
    strengths: Iterable[str] = (),
    weaknesses: Iterable[str] = (),
    regions: Iterable[str] = (),
    state: ModelState = ModelState.ENABLED,
    first_token_s: float = 1.0,
    machine: str | None = None,
    first_token_timeout_s: float | None = None,
) -> Model:
    """A model; ``price`` is nano-dollars a million input and output tokens."""
    return Model(
        name=name,
        provider=provider,
        provider_model=f"{name}-v1",
        tier=tier,
        context_window=context_window,
        max_output_tokens=max_output_tokens,
        pricing=Pricing(input=price[0], cached_input=price[0] // 10, output=price[1]),
        capabilities=frozenset(capabilities),
        quality_priors=quality_priors or {},
        strengths=frozenset(strengths),
        weaknesses=frozenset(weaknesses),
        regions=frozenset(regions),
        state=state,
        latency=LatencyPrior(first_token_s=first_token_s),
        machine=machine,
        first_token_timeout_s=first_token_timeout_s,
    )


def make_profile(
    complexity: Complexity = Complexity.MEDIUM,
    *,
    task_type: str = "simple_qa",
    domain: str = "general",
    tone: str = "neutral",
    urgency: Urgency = Urgency.NORMAL,
    confidence: float = 0.9,
    cost_sensitivity: CostSensitivity | None = None,
    prompt_tokens: int = 100,
    expected_output_tokens: int | None = 120,
) -> Profile:
    """A reading, sure of itself unless told otherwise."""
    return Profile(
        task_type=Label(task_type, 0.9, ((task_type, 0.9),), sure=True),
        domain=Label(domain, 0.8, ((domain, 0.8),)),
        tone=Label(tone, 0.7, ((tone, 0.7),)),
        complexity=complexity,
        complexity_confidence=0.6,
        urgency=urgency,
        urgency_confidence=0.5,
        confidence=confidence,
        prompt_tokens=prompt_tokens,
        truncated=False,
        classifier_version="test",
        duration_s=0.001,
        complexity_score=0.4,
        multi_step=0.2,
        expected_output_tokens=expected_output_tokens,
        cost_sensitivity=cost_sensitivity,
    )


def make_request(
    text: str = "What is the capital of France?",
    *,
    accepted_at: float = 1000.0,
    deadline: float = 1060.0,
    context: CallContext = CallContext(),
    overrides: ProfileOverrides = ProfileOverrides(),
    constraints: RoutingConstraints = RoutingConstraints(),
    generation: GenerationOptions = GenerationOptions(),
    execution: ExecutionOptions = ExecutionOptions(),
    explain: bool = True,
) -> Request:
    """One user message that asks ``text``, to be explained."""
    return Request(
        messages=(Message(Role.USER, (Text(text),)),),
        accepted_at=accepted_at,
        deadline=deadline,
        context=context,
        overrides=overrides,
        constraints=constraints,
        generation=generation,
        execution=execution,
        explain=explain,
    )


def make_failure(
    kind: FailureKind = FailureKind.SERVER_ERROR, retry_after_s: float | None = None
) -> Failure:
    """A failure that says its kind."""
    return Failure(kind, f"it is {kind.value}", retry_after_s)


@dataclass(frozen=True)
class Wait:
    """A step: nothing happens for so long."""

    seconds: float


@dataclass(frozen=True)
class Hang:
    """A step: nothing happens any more."""


@dataclass(frozen=True)
class Deaf:
    """A step: nothing happens for so long, and being cancelled does not change that."""

    seconds: float


@dataclass(frozen=True)
class Fail:
    """A step: the provider says no, after it has perhaps reported what was used."""

    failure: Failure
    usage: Usage | None = None


@dataclass(frozen=True)
class Crash:
    """A step: a bug."""

    error: Exception


Step = ProviderEvent | Wait | Hang | Deaf | Fail | Crash
"""A script without a `Finish` at its end is a stream that just stops."""


def answer(
    *texts: str, after: float = 0.1, gap: float = 0.0, usage: Usage | None = None
) -> list[Step]:
    """A whole answer: its first text after ``after`` seconds, the others ``gap`` apart."""
    steps: list[Step] = [Wait(after)]
    for text in texts:
        steps += [TextChunk(text), Wait(gap)]
    return [*steps, Finish(FinishReason.STOP, usage)]


@dataclass
class CallBook:
    """What a provider saw of one call; times on its clock."""

    call: ModelCall
    began_at: float
    closed_at: float | None = None
    events_sent: int = 0
    characters_sent: int = 0
    finished: bool = False

    @property
    def tokens_sent(self) -> int:
        """At four characters a token."""
        return -(-self.characters_sent // 4)


@dataclass
class ScriptedProvider:
    """Implements `Provider`: plays one script a call, model by model, and keeps books."""

    clock: Monotonic
    name: str = "acme"
    close_s: float = 0.0
    calls: list[CallBook] = field(default_factory=list)
    scripts: dict[str, deque[Sequence[Step]]] = field(default_factory=dict)
    closed: bool = False

    def play(self, model: str, *scripts: Sequence[Step]) -> None:
        """Script the next calls to ``model``."""
        self.scripts.setdefault(model, deque()).extend(scripts)

    def calls_to(self, model: str) -> list[CallBook]:
        """The books of one model."""
        return [c for c in self.calls if c.call.model.name == model]

    @property
    def open(self) -> list[CallBook]:
        """The calls that are not closed."""
        return [c for c in self.calls if c.closed_at is None]

    async def stream(self, call: ModelCall) -> AsyncGenerator[Batch, None]:
        """Play the next script, one event a batch."""
        scripts = self.scripts.get(call.model.name)
        assert scripts, f"nobody expected a call to {call.model.name}"
        script = scripts.popleft()
        book = CallBook(call, self.clock())
        self.calls.append(book)
        try:
            for step in script:
                if isinstance(step, (Wait, Hang, Deaf, Fail, Crash)):
                    await self._act(step)
                    continue
                book.events_sent += 1
                if isinstance(step, TextChunk):
                    book.characters_sent += len(step.text)
                book.finished = isinstance(step, Finish)
                yield [step]
        finally:
            try:
                if self.close_s:
                    await asyncio.sleep(self.close_s)
            finally:
                book.closed_at = self.clock()

    async def _act(self, step: Wait | Hang | Deaf | Fail | Crash) -> None:
        match step:
            case Wait(seconds):
                if seconds:
                    await asyncio.sleep(seconds)
            case Hang():
                await asyncio.Event().wait()
            case Deaf(seconds):
                until = self.clock() + seconds
                while self.clock() < until:
                    try:
                        await asyncio.sleep(until - self.clock())
                    except asyncio.CancelledError:
                        continue
            case Fail(failure, usage):
                raise ProviderError(failure, usage)
            case Crash(error):
                raise error

    async def start(self) -> None:
        """Always ready."""

    async def check(self) -> None:
        """Always there."""

    async def close(self) -> None:
        """Note it."""
        self.closed = True


@dataclass
class RecordingObserver:
    """Implements `Observer` and keeps everything that it was told."""

    decisions: list[DecisionDetails] = field(default_factory=list)
    starts: list[AttemptStart] = field(default_factory=list)
    ends: list[AttemptDetails] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    refusals: list[RouterError] = field(default_factory=list)
    broken_readings: list[Exception] = field(default_factory=list)

    def refused(self, error: RouterError) -> None:
        """Keep it."""
        self.refusals.append(error)

    def reading_failed(self, error: Exception) -> None:
        """Keep it."""
        self.broken_readings.append(error)

    def decided(self, details: DecisionDetails) -> None:
        """Keep it."""
        self.decisions.append(details)

    def attempt_started(self, details: AttemptStart) -> None:
        """Keep it."""
        self.starts.append(details)

    def attempt_ended(self, details: AttemptDetails) -> None:
        """Keep it."""
        self.ends.append(details)

    def request_ended(self, receipt: Receipt) -> None:
        """Keep it."""
        self.receipts.append(receipt)
