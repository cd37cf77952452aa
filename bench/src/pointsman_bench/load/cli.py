"""`pointsman bench load`, `scenarios` and `simulate`.

Exit codes: 0 measured; 1 the run could not be made; 2 bad usage; 4 measured, but the numbers may
not be used (the verdict says why); 130 interrupted, with what was measured until then.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from pointsman_bench import results
from pointsman_bench.children import available_cores
from pointsman_bench.load.arrivals import Arrival
from pointsman_bench.load.errors import BenchError, UsageError
from pointsman_bench.load.objectives import parse_duration, parse_objectives
from pointsman_bench.load.options import LoadOptions, Prepared, prepare, trace_scenario
from pointsman_bench.load.progress import Display, Tracker
from pointsman_bench.load.run import run
from pointsman_bench.load.summary import as_json, show, summarise
from pointsman_bench.load.trace import Trace, read_trace
from pointsman_bench.load.verdict import Limits
from pointsman_bench.results import LoadResult
from pointsman_bench.scenarios.scenario import Scenario
from pointsman_bench.scenarios.table import CHAT_MIXED, SCENARIOS, TRACE
from pointsman_bench.simulator.behaviour import SimulatorConfig
from pointsman_bench.simulator.server import serve

NOT_USABLE = 4
INTERRUPTED = 130


def load(
    scenario: Annotated[
        str, typer.Option(help="One of `scenarios`, or trace:FILE.")
    ] = CHAT_MIXED.name,
    rate: Annotated[float | None, typer.Option(help="Requests a second.")] = None,
    duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Length of what is measured: 30s, 2m.")
    ] = None,
    warm_up: Annotated[
        str | None, typer.Option(metavar="TIME", help="Sent before, and not counted.")
    ] = None,
    arrival: Annotated[
        str, typer.Option(help="poisson, or constant.", metavar="PROCESS")
    ] = "poisson",
    speed: Annotated[float, typer.Option(help="How many times as fast to replay a trace.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds send equal loads.")] = 1,
    slo: Annotated[
        str | None, typer.Option(help="Goodput's objectives: ttft=500ms,e2e=5s.")
    ] = None,
    ab: Annotated[
        str | None, typer.Option(help="Compare two ways within one run: hedging.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="HOST:PORT of a running pointsman.")] = None,
    metrics: Annotated[
        str | None, typer.Option(help="URL of the running server's metrics page.")
    ] = None,
    upstream: Annotated[
        str | None, typer.Option(help="Base URL of a real OpenAI-compatible server to put behind.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="The upstream's name of a model; may be repeated.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="Environment variable with its key.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes that send; cores − 1.")
    ] = None,
    connections: Annotated[
        int, typer.Option(min=1, max=64, help="Connections of each process.")
    ] = 2,
    max_in_flight: Annotated[
        int, typer.Option(min=1, help="Above it nothing is sent, and the run is not valid.")
    ] = 10_000,
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="Each request's deadline, from when it is due.")
    ] = "30s",
    slice_: Annotated[
        str, typer.Option("--slice", metavar="TIME", help="Length of a slice of the result.")
    ] = "1s",
    max_lag: Annotated[
        str, typer.Option(metavar="TIME", help="The generator's p99 lag above which not valid.")
    ] = "10ms",
    max_lag_share: Annotated[
        float, typer.Option(min=0.0, help="The same, as a share of the median first-token time.")
    ] = 0.1,
    pin: Annotated[bool, typer.Option("--pin", help="Pin the processes to cores.")] = False,
    repeat_prompts: Annotated[
        bool, typer.Option("--repeat-prompts", help="Send prompts as they stand, again and again.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write result.json there.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Send a load to pointsman and measure what its clients see.

    Open loop: requests are due when the schedule says, whether or not earlier ones were answered,
    and latencies count from there. Without --target, starts a server of its own with simulated
    providers behind it. Exit code 4 where the numbers may not be used.
    """
    try:
        chosen, trace = _chosen(scenario)
        prepared = prepare(
            LoadOptions(
                scenario=chosen,
                trace=trace,
                speed=speed,
                arrival=_arrival(arrival),
                rate=rate,
                duration_s=_seconds(duration, "--duration"),
                warm_up_s=_seconds(warm_up, "--warm-up"),
                slice_s=parse_duration(slice_, "--slice"),
                seed=seed,
                ab=_ab(ab),
                processes=processes or max(1, len(available_cores()) - 1),
                connections=connections,
                timeout_s=parse_duration(timeout, "--timeout"),
                max_in_flight=max_in_flight,
                objectives=None if slo is None else parse_objectives(slo),
                unique=not repeat_prompts,
                pin=_pin(pin),
                limits=Limits(parse_duration(max_lag, "--max-lag"), max_lag_share),
                target=target,
                metrics=metrics,
                upstream=upstream,
                upstream_models=tuple(model or ()),
                api_key_variable=api_key,
            )
        )
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
        result = asyncio.run(_run(prepared))
    except (BenchError, OSError) as error:
        _fail(error)
    _report(result, out, json_output=json_output)


