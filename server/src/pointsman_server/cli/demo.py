"""`pointsman demo`: real models on this machine, from nothing to routed answers in one command."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from pointsman.v1.decision_pb2 import Decision
from pointsman.v1.router_service_pb2 import Completed
from pointsman_client import Client, Generation
from rich.text import Text

from pointsman_server.app import build_server
from pointsman_server.cli.answers import AnswerPrinter, in_short
from pointsman_server.cli.local import demo_config, fetch_demo_models, local_providers
from pointsman_server.cli.options import Json
from pointsman_server.cli.runner import run_async
from pointsman_server.cli.serve import start
from pointsman_server.cli.terminal import (
    ModelColours,
    as_dict,
    err,
    millis,
    out,
    print_json,
    table,
    usd,
)
from pointsman_server.domain.money import Usage
from pointsman_server.registry.catalogue import snapshot
from pointsman_server.telemetry.logs import LogSettings, configure

HOSTED_BASELINE = "anthropic/claude-opus-5-5"
"""A frontier model at its list price, for what one would have paid without models of one's own."""

MAX_TOKENS = 160
TIMEOUT_S = 300.0

PROMPTS = (
    "What is the capital of France?",
    "Write a Python function that checks whether a string is a palindrome.",
    "Give me three tips for better sleep.",
    "URGENT: production is down, nginx says 502 Bad Gateway to all users. What do I check first?",
    "Compare leasing a car with buying it for someone who drives 8,000 km a year.",
    "Write an SQL query for the three best-paid employees of each department.",
)


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one prompt."""

    decision: Decision
    completed: Completed


def demo(
    mini: Annotated[
        bool, typer.Option("--mini", help="Only the smaller model: 98 MB instead of 590 MB.")
    ] = False,
    stay: Annotated[bool, typer.Option("--stay", help="Keep serving afterwards.")] = False,
    address: Annotated[str, typer.Option(help="Listen here; port 0 takes any.")] = "127.0.0.1:0",
    json_output: Json = False,
) -> None:
    """Fetch two small models once, serve them, and route a handful of prompts over gRPC.

    Needs no keys. Exit code 3 where the models are not here and cannot be fetched.
    """
    run_async(_demo(mini=mini, stay=stay, address=address, json_output=json_output))


async def _demo(*, mini: bool, stay: bool, address: str, json_output: bool) -> None:
    began = time.perf_counter()
    await fetch_demo_models(mini=mini)
    config = demo_config(mini=mini, address=address)
    # the terminal shows what happens: of the log only what went wrong
    log = configure(LogSettings(level="error"))
    server = build_server(config, local_providers(), log)
    stop = asyncio.Event()
    if stay:
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
    tour = _Tour([m.name for m in config.models], began, json_output=json_output)
    try:
        await start(server)
        await tour.run(server.address)
        if stay:
            err().print(
                f"\nserving on {server.address}; try: pointsman chat --server {server.address}",
                style="bold",
            )
            await stop.wait()
    finally:
        await server.drain()


class _Tour:
    """Sends the prompts one after the other and shows what comes of them."""

    def __init__(self, models: Sequence[str], began: float, *, json_output: bool) -> None:
        self._colours = ModelColours(models)
        self._models = models
        self._began = began
        self._json = json_output
        self._console = out()
        self._first_token_s: float | None = None

    async def run(self, address: str) -> None:
        if not self._json:
            line = Text("serving ")
            line.append_text(Text(" and ").join(self._colours.text(m) for m in self._models))
            line.append(f" on {address}")
            self._console.print(line)
        async with Client(address, timeout_s=TIMEOUT_S) as client:
            answered = [await self._ask(client, prompt) for prompt in PROMPTS]
        if self._json:
            print_json(self._summary(answered))
        else:
            self._print_table(answered)

    async def _ask(self, client: Client, prompt: str) -> Answered:
        if not self._json:
            self._console.print()
            self._console.print(Text(f"“{prompt}”", style="bold"))
        printer = AnswerPrinter(self._console, self._colours)
        options = Generation(max_output_tokens=MAX_TOKENS, temperature=0.0)
        completion = client.complete(prompt, generation=options, explain=True)
        async for event in completion:
            if event.HasField("delta") and self._first_token_s is None:
                self._first_token_s = time.perf_counter() - self._began
            if self._json:
                print_json(as_dict(event))
            else:
                printer.event(event)
        decision, completed = completion.decision, completion.completed
        if decision is None or completed is None:
            raise AssertionError("the client let an answer end without its last event")
        return Answered(decision, completed)

    def _print_table(self, answered: Sequence[Answered]) -> None:
        numbers = ("tokens", "first token", "cost", "strongest", "hosted")
        shown = table("model", "why", *numbers, right=numbers)
        for one in answered:
            done = one.completed
            first = done.time_to_first_token.ToNanoseconds() / 1e9
            shown.add_row(
                self._colours.text(done.model),
                in_short(one.decision.classification),
                f"{done.usage.input_tokens}+{done.usage.output_tokens}",
                millis(first),
                usd(done.total_usage.cost_usd_nanos),
                usd(done.baseline_cost_usd_nanos),
                usd(_hosted_cost(done)),
            )
        totals = self._totals(answered)
        shown.add_row(Text("together", style="bold"), "", "", "", *(usd(total) for total in totals))
        self._console.print()
        self._console.print(shown)
        strongest = answered[0].completed.baseline_model
        self._console.print(
            f"strongest: the same tokens from {strongest} for every prompt; hosted: from "
            f"{HOSTED_BASELINE} at its list price. Local models are charged their machine time. "
            f"The first routed token came {self._first_token_s or 0:.1f} s after the start.",
            style="dim",
        )

    def _summary(self, answered: Sequence[Answered]) -> dict[str, object]:
        cost, strongest, hosted = self._totals(answered)
        return {
            "first_token_after_s": round(self._first_token_s or 0, 3),
            "cost_usd_nanos": cost,
            "strongest_cost_usd_nanos": strongest,
            "hosted_baseline": HOSTED_BASELINE,
            "hosted_cost_usd_nanos": hosted,
            "answers": [as_dict(one.completed) for one in answered],
        }

    @staticmethod
    def _totals(answered: Sequence[Answered]) -> tuple[int, int, int]:
        """What it cost, what the strongest model here would have, and what the hosted one."""
        done = [one.completed for one in answered]
        return (
            sum(d.total_usage.cost_usd_nanos for d in done),
            sum(d.baseline_cost_usd_nanos for d in done),
            sum(map(_hosted_cost, done)),
        )


def _hosted_cost(completed: Completed) -> int:
    usage = completed.usage
    pricing = snapshot().facts[HOSTED_BASELINE].pricing
    return pricing.cost(Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens))
