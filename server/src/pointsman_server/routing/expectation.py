"""What a call is expected to cost, take and be worth, before it is made."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_server.domain.messages import GenerationOptions
from pointsman_server.domain.model import Model, Tier
from pointsman_server.domain.money import Usage
from pointsman_server.domain.profile import Profile
from pointsman_server.registry.health import HealthView

# medians by task type, and over all, of the lengths that the classifier's prompts are labelled with
_OUTPUT_TOKENS = {
    "simple_qa": 80,
    "code": 250,
    "analysis": 320,
    "long_form": 500,
    "multi_step": 1100,
}
_OUTPUT_TOKENS_UNKNOWN = 300

ROOM_FOR_ANSWERS = 2
"""How many times its expected length an answer is given room for."""

GIVEN_UP_S = 3600.0
"""The first-token time expected of a model that most calls were given up on. Finite, since neither
protobuf nor JSON has an infinite duration."""

_QUALITY_OF_TIER = {Tier.CHEAP: 0.55, Tier.MIDDLE: 0.75, Tier.STRONG: 0.9}
_QUALITY_PER_MISSING_TIER = 0.2
_QUALITY_OF_STRENGTH = 0.08


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one model is expected to do with one prompt.

    ``quality`` is a probability of a good answer, costs are nano-dollars, ``first_token_s``
    seconds. ``worst_cost_nanos`` is the cost if the answer is as long as ``output_bound``.
    """

    quality: float
    cost_nanos: int
    worst_cost_nanos: int
    first_token_s: float
    output_tokens: int
    output_bound: int


def expected_output_tokens(profile: Profile | None, generation: GenerationOptions) -> int:
    """The median of how long the answer may be, in tokens, within the caller's bound.

    As the classifier read it from the prompt; by task type alone where it did not.
    """
    return _bounded(_likely_output_tokens(profile), generation)


def wanted_output_tokens(profile: Profile | None, generation: GenerationOptions) -> int:
    """The length, in tokens, below which an answer would be cut off, within the caller's bound.

    Half of the answers are longer than the expected length, which is their median, so that room
    for no more would cut off every second one. `ROOM_FOR_ANSWERS` times as much has room for 85
    in 100 of the lengths that annotators gave prompts which the classifier never saw. Room for
    nearly all would turn away models, and requests with little money, that mostly have enough.
    """
    return _bounded(ROOM_FOR_ANSWERS * _likely_output_tokens(profile), generation)


def _likely_output_tokens(profile: Profile | None) -> int:
    if profile is None:
        return _OUTPUT_TOKENS_UNKNOWN
    if profile.expected_output_tokens is not None:
        return profile.expected_output_tokens
    return _OUTPUT_TOKENS.get(profile.task_type.value, _OUTPUT_TOKENS_UNKNOWN)


def _bounded(tokens: int, generation: GenerationOptions) -> int:
    bound = generation.max_output_tokens
    return tokens if bound is None else min(tokens, bound)


def expected_quality(model: Model, profile: Profile | None) -> float:
    """A prior, not a measurement: where learning from outcomes will start.

    The registry's prior for the task type (else the tier's), less a penalty for each tier that
    the prompt's complexity asks for and the model lacks, corrected for strengths and weaknesses.
    """
    prior = _QUALITY_OF_TIER[model.tier]
    if profile is None:
        return prior
    quality = model.quality_priors.get(profile.task_type.value, prior)
    quality -= _QUALITY_PER_MISSING_TIER * max(0, int(profile.complexity) - int(model.tier))
    quality += _QUALITY_OF_STRENGTH * (is_tuned(model, profile) - is_weak(model, profile))
    return min(max(quality, 0.01), 0.99)


def is_tuned(model: Model, profile: Profile) -> bool:
    """Whether the prompt's domain or task type is among the model's strengths."""
    return profile.domain.value in model.strengths or profile.task_type.value in model.strengths


def is_weak(model: Model, profile: Profile) -> bool:
    """Whether the prompt's domain or task type is among the model's weaknesses."""
    return profile.domain.value in model.weaknesses or profile.task_type.value in model.weaknesses


def expect(
    model: Model,
    profile: Profile | None,
    prompt_tokens: int,
    generation: GenerationOptions,
    *,
    default_output_bound: int,
    max_cost_nanos: int | None,
    health: HealthView,
) -> Expectation:
    """Everything that the filter and the policy want to know of one model.

    The output bound is the caller's (else ``default_output_bound``), lowered to what the model
    and its context window allow and to what ``max_cost_nanos`` can pay for; it may come out as
    zero or less, and then the model cannot serve.
    """
    room = model.context_window - prompt_tokens
    bound = generation.max_output_tokens or default_output_bound
    bound = min(bound, model.max_output_tokens, room)
    pricing = model.pricing
    if max_cost_nanos is not None and pricing.output > 0:
        left = max_cost_nanos - pricing.cost(Usage(input_tokens=prompt_tokens))
        bound = min(bound, max(0, left) * 1_000_000 // pricing.output)
    output = min(expected_output_tokens(profile, generation), max(bound, 0))
    live = health.first_token_quantile(model.name, prompt_tokens, 0.5)
    return Expectation(
        quality=expected_quality(model, profile),
        cost_nanos=pricing.cost(Usage(input_tokens=prompt_tokens, output_tokens=output)),
        worst_cost_nanos=pricing.cost(
            Usage(input_tokens=prompt_tokens, output_tokens=max(bound, 0))
        ),
        first_token_s=model.latency.first_token_s if live is None else min(live, GIVEN_UP_S),
        output_tokens=output,
        output_bound=bound,
    )
