"""Responses: domain to protobuf."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from pointsman.v1 import (
    classification_pb2,
    decision_pb2,
    registry_pb2,
    router_service_pb2,
    usage_pb2,
)

from pointsman_server.api import names
from pointsman_server.api.messages import to_tool_call_pb
from pointsman_server.api.status import duration
from pointsman_server.domain.decision import Candidate, Decision
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
from pointsman_server.domain.model import Model, ModelHealth
from pointsman_server.domain.money import NANOS_PER_USD, Usage
from pointsman_server.domain.observer import Receipt
from pointsman_server.domain.profile import Label, Profile

_router = router_service_pb2


def to_classification(profile: Profile, *, scores: bool) -> classification_pb2.Classification:
    """A profile for the wire; with all labels' scores where asked for."""
    message = classification_pb2.Classification(
        task_type=_label(profile.task_type, scores),
        domain=_label(profile.domain, scores),
        tone=_label(profile.tone, scores),
        complexity=names.TO_COMPLEXITY[profile.complexity],
        complexity_confidence=profile.complexity_confidence,
        urgency=names.TO_URGENCY[profile.urgency],
        urgency_confidence=profile.urgency_confidence,
        cost_sensitivity_confidence=profile.cost_sensitivity_confidence,
        confidence=profile.confidence,
        prompt_tokens=profile.prompt_tokens,
        truncated=profile.truncated,
        classifier_version=profile.classifier_version,
        duration=duration(profile.duration_s),
        complexity_score=profile.complexity_score,
        multi_step=profile.multi_step,
        expected_output_tokens=profile.expected_output_tokens or 0,
        complexity_sure=profile.complexity_sure,
        urgency_sure=profile.urgency_sure,
    )
    if profile.cost_sensitivity is not None:
        message.cost_sensitivity = names.TO_COST_SENSITIVITY[profile.cost_sensitivity]
    return message


def _label(label: Label, scores: bool) -> classification_pb2.Label:
    message = classification_pb2.Label(
        value=label.value, confidence=label.confidence, sure=label.sure
    )
    if scores:
        for value, score in label.scores or ((label.value, label.confidence),):
            message.scores.add(value=value, score=score)
    return message


def to_decision(decision: Decision, *, explain: bool) -> decision_pb2.Decision:
    """A decision for the wire; with candidates and reasons where asked for."""
    message = decision_pb2.Decision(
        decision_id=decision.decision_id,
        model=decision.model,
        fallback_models=decision.fallback_models,
        confidence=decision.confidence,
        basis=names.BASES[decision.basis],
        policy_version=decision.policy_version,
        propensity=decision.propensity,
        max_output_tokens=decision.output_bounds[decision.model],
        duration=duration(decision.duration_s),
        execution_strategy=names.STRATEGIES[decision.strategy],
        hedge_model=decision.hedge_model or "",
    )
    if decision.profile is not None:
        message.classification.CopyFrom(to_classification(decision.profile, scores=explain))
    if decision.hedge_delay_s is not None:
        message.hedge_delay.CopyFrom(duration(decision.hedge_delay_s))
    if explain:
        message.candidates.extend(_candidate(c) for c in decision.candidates)
        message.reasons.extend(decision.reasons)
    return message


def _candidate(candidate: Candidate) -> decision_pb2.Candidate:
    message = decision_pb2.Candidate(
        model=candidate.model,
        score=candidate.score,
        expected_quality=candidate.expected_quality,
        expected_cost_usd_nanos=candidate.expected_cost_nanos,
        expected_time_to_first_token=duration(candidate.expected_first_token_s),
        ineligibility_detail=candidate.why_not,
    )
    if candidate.ineligibility is not None:
        message.ineligibility = names.INELIGIBILITIES[candidate.ineligibility]
    return message


def to_usage(usage: Usage) -> usage_pb2.Usage:
    """Usage for the wire."""
    return usage_pb2.Usage(
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_usd_nanos=usage.cost_nanos,
        estimated=usage.estimated,
    )


def add_events(
    to: RepeatedCompositeFieldContainer[router_service_pb2.CompletionEvent],
    batch: Iterable[CompletionEvent],
    sequence: int,
    elapsed_s: float,
    *,
    explain: bool = False,
) -> None:
    """Put a batch into a message: numbered from ``sequence`` on, and timed from acceptance."""
    elapsed = duration(elapsed_s)
    for number, event in enumerate(batch, sequence):
        _fill(to.add(sequence=number, elapsed=elapsed), event, explain=explain)


