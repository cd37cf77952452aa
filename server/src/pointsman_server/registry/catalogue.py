"""Models that are known without being configured: facts from a snapshot, judgements from here.

Facts (prices, context windows, capabilities) are in ``prices.json``, whose ``sources`` say where
they come from; `server/update_prices.py` renews them. Judgements (tier, strengths, latency before
anything was measured) are pointsman's own, and are priors: configuration overrides them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pointsman_server.domain.model import Capability, LatencyPrior, Tier
from pointsman_server.domain.money import Pricing

DEFAULT_CONTEXT_WINDOW = 8192
DEFAULT_MAX_OUTPUT = 4096


@dataclass(frozen=True, slots=True)
class Facts:
    """What a provider publishes of a model. ``context_window`` ends where a higher price begins."""

    pricing: Pricing
    context_window: int
    max_output_tokens: int
    capabilities: frozenset[Capability]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What pointsman thinks of a model before it has seen it answer."""

    tier: Tier
    strengths: frozenset[str] = frozenset()
    weaknesses: frozenset[str] = frozenset()
    open_weights: bool = False
    latency: LatencyPrior = LatencyPrior()


def _judge(
    tier: Tier,
    strengths: str = "",
    weaknesses: str = "",
    *,
    first_token_s: float,
    tokens_per_s: float,
    open_weights: bool = False,
) -> Judgement:
    return Judgement(
        tier,
        frozenset(strengths.split()),
        frozenset(weaknesses.split()),
        open_weights,
        LatencyPrior(first_token_s, tokens_per_s),
    )


JUDGEMENTS: Mapping[str, Judgement] = {
    "openai/gpt-6-luna": _judge(Tier.CHEAP, first_token_s=0.5, tokens_per_s=120),
    "openai/gpt-6.1-terra": _judge(Tier.MIDDLE, first_token_s=0.8, tokens_per_s=90),
    "openai/gpt-6.1-sol": _judge(Tier.STRONG, first_token_s=1.2, tokens_per_s=70),
    "anthropic/claude-haiku-5-5": _judge(Tier.CHEAP, first_token_s=0.5, tokens_per_s=120),
    "anthropic/claude-sonnet-5-5": _judge(Tier.MIDDLE, first_token_s=0.9, tokens_per_s=80),
    "anthropic/claude-opus-5-5": _judge(Tier.STRONG, first_token_s=1.4, tokens_per_s=60),
    "groq/llama-3.1-8b-instant": _judge(
        Tier.CHEAP, "", "math code", first_token_s=0.2, tokens_per_s=500, open_weights=True
    ),
    "groq/openai/gpt-oss-120b": _judge(
        Tier.MIDDLE, first_token_s=0.4, tokens_per_s=400, open_weights=True
    ),
    "mistral/ministral-8b-latest": _judge(
        Tier.CHEAP, "", "math", first_token_s=0.4, tokens_per_s=150, open_weights=True
    ),
    "mistral/codestral": _judge(Tier.MIDDLE, "code", first_token_s=0.5, tokens_per_s=120),
    "mistral/mistral-large-4": _judge(Tier.STRONG, first_token_s=0.9, tokens_per_s=60),
}
"""By vendor/model; also what a provider brings if none of its models is configured.

Strengths are for models that were tuned for something. A frontier model is good at everything,
which its tier says; it must not draw easy prompts for that.
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All facts, and the sentence that says where they are from."""

    sources: tuple[str, ...]
    facts: Mapping[str, Facts]


@cache
def snapshot() -> Snapshot:
    """The snapshot that comes with the package, read once."""
    raw = json.loads((files(__package__) / "prices.json").read_text())
    facts = {
        name: Facts(
            Pricing(entry["input"], entry["cached_input"], entry["output"]),
            entry["context_window"],
            entry["max_output_tokens"],
            frozenset(map(Capability, entry["capabilities"])),
        )
        for name, entry in raw["models"].items()
    }
    return Snapshot(tuple(raw["sources"]), facts)
