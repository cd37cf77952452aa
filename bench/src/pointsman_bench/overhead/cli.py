"""`pointsman bench overhead`."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pointsman_bench.overhead.measure import Report, Settings, measure


def overhead(
    upstream: Annotated[str, typer.Option(help="Base URL of an OpenAI-compatible server.")],
    model: Annotated[str, typer.Option(help="The upstream's name of the model to call.")],
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds.")] = 7,
    requests: Annotated[int, typer.Option(min=1, help="Calls of each kind in a round.")] = 100,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure what a request through pointsman costs beyond calling the upstream directly.

    Starts a server of its own, then alternates rounds of direct calls and routed ones, one call
    at a time, so that both see the same machine. Quotes medians over the rounds.
    """
    settings = Settings(upstream, model, rounds, requests)
    console = Console(stderr=True)
    report = asyncio.run(measure(settings, lambda text: console.print(text, style="dim")))
    if json_output:
        typer.echo(json.dumps(report.as_dict(), indent=2))
    else:
        _print(report)


def _print(report: Report) -> None:
    table = Table("ms, median of rounds", box=None)
    for name in ("p50", "p90", "p99"):
        table.add_column(name, justify="right")
    for row in report.rows:
        table.add_row(row.name, *(f"{value * 1000:.3f}" for value in row.quantiles))
    Console().print(table)
    Console().print(
        f"{report.rounds} interleaved rounds of {report.requests} calls of each kind", style="dim"
    )
