"""What the local models are good for, how fast they are, and what their time is worth.

Speeds were measured on two cores of a virtual machine (Zen 3, AVX2) with two threads, while
another process used what they left.

Qualities of simple_qa, analysis and code were measured at temperature 0 on 16, 15 and 15 easy
prompts whose answers a program checks (the code by running it): of these SmolLM2 got 12, 2 and 3
right, Qwen2.5 Coder 0.5B 12, 7 and 13, 1.5B 16, 11 and 15. What is written here is
(right + 1) / (prompts + 2). Those of long_form and multi_step are guesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pointsman_server.domain.model import Capability, LatencyPrior, Model, Tier
from pointsman_server.domain.money import Pricing
from pointsman_server.providers.local.catalogue import (
    QWEN_CODER_05B,
    QWEN_CODER_15B,
    SMOLLM2_135M,
    Weights,
)

CORE_HOUR_NANOS = 40_000_000
"""What an hour of one core costs, in nano-dollars: $0.04, about a small cloud machine's price."""

MACHINE = "local"
MEASURED_CORES = 2

_TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, slots=True)
class LocalModel:
    """Weights, and how to serve and value them.

    ``input_tokens_per_s`` and ``output_tokens_per_s`` are those of one call alone on
    ``MEASURED_CORES`` cores. ``slot_context`` is the context of each call, in tokens.
    ``instructions`` replaces the system prompt of the model's own chat template.
    """

    weights: Weights
    tier: Tier
    slot_context: int
    max_output_tokens: int
    first_token_s: float
    input_tokens_per_s: float
    output_tokens_per_s: float
    quality_priors: Mapping[str, float]
    instructions: str | None = None
    strengths: frozenset[str] = frozenset()
    weaknesses: frozenset[str] = frozenset()

    def registry_entry(self, provider: str) -> Model:
        """The model as the router sees it, served by the account called ``provider``."""
        return Model(
            name=f"local/{self.weights.name}",
            provider=provider,
            provider_model=self.weights.name,
            tier=self.tier,
            context_window=self.slot_context,
            max_output_tokens=self.max_output_tokens,
            pricing=Pricing(
                input=shadow_price(self.input_tokens_per_s, MEASURED_CORES),
                output=shadow_price(self.output_tokens_per_s, MEASURED_CORES),
            ),
            # llama.cpp constrains sampling to the schema; tool calls did not work with these.
            capabilities=frozenset({Capability.JSON_SCHEMA}),
            quality_priors=self.quality_priors,
            strengths=self.strengths,
            weaknesses=self.weaknesses,
            open_weights=True,
            latency=LatencyPrior(
                first_token_s=self.first_token_s, tokens_per_s=self.output_tokens_per_s
            ),
            machine=MACHINE,
        )


def shadow_price(tokens_per_s: float, cores: int) -> int:
    """What a million tokens are worth in machine time, in nano-dollars.

    price = `CORE_HOUR_NANOS` · cores ÷ 3600 s ÷ tokens_per_s · 1,000,000

    Nobody sends a bill for a local model, yet its time is not free: with a price of nothing a
    router that minimises cost would send everything there. Cached input takes no time and costs
    nothing.
    """
    return round(CORE_HOUR_NANOS * cores / 3600 / tokens_per_s * _TOKENS_PER_PRICE)


SMOLLM2 = LocalModel(
    weights=SMOLLM2_135M,
    tier=Tier.CHEAP,
    slot_context=2048,
    max_output_tokens=1024,
    first_token_s=0.2,
    input_tokens_per_s=240.0,
    output_tokens_per_s=98.0,
    quality_priors={
        "simple_qa": 0.72,
        "long_form": 0.35,
        "code": 0.24,
        "analysis": 0.18,
        "multi_step": 0.08,
    },
    # with its template's own it may answer short questions in another language
    instructions="You are a helpful assistant.",
    weaknesses=frozenset({"code", "math", "analysis", "multi_step"}),
)

QWEN_CODER_SMALL = LocalModel(
    weights=QWEN_CODER_05B,
    tier=Tier.MIDDLE,
    slot_context=4096,
    max_output_tokens=2048,
    first_token_s=0.5,
    input_tokens_per_s=97.0,
    output_tokens_per_s=40.0,
    quality_priors={
        "simple_qa": 0.72,
        "long_form": 0.40,
        "code": 0.82,
        "analysis": 0.47,
        "multi_step": 0.15,
    },
    strengths=frozenset({"code"}),
)

QWEN_CODER_LARGE = LocalModel(
    weights=QWEN_CODER_15B,
    tier=Tier.STRONG,
    slot_context=4096,
    max_output_tokens=2048,
    first_token_s=1.3,
    input_tokens_per_s=40.0,
    output_tokens_per_s=18.0,
    quality_priors={
        "simple_qa": 0.94,
        "long_form": 0.55,
        "code": 0.94,
        "analysis": 0.71,
        "multi_step": 0.30,
    },
    strengths=frozenset({"code"}),
)

LOCAL_MODELS = (SMOLLM2, QWEN_CODER_SMALL, QWEN_CODER_LARGE)


def local_models(provider: str = "local") -> tuple[Model, ...]:
    """The registry's entries for every model of the catalogue."""
    return tuple(model.registry_entry(provider) for model in LOCAL_MODELS)


def local_model(name: str) -> LocalModel:
    """The model whose weights are called ``name``, such as ``smollm2-135m``.

    Raises:
        KeyError: there is none.
    """
    return {model.weights.name: model for model in LOCAL_MODELS}[name]
