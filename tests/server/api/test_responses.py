"""The domain's values on the wire."""

from __future__ import annotations

import dataclasses

import pytest
from builders import make_model, make_profile
from pointsman.v1 import classification_pb2, decision_pb2, registry_pb2, router_service_pb2
from pointsman_server.api import responses
from pointsman_server.domain.attempts import (
    AttemptOutcome,
    AttemptReason,
    AttemptRecord,
    FinishReason,
)
from pointsman_server.domain.decision import (
    Candidate,
    Decision,
    DecisionBasis,
    ExecutionStrategy,
    Ineligibility,
)
from pointsman_server.domain.events import (
    AttemptEnded,
    AttemptStarted,
    Completed,
    CompletionEvent,
    Decided,
    ModelSwitched,
    TextDelta,
    ToolCallDelta,
)
from pointsman_server.domain.messages import ToolCall
from pointsman_server.domain.model import Capability, ModelHealth, Tier
from pointsman_server.domain.money import Usage
from pointsman_server.domain.observer import Receipt
from pointsman_server.domain.profile import Complexity, CostSensitivity, Label, Urgency
from pointsman_server.domain.request import CallContext

USAGE = Usage(100, 20, 30, 5, 123_456_789, estimated=True)
DECISION = Decision(
    decision_id="d1",
    model="acme/a",
    fallback_models=("acme/b", "other/c"),
    profile=make_profile(
        Complexity.HIGH, urgency=Urgency.LOW, cost_sensitivity=CostSensitivity.MEDIUM
    ),
    confidence=0.87654,
    basis=DecisionBasis.DECISION_TREE,
    strategy=ExecutionStrategy.HEDGED,
    policy_version="tree@1",
    propensity=1.0,
    candidates=(
        Candidate("acme/a", 1.0, 0.9, 77, 0.5),
        Candidate("old", 0.0, 0.4, 5, 2.5, Ineligibility.DISABLED, "is disabled"),
    ),
    reasons=("complexity = high -> strong",),
    output_bounds={"acme/a": 512, "acme/b": 9, "other/c": 9},
    baseline_model="acme/a",
    hedge_model="other/c",
    hedge_delay_s=0.25,
    duration_s=0.001,
)


def test_a_classification() -> None:
    profile = dataclasses.replace(
        make_profile(cost_sensitivity=CostSensitivity.HIGH), truncated=True
    )
    sent = responses.to_classification(profile, scores=True).SerializeToString()
    message = classification_pb2.Classification.FromString(sent)
    assert (message.task_type.value, message.task_type.confidence) == ("simple_qa", 0.9)
    assert [(s.value, s.score) for s in message.task_type.scores] == [("simple_qa", 0.9)]
    assert (message.domain.value, message.tone.value) == ("general", "neutral")
    assert message.complexity == classification_pb2.COMPLEXITY_MEDIUM
    assert message.complexity_confidence == 0.6
    assert message.urgency == classification_pb2.URGENCY_NORMAL
    assert message.urgency_confidence == 0.5
    assert message.cost_sensitivity == classification_pb2.COST_SENSITIVITY_HIGH
    assert (message.confidence, message.prompt_tokens, message.truncated) == (0.9, 100, True)
    assert (message.classifier_version, message.duration.nanos) == ("test", 1_000_000)
    assert (message.complexity_score, message.multi_step) == (0.4, 0.2)
    assert message.expected_output_tokens == 120
    plain = responses.to_classification(make_profile(), scores=False)
    assert not plain.task_type.scores
    assert plain.cost_sensitivity == classification_pb2.COST_SENSITIVITY_UNSPECIFIED


