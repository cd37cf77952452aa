"""`pointsman complete`: one prompt through a running server."""

from __future__ import annotations

import math
from typing import Annotated

import typer
from pointsman_client import DEFAULT_TARGET, Client, Completion, Constraints, Execution, Generation

from pointsman_server.cli.answers import AnswerPrinter
from pointsman_server.cli.failures import UsageError
from pointsman_server.cli.options import Json, Prompt, ServerAddress, prompt_text
from pointsman_server.cli.runner import run_async
from pointsman_server.cli.terminal import as_dict, print_json

Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help="Only this model may answer; repeat for several."),
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", min=1, max=1_000_000, help="Bound on the answer.")
]
System = Annotated[str | None, typer.Option("--system", help="Instructions before the prompt.")]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", help="The most that the call may cost, in dollars.")
]


def complete(
    prompt: Prompt = None,
    server: ServerAddress = None,
    model: Models = None,
    max_tokens: MaxTokens = None,
    max_cost: MaxCost = None,
    system: System = None,
    no_hedge: Annotated[bool, typer.Option("--no-hedge", help="Never call a backup.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds that the answer may take.")] = 120.0,
    json_output: Json = False,
) -> None:
    """Route a prompt and stream the answer. Needs a server: pointsman serve."""
    text = prompt_text(prompt)
    if max_cost is not None and not (math.isfinite(max_cost) and max_cost >= 0):
        raise UsageError(f"--max-cost must be 0 or more dollars, not {max_cost}")
    constraints = Constraints(models=tuple(model or ()), max_cost_usd=max_cost)

    async def call() -> None:
        async with Client(server or DEFAULT_TARGET) as client:
            completion = client.complete(
                text,
                system=system,
                constraints=constraints,
                generation=Generation(max_output_tokens=max_tokens),
                execution=Execution(hedging=False) if no_hedge else None,
                timeout_s=timeout,
            )
            await show(completion, json_output=json_output)

    run_async(call())


async def show(completion: Completion, *, json_output: bool) -> None:
    """Print an answer as it comes: text for people, an event a line for machines."""
    async with completion:
        if json_output:
            async for event in completion:
                print_json(as_dict(event))
            return
        printer = AnswerPrinter()
        async for event in completion:
            printer.event(event)
