"""The pipeline: what is refused, what is read, and that every call is settled exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import pytest
from builders import (
    VOCABULARY,
    Crash,
    Deaf,
    Fail,
    Hang,
    RecordingObserver,
    ScriptedProvider,
    Step,
    Wait,
    answer,
    make_failure,
    make_model,
    make_profile,
    make_request,
)
from pointsman_server.domain.attempts import AttemptOutcome, FailureKind
from pointsman_server.domain.decision import DecisionBasis, RoutingConstraints
from pointsman_server.domain.errors import (
    AllModelsFailed,
    AnswerInterrupted,
    DeadlineExceeded,
    InvalidRequest,
    NoEligibleModel,
    Overloaded,
    ShuttingDown,
)
from pointsman_server.domain.events import Completed, CompletionEvent, Decided, TextDelta
from pointsman_server.domain.messages import GenerationOptions, Message, Tool
from pointsman_server.domain.model import Capability, Tier
from pointsman_server.domain.profile import Complexity, Profile, ProfileOverrides, Vocabulary
from pointsman_server.domain.request import CallContext, ExecutionOptions, Request, SwitchPolicy
from pointsman_server.engine import Completion, Engine, Limits, check_overrides
from pointsman_server.execution.executor import Executor
from pointsman_server.execution.hedge_budget import HedgeBudget
from pointsman_server.providers.base import TextChunk
from pointsman_server.registry.health import HealthView
from pointsman_server.registry.registry import Registry
from pointsman_server.routing.router import Router, RoutingPolicy
from stage import singly
from virtual_time import now, virtual_time

SMALL = make_model("small", Tier.CHEAP, provider="one", capabilities=(Capability.TOOL_USE,))
BIG = make_model("big", Tier.STRONG, provider="two", price=(10_000_000, 20_000_000))


@dataclass
class FakeReader:
    """Reads everything alike, after ``seconds``."""

    profile: Profile = field(default_factory=lambda: make_profile(Complexity.LOW))
    seconds: float = 0.0
    reads: int = 0
    error: Exception | None = None
    vocabulary: Vocabulary = VOCABULARY

    async def read(self, messages: Sequence[Message]) -> Profile:
        self.reads += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return self.profile


@dataclass
class House:
    """An engine with its doubles."""

    limits: Limits = Limits()
    reader: FakeReader = field(default_factory=FakeReader)
    observer: RecordingObserver = field(default_factory=RecordingObserver)

    def __post_init__(self) -> None:
        self.one = ScriptedProvider(now, "one")
        self.two = ScriptedProvider(now, "two")
        health = HealthView(now)
        self.engine = Engine(
            self.reader,
            Router(Registry([SMALL, BIG]), RoutingPolicy(), health, now, lambda: "d1"),
            Executor(
                {"one": self.one, "two": self.two},
                self.observer,
                HedgeBudget(0.0),
                now,
                lambda: 0.0,
            ),
            self.observer,
            now,
            limits=self.limits,
        )


async def run(completion: Completion) -> list[CompletionEvent]:
    async with aclosing(singly(completion.events())) as events:
        return [event async for event in events]


class TestReading:
    """From a prompt to its profile."""

    @virtual_time
    async def test_classify(self) -> None:
        """Classifying gives the reading, with what the caller knows in place of what was read."""
        house = House()
        overrides = ProfileOverrides(domain="law")
        profile = await house.engine.classify(make_request(overrides=overrides))
        assert profile.domain.value == "law"
        assert profile.complexity is Complexity.LOW
        assert house.engine.admission.in_flight == 0

    @virtual_time
    async def test_classify_in_vain(self) -> None:
        """A reading that is not there by the deadline is too late."""
        house = House(reader=FakeReader(seconds=99.0))
        with pytest.raises(DeadlineExceeded) as caught:
            await house.engine.classify(make_request(deadline=1003.0))
        assert caught.value.stage == "classify"
        assert now() == 1003.0
        assert house.engine.admission.in_flight == 0

    @virtual_time
    async def test_a_slow_reader_does_not_hold_the_call(self) -> None:
        """A call waits only so long for its reading, and is then routed without one."""
        house = House(reader=FakeReader(seconds=99.0), limits=Limits(classify_s=0.25))
        decision = await house.engine.route(make_request())
        assert decision.basis is DecisionBasis.DEFAULT
        assert decision.profile is None
        assert now() == 1000.25

    @virtual_time
    async def test_a_reader_in_time(self) -> None:
        """A reading that is there in time is used."""
        house = House(reader=FakeReader(seconds=0.2), limits=Limits(classify_s=0.25))
        decision = await house.engine.route(make_request())
        assert decision.basis is DecisionBasis.DECISION_TREE
        assert decision.model == "small"

    @virtual_time
    async def test_a_reader_that_breaks_down(self) -> None:
        """A classifier that fails ends no request: it is told of, and routed without."""
        house = House(reader=FakeReader(error=RuntimeError("no model")))
        decision = await house.engine.route(make_request())
        assert decision.basis is DecisionBasis.DEFAULT
        assert house.observer.broken_readings == [house.reader.error]

    @virtual_time
    async def test_the_deadline_is_shared(self) -> None:
        """A reading may not take longer than the call has, and that is where it ended."""
        house = House(reader=FakeReader(seconds=99.0), limits=Limits(classify_s=10.0))
        with pytest.raises(DeadlineExceeded) as caught:
            await house.engine.route(make_request(deadline=1000.5))
        assert caught.value.stage == "classify"
        assert now() == 1000.5

    @virtual_time
    async def test_a_call_that_comes_too_late_is_not_read(self) -> None:
        """A call whose deadline has passed is refused before anything is done for it."""
        house = House()
        with pytest.raises(DeadlineExceeded):
            await house.engine.route(make_request(deadline=1000.0))
        assert house.reader.reads == 0

    @virtual_time
    async def test_overrides_count_in_routing(self) -> None:
        """What the caller knows decides: a hard prompt goes to the strong model."""
        house = House()
        overrides = ProfileOverrides(complexity=Complexity.HIGH)
        decision = await house.engine.route(make_request(overrides=overrides))
        assert decision.model == "big"

    @virtual_time
    async def test_tools_count_as_prompt(self) -> None:
        """The descriptions of tools are part of what a model must hold and read."""
        house = House()
        tool = Tool("look", "d" * 396, "{}" * 200)
        house.one.play("small", answer("ok"))
        generation = GenerationOptions(tools=(tool,))
        await run(house.engine.complete(make_request(generation=generation)))
        assert house.observer.ends[0].prompt_tokens == 100 + 200


class TestChecking:
    """What is refused before anything is done."""

    @pytest.mark.parametrize("label", ["task_type", "domain", "tone"])
    def test_unknown_labels(self, label: str) -> None:
        """A label that the classifier does not know is refused, with those that it does."""
        overrides = replace(ProfileOverrides(), **{label: "astrology"})  # type: ignore[arg-type]
        with pytest.raises(InvalidRequest) as caught:
            check_overrides(overrides, VOCABULARY)
        (violation,) = caught.value.violations
        assert violation.field == f"overrides.{label}"
        assert "'astrology' is not one of" in violation.description

    def test_known_labels(self) -> None:
        """Labels of the vocabulary are let through, and so is nothing at all."""
        check_overrides(ProfileOverrides("code", "law", "neutral"), VOCABULARY)
        check_overrides(ProfileOverrides(), VOCABULARY)

    def test_every_wrong_label_is_named(self) -> None:
        """All that is wrong is said at once."""
        with pytest.raises(InvalidRequest) as caught:
            check_overrides(ProfileOverrides(task_type="x", tone="y"), VOCABULARY)
        assert [v.field for v in caught.value.violations] == [
            "overrides.task_type",
            "overrides.tone",
        ]

    @virtual_time
    async def test_unknown_models(self) -> None:
        """A constraint that names an unknown model is refused, with the field and the name."""
        constraints = RoutingConstraints(
            allowed_models=frozenset({"small", "gone"}), excluded_models=frozenset({"lost"})
        )
        request = make_request(constraints=constraints)
        house = House()
        for call in (house.engine.route(request), run(house.engine.complete(request))):
            with pytest.raises(InvalidRequest) as caught:
                await call
            assert [(v.field, v.description) for v in caught.value.violations] == [
                ("constraints.allowed_models", "no model is called 'gone'"),
                ("constraints.excluded_models", "no model is called 'lost'"),
            ]
        assert house.reader.reads == 0

    @virtual_time
    async def test_unknown_overrides_stop_every_call(self) -> None:
        """Classifying, routing and completing all refuse labels that nobody knows."""
        house = House()
        request = make_request(overrides=ProfileOverrides(domain="astrology"))
        for call in (
            house.engine.classify(request),
            house.engine.route(request),
            run(house.engine.complete(request)),
        ):
            with pytest.raises(InvalidRequest):
                await call


class TestAdmission:
    """How many calls are under way."""

    @virtual_time
    async def test_the_limit(self) -> None:
        """A call over the limit is refused at once, and the next one is let in."""
        house = House(limits=Limits(max_in_flight=1), reader=FakeReader(seconds=0.1))
        first = asyncio.create_task(house.engine.route(make_request()))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as caught:
            await house.engine.route(make_request())
        assert caught.value.retry_after_s > 0
        await first
        await house.engine.route(make_request())

    @virtual_time
    async def test_an_answer_holds_its_place(self) -> None:
        """An answer holds its place until its events have been closed."""
        house = House(limits=Limits(max_in_flight=1))
        house.one.play("small", answer("ok"))
        events = singly(house.engine.complete(make_request()).events())
        await anext(events)
        assert house.engine.admission.in_flight == 1
        with pytest.raises(Overloaded):
            await run(house.engine.complete(make_request()))
        await events.aclose()
        assert house.engine.admission.in_flight == 0
        await run(house.engine.complete(make_request()))

    @pytest.mark.parametrize(
        "request_",
        [
            make_request(constraints=RoutingConstraints(max_cost_nanos=0)),
            make_request(deadline=1000.0),
            make_request(overrides=ProfileOverrides(domain="astrology")),
        ],
    )
    def test_refused_calls_leave_no_trace(self, request_: Request) -> None:
        """A call that is refused gives its place back."""

        @virtual_time
        async def story() -> None:
            house = House()
            with pytest.raises((NoEligibleModel, DeadlineExceeded, InvalidRequest)):
                await run(house.engine.complete(request_))
            assert house.engine.admission.in_flight == 0
            assert house.observer.receipts == []

        story()

    @virtual_time
    async def test_draining(self) -> None:
        """A draining server takes nothing new, and leaves what is under way alone."""
        house = House()
        house.one.play("small", answer("ok", after=2.0))
        under_way = asyncio.create_task(run(house.engine.complete(make_request())))
        await asyncio.sleep(1.0)
        house.engine.admission.draining = True
        for call in (
            house.engine.route(make_request()),
            house.engine.classify(make_request()),
            run(house.engine.complete(make_request())),
        ):
            with pytest.raises(ShuttingDown):
                await call
        assert house.engine.admission.in_flight == 1
        assert isinstance((await under_way)[-1], Completed)
        assert house.engine.admission.in_flight == 0


class TestReceipts:
    """However a call ends, it is settled exactly once."""

    @virtual_time
    async def test_success(self) -> None:
        """A whole answer is settled without an error, after its events."""
        house = House()
        house.one.play("small", answer("Hello", after=0.5, gap=1.0))
        completion = house.engine.complete(make_request(context=CallContext(user_id="u")))
        events = await run(completion)
        assert isinstance(events[0], Decided)
        assert isinstance(events[-1], Completed)
        (receipt,) = house.observer.receipts
        assert receipt is completion.receipt
        assert receipt.error == ""
        assert receipt.decision_id == "d1"
        assert receipt.context.user_id == "u"
        assert (receipt.first_token_s, receipt.duration_s) == (0.5, 1.5)
        assert receipt.usage == events[-1].total_usage
        assert receipt.baseline_cost_nanos == 10 * 100 + 20 * 2
        assert [r.outcome for r in receipt.attempts] == [AttemptOutcome.COMPLETED]

    @virtual_time
    async def test_the_last_event_is_enough(self) -> None:
        """A caller who stops at `Completed` has a whole answer, and the receipt says so."""
        house = House()
        house.one.play("small", answer("Hello"))
        completion = house.engine.complete(make_request())
        async with aclosing(singly(completion.events())) as events:
            async for event in events:
                if isinstance(event, Completed):
                    break
        (receipt,) = house.observer.receipts
        assert receipt.error == ""

    @virtual_time
    async def test_failure(self) -> None:
        """A call that failed is settled with its error and what it spent."""
        house = House()
        house.one.play("small", [Fail(make_failure(FailureKind.REJECTED))])
        house.two.play("big", [Fail(make_failure(FailureKind.REJECTED))])
        completion = house.engine.complete(make_request())
        with pytest.raises(AllModelsFailed):
            await run(completion)
        (receipt,) = house.observer.receipts
        assert receipt is completion.receipt
        assert receipt.error == "AllModelsFailed"
        assert receipt.first_token_s is None
        assert len(receipt.attempts) == 2

    @virtual_time
    async def test_an_answer_that_broke_off(self) -> None:
        """An answer that broke off is settled with what came of it."""
        house = House()
        house.one.play("small", [TextChunk("12345678"), Fail(make_failure())])
        with pytest.raises(AnswerInterrupted):
            await run(house.engine.complete(make_request()))
        (receipt,) = house.observer.receipts
        assert receipt.error == "AnswerInterrupted"
        assert receipt.usage.output_tokens == 2

    @virtual_time
    async def test_a_bug(self) -> None:
        """An unexpected error is settled like any other."""
        house = House()
        house.one.play("small", [Wait(1.0), Crash(RuntimeError("a bug"))])
        with pytest.raises(RuntimeError):
            await run(house.engine.complete(make_request()))
        (receipt,) = house.observer.receipts
        assert receipt.error == "RuntimeError"
        assert house.one.open == []

    @virtual_time
    async def test_the_caller_leaves(self) -> None:
        """A caller who leaves in the middle is settled as cancelled, with every call closed."""
        house = House()
        house.one.play("small", answer("12345678", "more", gap=1.0))
        completion = house.engine.complete(make_request())
        async with aclosing(singly(completion.events())) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        (receipt,) = house.observer.receipts
        assert receipt.error == "Cancelled"
        assert receipt.usage.output_tokens == 2
        assert house.one.open == []

    @virtual_time
    async def test_the_caller_leaves_after_the_decision(self) -> None:
        """A caller who leaves before the provider was asked is settled with nothing spent."""
        house = House()
        completion = house.engine.complete(make_request())
        events = singly(completion.events())
        assert isinstance(await anext(events), Decided)
        await events.aclose()
        (receipt,) = house.observer.receipts
        assert receipt.error == "Cancelled"
        assert [a.outcome for a in receipt.attempts] == [AttemptOutcome.CANCELLED]
        assert receipt.usage.cost_nanos == 0
        assert house.one.calls == []

    @virtual_time
    async def test_the_task_is_cancelled_again_and_again(self) -> None:
        """However often a task is cancelled while it closes, it leaves exactly one receipt."""
        for times in range(1, 6):
            house = House()
            house.one.play("small", [Deaf(1.0)])
            task = asyncio.create_task(run(house.engine.complete(make_request())))
            await asyncio.sleep(0.5)
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0.01)
            with pytest.raises(asyncio.CancelledError):
                await task
            (receipt,) = house.observer.receipts
            assert receipt.error == "Cancelled"
            assert receipt.usage.input_tokens > 0
            await asyncio.sleep(5.0)

    @virtual_time
    async def test_the_task_is_cancelled(self) -> None:
        """A cancelled task is settled too."""
        house = House()
        house.one.play("small", [Hang()])
        task = asyncio.create_task(run(house.engine.complete(make_request())))
        await asyncio.sleep(2.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (receipt,) = house.observer.receipts
        assert receipt.error == "Cancelled"
        assert [r.outcome for r in receipt.attempts] == [AttemptOutcome.CANCELLED]
        assert house.one.open == []
        assert house.engine.admission.in_flight == 0

    @virtual_time
    async def test_the_registry_changes_under_a_call(self) -> None:
        """A call is settled at the prices it was decided with, even if its models have gone."""
        house = House()
        house.one.play("small", answer("Hello", gap=1.0))
        events = singly(house.engine.complete(make_request()).events())
        await anext(events)
        house.engine.router.registry = Registry([replace(SMALL, name="new")])
        assert [type(e) async for e in events][-1] is Completed
        (receipt,) = house.observer.receipts
        assert receipt.baseline_cost_nanos == 10 * 100 + 20 * 2

    @virtual_time
    async def test_a_call_that_is_never_iterated(self) -> None:
        """A completion whose events nobody asks for has done nothing, and holds no place."""
        house = House()
        completion = house.engine.complete(make_request())
        await completion.events().aclose()
        assert completion.receipt is None
        assert house.observer.receipts == []
        assert house.engine.admission.in_flight == 0


@virtual_time
async def test_observers_see_a_call_in_order() -> None:
    """The decision is told first, then the attempts, then the end.

    The first call is under way while the decision is being sent, so that sending costs no time.
    """
    house = House()
    house.one.play("small", answer("ok"))
    request = make_request()
    events = singly(house.engine.complete(request).events())
    await anext(events)
    assert [d.decision.decision_id for d in house.observer.decisions] == ["d1"]
    assert house.observer.decisions[0].messages is request.messages
    assert [s.model for s in house.observer.starts] == ["small"]
    async for _ in events:
        assert house.observer.receipts == []
    assert [s.model for s in house.observer.starts] == ["small"]
    assert len(house.observer.ends) == len(house.observer.receipts) == 1


@virtual_time
async def test_the_callers_options_reach_the_race() -> None:
    """RESTART lets another model start over; without it the answer just breaks off."""
    broken: list[Step] = [TextChunk("half"), Fail(make_failure())]
    house = House()
    house.one.play("small", broken)
    house.two.play("big", answer("whole"))
    options = ExecutionOptions(switch_policy=SwitchPolicy.RESTART)
    events = await run(house.engine.complete(make_request(execution=options)))
    assert isinstance(events[-1], Completed)
    assert events[-1].model == "big"


@virtual_time
async def test_what_is_refused_is_told() -> None:
    """A request that gets no decision is no secret from the operator, and takes no place."""
    house = House()
    request = make_request(constraints=RoutingConstraints(max_first_token_s=0.0001))
    with pytest.raises(NoEligibleModel):
        await run(house.engine.complete(request))
    with pytest.raises(NoEligibleModel):
        await house.engine.route(request)
    assert [type(e).__name__ for e in house.observer.refusals] == ["NoEligibleModel"] * 2
    assert house.observer.receipts == []
    assert house.engine.admission.in_flight == 0
