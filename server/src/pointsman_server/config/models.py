"""Model sections to registry entries: what is written, else the snapshot, else our judgement."""

from __future__ import annotations

from dataclasses import replace

from pointsman_server.config.errors import Problem
from pointsman_server.config.schema import ModelSection
from pointsman_server.config.source import Source
from pointsman_server.domain.model import Capability, LatencyPrior, Model, ModelState, Tier
from pointsman_server.domain.money import Pricing
from pointsman_server.registry.catalogue import (
    DEFAULT_CONTEXT_WINDOW,
    DEFAULT_MAX_OUTPUT,
    JUDGEMENTS,
    Facts,
    Judgement,
    snapshot,
)
from pointsman_server.routing.tree import TIERS


def default_models(provider: str, vendor: str | None) -> list[Model]:
    """The models that a well-known provider brings where none of its models is configured."""
    return [
        from_facts(f"{provider}/{known.partition('/')[2]}", provider, snapshot().facts[known], j)
        for known, j in JUDGEMENTS.items()
        if known.partition("/")[0] == vendor
    ]


def from_facts(name: str, provider: str, facts: Facts, judgement: Judgement) -> Model:
    """A registry entry of nothing but what is known already."""
    return Model(
        name=name,
        provider=provider,
        provider_model=name.partition("/")[2],
        tier=judgement.tier,
        context_window=facts.context_window,
        max_output_tokens=facts.max_output_tokens,
        pricing=facts.pricing,
        capabilities=facts.capabilities,
        strengths=judgement.strengths,
        weaknesses=judgement.weaknesses,
        open_weights=judgement.open_weights,
        latency=judgement.latency,
    )


def configured_model(
    name: str, section: ModelSection, provider: str, vendor: str | None, source: Source
) -> Model | Problem:
    """A registry entry from a section of the file, or what is missing in it."""
    known = f"{vendor}/{section.provider_model or name.partition('/')[2]}"
    facts = snapshot().facts.get(known)
    if facts is None and section.price is None:
        return source.problem(
            ("models", name),
            f"no price is known for {known!r}" if vendor else "needs a price",
            "write price: {input: $0.10, output: $0.40}, in dollars a million tokens "
            "(0 for a model that costs nothing)",
        )
    if facts is None:
        facts = Facts(Pricing(), DEFAULT_CONTEXT_WINDOW, DEFAULT_MAX_OUTPUT, frozenset())
    judgement = JUDGEMENTS.get(known, Judgement(Tier.MIDDLE))
    model = from_facts(name, provider, facts, judgement)
    return overridden(model, section)


def overridden(model: Model, section: ModelSection) -> Model:
    """``model`` with everything that its section says."""
    window = section.context_window or model.context_window
    output = section.max_output_tokens or model.max_output_tokens
    changed = replace(
        model,
        provider_model=section.provider_model or model.provider_model,
        context_window=window,
        max_output_tokens=min(output, window),
        quality_priors={**model.quality_priors, **section.quality},
        regions=frozenset(section.regions) or model.regions,
        state=ModelState.ENABLED if section.enabled else ModelState.DISABLED,
        first_token_timeout_s=section.timeout,
        machine=section.machine or model.machine,
    )
    if section.tier is not None:
        changed = replace(changed, tier=TIERS[section.tier])
    if section.price is not None:
        price = section.price
        cached = price.input if price.cached_input is None else price.cached_input
        changed = replace(changed, pricing=Pricing(price.input, cached, price.output))
    if section.capabilities is not None:
        capabilities = frozenset(map(Capability, section.capabilities))
        changed = replace(changed, capabilities=capabilities)
    if section.strengths is not None:
        changed = replace(changed, strengths=frozenset(section.strengths))
    if section.weaknesses is not None:
        changed = replace(changed, weaknesses=frozenset(section.weaknesses))
    if section.open_weights is not None:
        changed = replace(changed, open_weights=section.open_weights)
    if section.first_token is not None:
        latency = LatencyPrior(section.first_token, model.latency.tokens_per_s)
        changed = replace(changed, latency=latency)
    return changed