@pytest.mark.parametrize("sure", ["task_type", "domain", "tone", "complexity", "urgency"])
def test_which_readings_are_sure(sure: str) -> None:
    profile = dataclasses.replace(
        make_profile(),
        task_type=Label("code", 0.5, sure=sure == "task_type"),
        domain=Label("law", 0.5, sure=sure == "domain"),
        tone=Label("neutral", 0.5, sure=sure == "tone"),
        complexity_sure=sure == "complexity",
        urgency_sure=sure == "urgency",
    )
    message = responses.to_classification(profile, scores=False)
    said = {
        "task_type": message.task_type.sure,
        "domain": message.domain.sure,
        "tone": message.tone.sure,
        "complexity": message.complexity_sure,
        "urgency": message.urgency_sure,
    }
    assert [name for name, true in said.items() if true] == [sure]


def test_no_length_is_no_number() -> None:
    message = responses.to_classification(make_profile(expected_output_tokens=None), scores=False)
    assert message.expected_output_tokens == 0


def test_a_label_that_the_caller_knew_has_itself_for_scores() -> None:
    profile = make_profile()
    known = dataclasses.replace(profile.task_type, scores=(), confidence=1.0)
    message = responses.to_classification(
        dataclasses.replace(profile, task_type=known), scores=True
    )
    assert [(s.value, s.score) for s in message.task_type.scores] == [("simple_qa", 1.0)]


def test_a_decision() -> None:
    message = responses.to_decision(DECISION, explain=False)
    assert (message.decision_id, message.model) == ("d1", "acme/a")
    assert list(message.fallback_models) == ["acme/b", "other/c"]
    assert message.classification.complexity == classification_pb2.COMPLEXITY_HIGH
    assert (message.confidence, message.propensity) == (0.87654, 1.0)
    assert message.basis == decision_pb2.DECISION_BASIS_DECISION_TREE
    assert message.execution_strategy == decision_pb2.EXECUTION_STRATEGY_HEDGED
    assert (message.hedge_model, message.hedge_delay.nanos) == ("other/c", 250_000_000)
    assert (message.policy_version, message.max_output_tokens) == ("tree@1", 512)
    assert message.duration.nanos == 1_000_000
    assert not message.candidates
    assert not message.reasons


def test_an_explained_decision() -> None:
    message = responses.to_decision(DECISION, explain=True)
    best, out = message.candidates
    assert (best.model, best.score, best.expected_quality) == ("acme/a", 1.0, 0.9)
    assert best.expected_cost_usd_nanos == 77
    assert best.expected_time_to_first_token.nanos == 500_000_000
    assert (best.ineligibility, best.ineligibility_detail) == (0, "")
    assert out.ineligibility == decision_pb2.INELIGIBILITY_DISABLED
    assert out.ineligibility_detail == "is disabled"
    assert list(message.reasons) == ["complexity = high -> strong"]
    assert message.classification.task_type.scores


def test_a_decision_without_a_reading_or_a_hedge() -> None:
    bare = dataclasses.replace(
        DECISION,
        profile=None,
        hedge_model=None,
        hedge_delay_s=None,
        basis=DecisionBasis.DEFAULT,
        strategy=ExecutionStrategy.SINGLE,
    )
    message = responses.to_decision(bare, explain=True)
    assert not message.HasField("classification")
    assert not message.HasField("hedge_delay")
    assert message.hedge_model == ""


def test_usage() -> None:
    message = responses.to_usage(USAGE)
    assert (message.input_tokens, message.cached_input_tokens) == (100, 20)
    assert (message.output_tokens, message.reasoning_tokens) == (30, 5)
    assert (message.cost_usd_nanos, message.estimated) == (123_456_789, True)


COMPLETED = Completed(1, "m", FinishReason.MAX_TOKENS, USAGE, USAGE + USAGE, 0.5, "d1", "big", 99)
EVENTS: dict[str, CompletionEvent] = {
    "decision": Decided(DECISION),
    "attempt_started": AttemptStarted(2, "m", AttemptReason.HEDGE),
    "attempt_ended": AttemptEnded(2, AttemptOutcome.LOST_RACE, USAGE, "was second"),
    "delta": TextDelta(2, "héllo"),
    "model_switched": ModelSwitched(0, 2, "m", AttemptReason.FALLBACK, discard=True),
    "completed": COMPLETED,
}


