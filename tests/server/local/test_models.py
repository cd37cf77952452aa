from __future__ import annotations

import pytest
from pointsman_server.domain.model import Capability, Tier
from pointsman_server.domain.money import Usage
from pointsman_server.providers.local.models import (
    LOCAL_MODELS,
    LocalModel,
    local_model,
    local_models,
    shadow_price,
)

every_model = pytest.mark.parametrize("model", LOCAL_MODELS, ids=lambda m: m.weights.name)


def test_the_registry_gets_each_tier_once() -> None:
    assert [(m.name, m.tier) for m in local_models()] == [
        ("local/smollm2-135m", Tier.CHEAP),
        ("local/qwen2.5-coder-0.5b", Tier.MIDDLE),
        ("local/qwen2.5-coder-1.5b", Tier.STRONG),
    ]


@every_model
def test_entries_say_what_local_models_are(model: LocalModel) -> None:
    entry = model.registry_entry("here")

    assert entry.provider == "here"
    assert entry.provider_model == model.weights.name
    assert entry.open_weights
    assert entry.machine == "local"
    assert entry.capabilities == {Capability.JSON_SCHEMA}
    assert entry.max_output_tokens < entry.context_window <= model.weights.context
    assert not entry.strengths & entry.weaknesses
    assert all(0 < quality < 1 for quality in entry.quality_priors.values())


@every_model
def test_quality_is_stated_for_every_task_type(model: LocalModel) -> None:
    assert set(model.quality_priors) == {
        "simple_qa",
        "long_form",
        "code",
        "analysis",
        "multi_step",
    }


def test_a_larger_model_is_dearer_and_better() -> None:
    for smaller, larger in zip(local_models(), local_models()[1:], strict=False):
        assert smaller.pricing.input < larger.pricing.input
        assert smaller.pricing.output < larger.pricing.output
        for task, quality in smaller.quality_priors.items():
            assert quality <= larger.quality_priors[task]


def test_a_price_is_the_machines_time() -> None:
    """One core for an hour at one token a second: 3600 tokens for $0.04."""
    pricing = shadow_price(1.0, cores=1)

    assert pricing * 3600 / 1_000_000 == pytest.approx(40_000_000, abs=1)
    assert shadow_price(10.0, cores=2) == pytest.approx(pricing * 2 / 10, abs=1)


def test_cached_input_costs_nothing() -> None:
    pricing = local_models()[0].pricing

    assert pricing.cost(Usage(input_tokens=100, cached_input_tokens=100)) == 0
    assert pricing.cost(Usage(input_tokens=100)) > 0


def test_a_model_is_found_by_its_weights_name() -> None:
    assert local_model("smollm2-135m") is LOCAL_MODELS[0]
    with pytest.raises(KeyError):
        local_model("gpt")
