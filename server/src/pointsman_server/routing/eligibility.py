"""Which models may serve a request at all, and why the others may not."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman_server.domain.decision import Ineligibility, RoutingConstraints
from pointsman_server.domain.messages import GenerationOptions
from pointsman_server.domain.model import Capability, Model, ModelState
from pointsman_server.routing.expectation import Expectation

Verdict = tuple[Ineligibility, str] | None
"""Why not, as a code and as a sentence; ``None`` where the model may serve."""


def needed_capabilities(
    constraints: RoutingConstraints, generation: GenerationOptions
) -> frozenset[Capability]:
    """What the request's own content asks of a model, beyond what the caller demands."""
    needed = set(constraints.required_capabilities)
    if generation.tools:
        needed.add(Capability.TOOL_USE)
    if generation.response_json_schema is not None:
        needed.add(Capability.JSON_SCHEMA)
    return frozenset(needed)


def verdict(
    model: Model,
    expectation: Expectation,
    *,
    constraints: RoutingConstraints,
    needed: frozenset[Capability],
    prompt_tokens: int,
    wanted_output_tokens: int,
    time_left_s: float,
) -> Verdict:
    """Whether ``model`` may serve.

    ``wanted_output_tokens`` is the length below which an answer would be cut off for want of room
    or money; ``time_left_s`` what is left until the request's deadline.
    """
    if model.state is not ModelState.ENABLED:
        return Ineligibility.DISABLED, f"is {model.state.value}"
    demand = _violated_demand(model, constraints)
    if demand is not None:
        return Ineligibility.CONSTRAINED, demand
    missing = needed - model.capabilities
    if missing:
        names = ", ".join(sorted(missing))
        return Ineligibility.MISSING_CAPABILITY, f"lacks {names}"
    room = model.context_window - prompt_tokens
    if room < min(wanted_output_tokens, model.max_output_tokens):
        return (
            Ineligibility.CONTEXT_TOO_LONG,
            f"holds {model.context_window} tokens, and this needs about "
            f"{prompt_tokens} + {wanted_output_tokens}",
        )
    cap = constraints.max_cost_nanos
    if cap is not None and expectation.output_bound < min(
        wanted_output_tokens, model.max_output_tokens
    ):
        return Ineligibility.OVER_BUDGET, f"could not answer for {cap / 1e9:.6f} USD"
    if cap is not None and expectation.worst_cost_nanos > cap:
        return Ineligibility.OVER_BUDGET, f"may cost more than {cap / 1e9:.6f} USD"
    return _too_slow(expectation, constraints, time_left_s)


def _violated_demand(model: Model, constraints: RoutingConstraints) -> str | None:
    if model.name in constraints.excluded_models:
        return "excluded by the caller"
    if constraints.allowed_models and model.name not in constraints.allowed_models:
        return "not among the models that the caller allows"
    if constraints.allowed_regions and not constraints.allowed_regions & model.regions:
        runs_in = ", ".join(sorted(model.regions)) or "no stated region"
        return f"runs in {runs_in}"
    return None


def _too_slow(
    expectation: Expectation, constraints: RoutingConstraints, time_left_s: float
) -> Verdict:
    expected = expectation.first_token_s
    limit = constraints.max_first_token_s
    if limit is not None and expected > limit:
        return Ineligibility.TOO_SLOW, f"first token expected after {expected:.2f} s, not {limit:g}"
    if expected > time_left_s:
        return (
            Ineligibility.TOO_SLOW,
            f"first token expected after {expected:.2f} s; {max(0.0, time_left_s):.2f} s are left",
        )
    return None


def eligible(verdicts: Mapping[str, Verdict]) -> list[str]:
    """Names of the models that may serve."""
    return [name for name, why_not in verdicts.items() if why_not is None]
