"""An `Execution` with scripted providers, ready to run under virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from builders import RecordingObserver, ScriptedProvider, make_model, make_request
from pointsman_server.domain.events import (
    AttemptEnded,
    AttemptStarted,
    CompletionEvent,
    ModelSwitched,
    TextDelta,
)
from pointsman_server.domain.messages import GenerationOptions
from pointsman_server.domain.model import Model, Tier
from pointsman_server.execution.executor import Execution, Executor, Job
from pointsman_server.execution.hedge import RacePlan
from pointsman_server.execution.hedge_budget import HedgeBudget
from pointsman_server.execution.retry import RetryPolicy
from virtual_time import now

BASELINE = make_model("baseline", Tier.STRONG, price=(10_000_000, 30_000_000))
PROMPT_TOKENS = 100


@dataclass
class Stage:
    """Models "a", "b" and "c", each at a provider of its own; time begins at 1,000 s."""

    models: dict[str, Model] = field(
        default_factory=lambda: {n: make_model(n, provider=f"at-{n}") for n in "abc"}
    )
    observer: RecordingObserver = field(default_factory=RecordingObserver)

    def __post_init__(self) -> None:
        self.providers = {
            m.provider: ScriptedProvider(now, m.provider) for m in self.models.values()
        }

    def provider(self, model: str) -> ScriptedProvider:
        """Where ``model`` runs."""
        return self.providers[self.models[model].provider]

    def play(self, model: str, *scripts: Sequence[object]) -> None:
        """Script the next calls to ``model``."""
        self.provider(model).play(model, *scripts)  # type: ignore[arg-type]

    def execution(
        self,
        *,
        models: str = "abc",
        hedge: str | None = None,
        hedge_after_s: float = 1.0,
        first_token_s: float = 10.0,
        idle_s: float = 5.0,
        deadline_s: float = 60.0,
        restart: bool = False,
        retry: RetryPolicy = RetryPolicy(base_delay_s=1.0),
        share: float = 1.0,
    ) -> Execution:
        """An execution accepted now; must be asked for while the loop runs."""
        executor = Executor(
            self.providers, self.observer, HedgeBudget(share), clock=now, random=lambda: 0.5
        )
        plan = RacePlan(
            models=tuple(models),
            first_token_s=(first_token_s,) * len(models),
            idle_s=idle_s,
            deadline=now() + deadline_s,
            hedge_model=hedge,
            hedge_after_s=hedge_after_s if hedge else None,
            restart_allowed=restart,
            retry=retry,
        )
        return executor.execution(
            Job(
                decision_id="d1",
                plan=plan,
                models=self.models,
                messages=make_request().messages,
                generation=GenerationOptions(),
                output_bounds={name: 500 + i for i, name in enumerate("abc")},
                prompt_tokens=PROMPT_TOKENS,
                accepted_at=now(),
                baseline=BASELINE,
            )
        )

    @property
    def open(self) -> list[str]:
        """The models that are still being called, as the providers see it."""
        return [c.call.model.name for p in self.providers.values() for c in p.open]


async def singly(
    batches: AsyncGenerator[list[CompletionEvent], None],
) -> AsyncGenerator[CompletionEvent, None]:
    """The events one by one; closing this closes what they come from."""
    async with aclosing(batches):
        async for batch in batches:
            for event in batch:
                yield event


async def collect(
    execution: Execution, *, reader_s: float = 0.0
) -> tuple[list[CompletionEvent], Exception | None]:
    """All events, and the error at their end; a reader who takes ``reader_s`` for each batch."""
    events: list[CompletionEvent] = []
    try:
        async with aclosing(execution.events()) as stream:
            async for batch in stream:
                events += batch
                await asyncio.sleep(reader_s)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
        return events, error
    return events, None


def text_of(events: Sequence[CompletionEvent]) -> str:
    """The text that a client has in the end, which honours discards."""
    text = ""
    for event in events:
        if isinstance(event, ModelSwitched) and event.discard:
            text = ""
        if isinstance(event, TextDelta):
            text += event.text
    return text


def story(events: Sequence[CompletionEvent]) -> list[str]:
    """The events in short."""
    lines = []
    for event in events:
        match event:
            case AttemptStarted(number, model, reason):
                lines.append(f"{reason} {number}: {model}")
            case AttemptEnded(number, outcome):
                lines.append(f"{number} {outcome}")
            case TextDelta(number, text):
                lines.append(f"{number} says {text}")
            case ModelSwitched(old, new):
                lines.append(f"{old} -> {new}")
            case _:
                lines.append(type(event).__name__)
    return lines
