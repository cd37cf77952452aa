"""Renews the price snapshot: `python server/update_prices.py LITELLM.json`.

Prices and context windows come from the installed package genai-prices, limits on output and
capabilities from litellm's price list, the JSON file `model_prices_and_context_window_backup.json`
in its wheel. Both are MIT-licensed. Nothing is fetched.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

from genai_prices import data
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

VENDORS = ("openai", "anthropic", "groq", "mistral")
OUT = Path(__file__).parent / "src/pointsman_server/registry/prices.json"

CAPABILITIES = {
    "supports_function_calling": "tool_use",
    "supports_response_schema": "json_schema",
    "supports_vision": "vision",
    "supports_reasoning": "reasoning",
}


def current_price(model: ModelInfo) -> ModelPrice:
    """The price in force: the last of the conditional ones is the newest."""
    return model.prices[-1].prices if isinstance(model.prices, list) else model.prices


def nanos(price: Decimal | TieredPrices | None) -> int | None:
    """Dollars a million tokens as nano-dollars a million tokens; of tiers, the first."""
    if price is None:
        return None
    base = price.base if isinstance(price, TieredPrices) else price
    return int(base * 1_000_000_000)


def cheap_context(model: ModelInfo, price: ModelPrice, limit: int) -> int:
    """How far the first price tier reaches: beyond it the snapshot's price would be wrong."""
    window = model.context_window or limit
    for tiered in (price.input_mtok, price.output_mtok):
        if isinstance(tiered, TieredPrices):
            window = min(window, *(tier.start for tier in tiered.tiers))
    return window


def main() -> None:
    """Write the snapshot."""
    listed: dict[str, dict[str, int]] = json.loads(Path(sys.argv[1]).read_text())
    models = {}
    for provider in data.providers:
        if provider.id not in VENDORS:
            continue
        for model in provider.models:
            entry = next(
                (
                    listed[key]
                    for key in (
                        model.id,
                        f"{provider.id}/{model.id}",
                        f"{model.id}-latest",
                        f"{provider.id}/{model.id}-latest",
                    )
                    if key in listed
                ),
                {},
            )
            price = current_price(model)
            input_nanos, output_nanos = nanos(price.input_mtok), nanos(price.output_mtok)
            if input_nanos is None or output_nanos is None:
                continue  # priced by something other than tokens: not a chat model
            cached = nanos(price.cache_read_mtok)
            window = cheap_context(model, price, int(entry.get("max_input_tokens") or 8192))
            models[f"{provider.id}/{model.id}"] = {
                "input": input_nanos,
                "cached_input": input_nanos if cached is None else cached,
                "output": output_nanos,
                "context_window": window,
                "max_output_tokens": min(window, int(entry.get("max_output_tokens") or 4096)),
                "capabilities": sorted(
                    name for flag, name in CAPABILITIES.items() if entry.get(flag)
                ),
            }
    sources = [
        f"prices and context windows: genai-prices {version('genai-prices')}, MIT, Pydantic "
        "Services Inc.; of prices in tiers the first, and the context window ends with it",
        "output limits and capabilities: litellm's model_prices_and_context_window.json, MIT, "
        "Berri AI",
    ]
    snapshot = {"unit": "nano-US-dollars a million tokens", "sources": sources, "models": models}
    OUT.write_text(json.dumps(snapshot, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