def encoded(
    event: CompletionEvent, sequence: int = 0, elapsed_s: float = 0.0
) -> router_service_pb2.CompletionEvent:
    response = router_service_pb2.CompleteResponse()
    responses.add_events(response.events, [event], sequence, elapsed_s)
    (message,) = response.events
    return message


def test_a_batch_is_numbered_in_order() -> None:
    response = router_service_pb2.CompleteResponse()
    responses.add_events(response.events, EVENTS.values(), 3, 0.5)
    assert [e.sequence for e in response.events] == list(range(3, 3 + len(EVENTS)))
    assert [e.WhichOneof("event") for e in response.events] == list(EVENTS)


def test_a_whole_answer_is_put_together_from_its_events() -> None:
    """What was discarded is not part of it."""
    call = ToolCall("1", "f", "{}")
    events: list[CompletionEvent] = [
        EVENTS["decision"],
        TextDelta(0, "dropped"),
        ToolCallDelta(0, ToolCall("0", "dropped", "{}")),
        EVENTS["model_switched"],
        TextDelta(2, "hé"),
        TextDelta(2, "llo"),
        ToolCallDelta(2, call),
        COMPLETED,
    ]
    answer = responses.to_answer(events, explain=False)
    assert answer.text == "héllo"
    assert [(c.call_id, c.name) for c in answer.tool_calls] == [("1", "f")]
    assert answer.completed == encoded(COMPLETED).completed
    assert answer.decision == encoded(EVENTS["decision"]).decision


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_has_its_envelope(name: str) -> None:
    message = encoded(EVENTS[name], 7, 1.25)
    assert message.WhichOneof("event") == name
    assert message.sequence == 7
    assert (message.elapsed.seconds, message.elapsed.nanos) == (1, 250_000_000)
    again = router_service_pb2.CompletionEvent.FromString(message.SerializeToString())
    assert again == message


def test_there_is_an_example_of_every_event() -> None:
    kinds = {type(e) for e in EVENTS.values()} | {ToolCallDelta}
    assert kinds == set(CompletionEvent.__args__)


def test_what_events_carry() -> None:
    def event(name: str) -> router_service_pb2.CompletionEvent:
        return encoded(EVENTS[name], 0, 0.0)

    started = event("attempt_started").attempt_started
    assert (started.attempt, started.model) == (2, "m")
    assert started.reason == router_service_pb2.ATTEMPT_REASON_HEDGE
    ended = event("attempt_ended").attempt_ended
    assert (ended.attempt, ended.message) == (2, "was second")
    assert ended.outcome == router_service_pb2.ATTEMPT_OUTCOME_LOST_RACE
    assert ended.usage.cost_usd_nanos == 123_456_789
    assert (event("delta").delta.attempt, event("delta").delta.text) == (2, "héllo")
    switched = event("model_switched").model_switched
    assert (switched.from_attempt, switched.to_attempt, switched.model) == (0, 2, "m")
    assert switched.reason == router_service_pb2.ATTEMPT_REASON_FALLBACK
    assert switched.discard
    completed = event("completed").completed
    assert (completed.attempt, completed.model, completed.decision_id) == (1, "m", "d1")
    assert completed.finish_reason == router_service_pb2.FINISH_REASON_MAX_TOKENS
    assert completed.total_usage.cost_usd_nanos == 2 * completed.usage.cost_usd_nanos
    assert completed.time_to_first_token.nanos == 500_000_000
    assert (completed.baseline_model, completed.baseline_cost_usd_nanos) == ("big", 99)
    late = dataclasses.replace(COMPLETED, first_token_s=None)
    message = encoded(late, 0, 0.0)
    assert not message.completed.HasField("time_to_first_token")


