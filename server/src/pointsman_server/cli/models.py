"""`pointsman models`: what can be routed to."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman.v1.registry_pb2 import Capability, Model, ModelState, Tier
from pointsman_client import Client

from pointsman_server.api.responses import to_model
from pointsman_server.cli.local import load_config
from pointsman_server.cli.options import ConfigFile, Json, ServerAddress
from pointsman_server.cli.runner import run_async
from pointsman_server.cli.terminal import ModelColours, as_dict, millis, out, print_json, table
from pointsman_server.registry.health import HealthView


def models(
    config: ConfigFile = None, server: ServerAddress = None, json_output: Json = False
) -> None:
    """List the models that can be routed to: of the configuration, or of a running --server."""

    async def ask(address: str) -> Sequence[Model]:
        async with Client(address) as client:
            return await client.models()

    if server is None:
        health = HealthView()
        loaded = load_config(config)
        found: Sequence[Model] = [to_model(m, health.health(m.name)) for m in loaded.models]
    else:
        found = run_async(ask(server))
    if json_output:
        print_json([as_dict(m) for m in found])
        return
    _print(found)


def _print(found: Sequence[Model]) -> None:
    colours = ModelColours()
    shown = table(
        "model",
        "tier",
        "context",
        "$/M in",
        "$/M out",
        "can",
        "good at",
        "calls",
        "p50 first",
        right=("context", "$/M in", "$/M out", "calls", "p50 first"),
    )
    for model in found:
        can = [Capability.Name(c).removeprefix("CAPABILITY_").lower() for c in model.capabilities]
        first = model.health.time_to_first_token_p50.ToNanoseconds() / 1e9
        state = ModelState.Name(model.state).removeprefix("MODEL_STATE_").lower()
        tier = Tier.Name(model.tier).removeprefix("TIER_").lower()
        shown.add_row(
            colours.text(model.name),
            tier if state == "enabled" else f"{tier} ({state})",
            f"{model.context_window:,}",
            f"{model.pricing.input_usd_nanos_per_million_tokens / 1e9:.2f}",
            f"{model.pricing.output_usd_nanos_per_million_tokens / 1e9:.2f}",
            " ".join(can) or "-",
            " ".join(model.strengths) or "-",
            str(model.health.calls) if model.health.calls else "-",
            millis(first) if first else "-",
        )
    out().print(shown)
