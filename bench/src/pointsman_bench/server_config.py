"""The configuration of a bench's own server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_bench.scenarios.scenario import FleetModel, Tier


@dataclass(frozen=True, slots=True)
class UpstreamModel:
    """A model as the server's configuration has it.

    ``upstream_name`` is what the upstream calls it. Prices are US dollars a million tokens,
    ``first_token_s`` what to expect before it was measured.
    """

    name: str
    upstream_name: str
    tier: Tier
    input_price: float
    output_price: float
    first_token_s: float


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What a bench sets of its server; all else is the server's default.

    ``max_in_flight`` is far over the default, so that the server's limit is not what is measured.
    """

    hedge_share: float = 0.05
    max_in_flight: int = 20_000
    api_key_variable: str | None = None


def fleet_models(models: Sequence[FleetModel]) -> tuple[UpstreamModel, ...]:
    """Simulated models for the configuration."""
    return tuple(
        UpstreamModel(
            name=model.name,
            upstream_name=model.behaviour.name,
            tier=model.tier,
            input_price=model.input_price,
            output_price=model.output_price,
            first_token_s=model.behaviour.first_token.median,
        )
        for model in models
    )


def real_model(name: str) -> UpstreamModel:
    """A model of a real server, of which nothing is known but its name. Its price is made up."""
    return UpstreamModel(f"upstream/{name}", name, "middle", 0.1, 0.4, 0.5)


def config_text(models: Sequence[UpstreamModel], upstream: str, settings: ServerSettings) -> str:
    """The configuration, as JSON, which is YAML."""
    provider: dict[str, object] = {
        "kind": "openai",
        "base_url": upstream,
        "max_connections": 10_000,
    }
    if settings.api_key_variable is not None:
        provider["api_key"] = f"env:{settings.api_key_variable}"
    limit = settings.max_in_flight
    return json.dumps(
        {
            "version": 1,
            "server": {
                "address": "127.0.0.1:0",
                "metrics": "127.0.0.1:0",
                "max_in_flight": limit,
                "max_concurrent_streams": limit,
                "drain": "2s",
            },
            "providers": {m.name.partition("/")[0]: provider for m in models},
            "models": {
                m.name: {
                    "provider_model": m.upstream_name,
                    "tier": m.tier,
                    "price": {"input": m.input_price, "output": m.output_price},
                    "context_window": 128_000,
                    "first_token": f"{max(1, round(m.first_token_s * 1000))}ms",
                }
                for m in models
            },
            "policy": {"hedge": {"extra_cost": settings.hedge_share}},
        }
    )