def test_a_tool_call_is_sent_as_the_model_wrote_it() -> None:
    event = ToolCallDelta(0, ToolCall("1", "f", '{"x": "é"'))
    message = encoded(event, 0, 0.0).delta
    assert message.WhichOneof("delta") == "tool_call"
    assert (message.tool_call.call_id, message.tool_call.name) == ("1", "f")
    assert message.tool_call.arguments_json == '{"x": "é"'


def test_headers_of_a_decision() -> None:
    assert responses.decision_headers(DECISION, 0.0012345) == {
        "x-pointsman-overhead-ms": "1.234",
        "x-pointsman-decision-id": "d1",
        "x-pointsman-model": "acme/a",
        "x-pointsman-basis": "decision_tree",
        "x-pointsman-confidence": "0.877",
    }


def test_trailers_of_a_receipt() -> None:
    def record(reason: AttemptReason) -> AttemptRecord:
        return AttemptRecord(0, "m", "p", reason, AttemptOutcome.COMPLETED, USAGE, 0.0, 1.0)

    receipt = Receipt(
        "d1", CallContext(), (record(AttemptReason.PRIMARY),), USAGE, 2_000_000_001, "", 0.5, 1.0
    )
    assert responses.receipt_trailers(receipt) == {
        "x-pointsman-cost-usd": "0.123456789",
        "x-pointsman-baseline-cost-usd": "2.000000001",
        "x-pointsman-attempts": "1",
        "x-pointsman-hedged": "false",
    }
    hedged = dataclasses.replace(
        receipt, attempts=(record(AttemptReason.PRIMARY), record(AttemptReason.HEDGE))
    )
    trailers = responses.receipt_trailers(hedged)
    assert (trailers["x-pointsman-attempts"], trailers["x-pointsman-hedged"]) == ("2", "true")


def test_a_model() -> None:
    model = make_model(
        "a",
        Tier.STRONG,
        capabilities=[Capability.REASONING, Capability.TOOL_USE],
        quality_priors={"code": 0.9},
        strengths=["law", "code"],
        weaknesses=["math"],
        regions=["us", "eu"],
        price=(100, 200),
    )
    health = ModelHealth(3, 40, 0.25, 0.5, 1.5, 80.0)
    message = responses.to_model(model, health)
    assert (message.name, message.provider, message.provider_model) == ("a", "acme", "a-v1")
    assert list(message.capabilities) == [
        registry_pb2.CAPABILITY_TOOL_USE,
        registry_pb2.CAPABILITY_REASONING,
    ]
    assert (message.context_window, message.max_output_tokens) == (100_000, 4096)
    assert message.pricing.input_usd_nanos_per_million_tokens == 100
    assert message.pricing.cached_input_usd_nanos_per_million_tokens == 10
    assert message.pricing.output_usd_nanos_per_million_tokens == 200
    assert dict(message.quality_priors) == {"code": 0.9}
    assert list(message.regions) == ["eu", "us"]
    assert (message.state, message.tier) == (1, registry_pb2.TIER_STRONG)
    assert (list(message.strengths), list(message.weaknesses)) == (["code", "law"], ["math"])
    assert (message.health.in_flight, message.health.calls) == (3, 40)
    assert message.health.failure_rate == 0.25
    assert message.health.time_to_first_token_p50.nanos == 500_000_000
    assert message.health.time_to_first_token_p95.seconds == 1
    assert message.health.output_tokens_per_second_p50 == 80.0
    assert message.health.observe_time.seconds > 0


def test_a_model_of_which_nothing_was_heard() -> None:
    message = responses.to_model(make_model(), ModelHealth(0, 0, 0.0, None, None, None))
    assert not message.health.HasField("time_to_first_token_p50")
    assert not message.health.HasField("time_to_first_token_p95")
    assert message.health.output_tokens_per_second_p50 == 0.0