async def _run(prepared: Prepared) -> LoadResult:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    tracker = Tracker(prepared.warm_up_s + prepared.duration_s, prepared.warm_up_s)
    return await run(prepared, Display(tracker, Console(stderr=True)), stop)


def _report(result: LoadResult, out: Path | None, *, json_output: bool) -> None:
    if out is not None:
        results.write(result, out / "result.json")
    if json_output:
        typer.echo(as_json(summarise(result)))
    else:
        show(result, Console())
    if out is not None:
        Console(stderr=True).print(f"written: {out / 'result.json'}", style="dim", soft_wrap=True)
    if result.run.interrupted:
        raise typer.Exit(INTERRUPTED)
    if not result.verdict.valid:
        raise typer.Exit(NOT_USABLE)


def scenarios(
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the scenarios."""
    if json_output:
        typer.echo(msgspec.json.format(msgspec.json.encode(list(SCENARIOS.values()))).decode())
        return
    table = Table("scenario", "rate/s", "measured", "what it is", box=None)
    for each in SCENARIOS.values():
        table.add_row(each.name, f"{each.rate:g}", f"{each.duration_s:g} s", each.summary)
    table.add_row(f"{TRACE}FILE", "", "", "requests and times of a JSONL file")
    Console().print(table)


def simulate(
    scenario: Annotated[str, typer.Option(help="Whose providers to simulate.")] = CHAT_MIXED.name,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any.")] = 0,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Run the simulated upstream alone, until Ctrl-C; says its port as JSON.

    An OpenAI-compatible server on loopback, at /v1. Its books are at /control/books.
    """
    try:
        chosen = _known(scenario)
        behaviours = tuple(each.behaviour for each in chosen.models)
        asyncio.run(_simulate(SimulatorConfig(behaviours, seed=seed, port=port)))
    except (BenchError, OSError) as error:
        _fail(error)


async def _simulate(config: SimulatorConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await serve(config, stop, sys.stdout)


def _fail(error: Exception) -> NoReturn:
    Console(stderr=True).print(f"pointsman bench: {error}", highlight=False, soft_wrap=True)
    raise typer.Exit(2 if isinstance(error, UsageError) else 1)


def _chosen(name: str) -> tuple[Scenario, Trace | None]:
    if name.startswith(TRACE):
        return trace_scenario(CHAT_MIXED, name), read_trace(Path(name.removeprefix(TRACE)))
    return _known(name), None


def _known(name: str) -> Scenario:
    found = SCENARIOS.get(name)
    if found is None:
        raise UsageError(
            f"--scenario: there is no {name!r}; take one of {', '.join(SCENARIOS)}, {TRACE}FILE"
        )
    return found


def _arrival(name: str) -> Arrival:
    match name:
        case "poisson":
            return "poisson"
        case "constant":
            return "constant"
        case _:
            raise UsageError(f"--arrival: {name!r} is neither poisson nor constant")


def _ab(name: str | None) -> bool:
    if name not in (None, "hedging"):
        raise UsageError(f"--ab: {name!r} is not known; the one comparison is hedging")
    return name is not None


def _pin(asked: bool) -> bool:
    if asked and not hasattr(os, "sched_setaffinity"):
        raise UsageError("--pin: this system cannot pin processes to cores; leave it away")
    return asked


def _seconds(text: str | None, option: str) -> float | None:
    return None if text is None else parse_duration(text, option)
