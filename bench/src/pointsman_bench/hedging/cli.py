"""`pointsman bench hedge`: what hedging is worth, and what it costs.

Exit codes: 0 every bar was met; 1 it could not be measured; 2 bad usage; 3 a bar was missed;
4 measured, but the figures may not be used (it says why).
"""

from __future__ import annotations

import json
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pointsman_bench.load.errors import BenchError, UsageError

MISSED = 3
NOT_USABLE = 4


def hedge(
    replay: Annotated[
        bool, typer.Option("--replay", help="Replay scenes offline: no server, no noise, seconds.")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds, off and on.")] = 5,
    requests: Annotated[int, typer.Option(min=200, help="Requests of each turn.")] = 2000,
    rate: Annotated[float, typer.Option(min=1.0, help="Requests a second.")] = 100.0,
    median: Annotated[
        str, typer.Option(metavar="TIME", help="The models' median time to a first token.")
    ] = "100ms",
    tail_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The share of calls that take far longer.")
    ] = 0.02,
    tail_factor: Annotated[float, typer.Option(min=1.0, help="How many times longer.")] = 20.0,
    extra_cost: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="The share of calls hedging may cost.")
    ] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds send equal loads.")] = 1,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure first-token times with hedging and without, and how many calls it takes.

    Starts two servers of its own, one that hedges and one that does not, in front of two simulated
    providers, and lets them take turns under an open loop of requests. Then everything becomes
    twice as slow. Says which bars are met: p99 at most a fifth, p99.9 at most three tenths, at
    most 6 % more calls, also after the change, as the providers count them.
    """
    if replay:
        _replay(seed, extra_cost, json_output=json_output)
        return
    # imported only now: servers and simulators take a while to load, and a replay needs none
    import uvloop

    from pointsman_bench.hedging.live import Settings, measure
    from pointsman_bench.hedging.report import live_data, show_live
    from pointsman_bench.load.objectives import parse_duration
    from pointsman_bench.simulator.behaviour import BehaviourError, Lognormal, Tail

    try:
        settings = Settings(
            rounds=rounds,
            requests=requests,
            rate=rate,
            first_token=Lognormal(parse_duration(median, "--median"), 0.4),
            tail=Tail(tail_share, tail_factor),
            share=extra_cost,
            seed=seed,
        )
        with _progress() as progress:
            task = progress.add_task("starting", total=None)

            def say(doing: str, done: int, total: int) -> None:
                progress.update(task, description=doing, completed=done, total=total)

            report = uvloop.run(measure(settings, say))
    except (BenchError, BehaviourError, OSError) as error:
        _fail(error)
    if json_output:
        typer.echo(json.dumps(live_data(report), indent=1))
    else:
        show_live(report, Console())
    if report.faults:
        raise typer.Exit(NOT_USABLE)
    if not report.met:
        raise typer.Exit(MISSED)


def _replay(seed: int, extra_cost: float, *, json_output: bool) -> None:
    """Play all scenes offline."""
    from pointsman_server.routing.hedging import HedgePolicy

    from pointsman_bench.hedging.report import replayed_data, show_replayed
    from pointsman_bench.hedging.scenes import SCENES, play

    played = []
    with _progress() as progress:
        task = progress.add_task("replaying", total=len(SCENES))
        for scene in SCENES:
            progress.update(task, description=f"{scene.name}: {scene.summary}")
            played.append((scene, play(scene, seed, HedgePolicy(extra_share=extra_cost))))
            progress.advance(task)
    if json_output:
        typer.echo(json.dumps(replayed_data(played), indent=1))
    else:
        show_replayed(played, Console())
    if not all(figure.met for _, parts in played for part in parts for figure in part.figures):
        raise typer.Exit(MISSED)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _fail(error: Exception) -> NoReturn:
    Console(stderr=True).print(f"pointsman bench: {error}", highlight=False, soft_wrap=True)
    raise typer.Exit(2 if isinstance(error, UsageError) else 1)
