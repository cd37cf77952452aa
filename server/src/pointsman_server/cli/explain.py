"""`pointsman explain`: which model a prompt would go to, and why."""

from __future__ import annotations

import time

from pointsman.v1.classification_pb2 import Classification
from pointsman.v1.decision_pb2 import Decision, DecisionBasis, ExecutionStrategy, Ineligibility
from pointsman.v1.router_service_pb2 import RouteRequest
from pointsman_client import Client, Constraints
from pointsman_client.messages import user
from rich.console import Console
from rich.text import Text

from pointsman_server.api.call import Call
from pointsman_server.api.router import RouterService
from pointsman_server.app import build_core
from pointsman_server.cli.answers import describe, estimates, sure_of
from pointsman_server.cli.complete import Models
from pointsman_server.cli.local import load_config, local_providers
from pointsman_server.cli.options import ConfigFile, Json, Prompt, ServerAddress, prompt_text
from pointsman_server.cli.runner import run_async
from pointsman_server.cli.terminal import (
    ModelColours,
    as_dict,
    bar,
    millis,
    out,
    print_json,
    table,
    usd,
)
from pointsman_server.config import Config


def explain(
    prompt: Prompt = None,
    config: ConfigFile = None,
    server: ServerAddress = None,
    model: Models = None,
    json_output: Json = False,
) -> None:
    """Say which model a prompt would go to and why; calls none.

    Decides in this process with the configuration, or asks a running --server.
    """
    text = prompt_text(prompt)
    constraints = Constraints(models=tuple(model or ()))

    async def decide() -> Decision:
        if server is None:
            return await _route_here(load_config(config), text, constraints)
        async with Client(server) as client:
            return await client.route(text, constraints=constraints, explain=True)

    decision = run_async(decide())
    if json_output:
        print_json(as_dict(decision))
    else:
        print_decision(decision)


def print_decision(decision: Decision) -> None:
    """Show a decision with every candidate, for people."""
    console, colours = out(), ModelColours()
    head = Text("→ ")
    head.append_text(colours.text(decision.model))
    head.append(f"  {describe(decision)}", style="dim")
    console.print(head)
    _print_reading(console, decision.classification)
    for reason in decision.reasons:
        console.print(f"  because {reason}")
    basis = DecisionBasis.Name(decision.basis).removeprefix("DECISION_BASIS_").lower()
    strategy = ExecutionStrategy.Name(decision.execution_strategy)
    strategy = strategy.removeprefix("EXECUTION_STRATEGY_").lower()
    line = f"  {basis.replace('_', ' ')} · {strategy}"
    if decision.hedge_model:
        delay = decision.hedge_delay.ToNanoseconds() / 1e9
        line += f": {decision.hedge_model} after {millis(delay)}"
    console.print(f"{line} · at most {decision.max_output_tokens} tokens", style="dim")
    console.print()
    shown = table(
        "model",
        "",
        "quality",
        "cost",
        "first token",
        "why not",
        right=("quality", "cost", "first token"),
    )
    for candidate in decision.candidates:
        why_not = ""
        if candidate.ineligibility:
            code = Ineligibility.Name(candidate.ineligibility).removeprefix("INELIGIBILITY_")
            why_not = f"{code.lower().replace('_', ' ')}: {candidate.ineligibility_detail}"
        shown.add_row(
            colours.text(candidate.model),
            bar(candidate.score, 6),
            f"{candidate.expected_quality:.2f}",
            usd(candidate.expected_cost_usd_nanos),
            millis(candidate.expected_time_to_first_token.ToNanoseconds() / 1e9),
            why_not,
        )
    console.print(shown)


def _print_reading(console: Console, reading: Classification) -> None:
    """What `describe` leaves out; nothing where no classifier read the prompt."""
    if not reading.classifier_version:
        return
    numbers = estimates(
        reading.complexity_score, reading.multi_step, reading.expected_output_tokens
    )
    sure = ", ".join(sure_of(reading)) or "nothing"
    console.print(f"  {numbers} · sure of {sure}", style="dim")


async def _route_here(config: Config, prompt: str, constraints: Constraints) -> Decision:
    """Decide in this process. Starts no model and opens no socket."""
    core = build_core(config, local_providers())
    service = RouterService(core.engine, time.monotonic, config.timeouts.total_s)
    request = RouteRequest(
        messages=[user(prompt)], constraints=constraints.to_proto(), explain=True
    )
    try:
        response = await service.route(request, Call(accepted_at=time.monotonic()))
    finally:
        await core.close()
    return response.decision