def _fill(
    message: router_service_pb2.CompletionEvent, event: CompletionEvent, *, explain: bool
) -> None:
    match event:
        case TextDelta():
            message.delta.attempt = event.attempt
            message.delta.text = event.text
        case ToolCallDelta():
            message.delta.attempt = event.attempt
            message.delta.tool_call.CopyFrom(to_tool_call_pb(event.call))
        case Decided():
            message.decision.CopyFrom(to_decision(event.decision, explain=explain))
        case AttemptStarted():
            message.attempt_started.attempt = event.attempt
            message.attempt_started.model = event.model
            message.attempt_started.reason = names.ATTEMPT_REASONS[event.reason]
        case AttemptEnded():
            message.attempt_ended.attempt = event.attempt
            message.attempt_ended.outcome = names.ATTEMPT_OUTCOMES[event.outcome]
            message.attempt_ended.usage.CopyFrom(to_usage(event.usage))
            message.attempt_ended.message = event.message
        case ModelSwitched():
            message.model_switched.from_attempt = event.from_attempt
            message.model_switched.to_attempt = event.to_attempt
            message.model_switched.model = event.model
            message.model_switched.reason = names.ATTEMPT_REASONS[event.reason]
            message.model_switched.discard = event.discard
        case Completed():
            message.completed.CopyFrom(_completed(event))


def to_answer(
    events: Iterable[CompletionEvent], *, explain: bool
) -> router_service_pb2.GenerateResponse:
    """A whole answer out of all its events, without what was discarded."""
    message = _router.GenerateResponse()
    texts: list[str] = []
    for event in events:
        match event:
            case Decided():
                message.decision.CopyFrom(to_decision(event.decision, explain=explain))
            case TextDelta(_, text):
                texts.append(text)
            case ToolCallDelta(_, call):
                message.tool_calls.append(to_tool_call_pb(call))
            case ModelSwitched(discard=True):
                texts.clear()
                del message.tool_calls[:]
            case Completed():
                message.completed.CopyFrom(_completed(event))
            case _:
                pass
    message.text = "".join(texts)
    return message


def _completed(event: Completed) -> router_service_pb2.Completed:
    message = _router.Completed(
        attempt=event.attempt,
        model=event.model,
        finish_reason=names.FINISH_REASONS[event.finish_reason],
        usage=to_usage(event.usage),
        total_usage=to_usage(event.total_usage),
        decision_id=event.decision_id,
        baseline_model=event.baseline_model,
        baseline_cost_usd_nanos=event.baseline_cost_nanos,
    )
    if event.first_token_s is not None:
        message.time_to_first_token.CopyFrom(duration(event.first_token_s))
    return message


def decision_headers(decision: Decision, overhead_s: float) -> Mapping[str, str]:
    """What a client learns from metadata alone, before the first message.

    ``overhead_s`` is the time from acceptance to the decision: what routing itself has taken.
    """
    return {
        "x-pointsman-decision-id": decision.decision_id,
        "x-pointsman-model": decision.model,
        "x-pointsman-basis": decision.basis.value,
        "x-pointsman-confidence": f"{decision.confidence:.3f}",
        "x-pointsman-overhead-ms": f"{overhead_s * 1000:.3f}",
    }


def receipt_trailers(receipt: Receipt) -> Mapping[str, str]:
    """What a client learns from metadata alone, at the end."""
    hedged = any(a.reason.value == "hedge" for a in receipt.attempts)
    return {
        "x-pointsman-cost-usd": _usd(receipt.usage.cost_nanos),
        "x-pointsman-baseline-cost-usd": _usd(receipt.baseline_cost_nanos),
        "x-pointsman-attempts": str(len(receipt.attempts)),
        "x-pointsman-hedged": "true" if hedged else "false",
    }


def _usd(nanos: int) -> str:
    return f"{nanos // NANOS_PER_USD}.{nanos % NANOS_PER_USD:09d}"


def to_model(model: Model, health: ModelHealth) -> registry_pb2.Model:
    """A model of the registry, with how it has been doing."""
    pricing = registry_pb2.Pricing(
        input_usd_nanos_per_million_tokens=model.pricing.input,
        cached_input_usd_nanos_per_million_tokens=model.pricing.cached_input,
        output_usd_nanos_per_million_tokens=model.pricing.output,
    )
    return registry_pb2.Model(
        name=model.name,
        provider=model.provider,
        provider_model=model.provider_model,
        capabilities=sorted(names.TO_CAPABILITY[c] for c in model.capabilities),
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        pricing=pricing,
        quality_priors=dict(model.quality_priors),
        regions=sorted(model.regions),
        state=names.TO_MODEL_STATE[model.state],
        health=_health(health),
        tier=names.TO_TIER[model.tier],
        strengths=sorted(model.strengths),
        weaknesses=sorted(model.weaknesses),
        open_weights=model.open_weights,
    )


def _health(health: ModelHealth) -> registry_pb2.ModelHealth:
    message = registry_pb2.ModelHealth(
        in_flight=health.in_flight,
        calls=health.calls,
        failure_rate=health.failure_rate,
        output_tokens_per_second_p50=health.tokens_per_s_p50 or 0.0,
    )
    if health.first_token_p50_s is not None:
        message.time_to_first_token_p50.CopyFrom(duration(health.first_token_p50_s))
    if health.first_token_p95_s is not None:
        message.time_to_first_token_p95.CopyFrom(duration(health.first_token_p95_s))
    message.observe_time.GetCurrentTime()
    return message
