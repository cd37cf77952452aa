"""`pointsman bench peers` and `pointsman bench soak`: what they do."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pointsman_bench.capacity.work import WorkError
from pointsman_bench.load.errors import BenchError
from pointsman_bench.peers import texts
from pointsman_bench.peers.comparison import Comparison, Sample, Settings, compare
from pointsman_bench.peers.install import Missing
from pointsman_bench.peers.launch import LaunchError
from pointsman_bench.peers.soak import Point, SoakSettings, soak
from pointsman_bench.peers.tables import tables
from pointsman_bench.report.terminal import err, out
from pointsman_bench.report.units import Unit, format_value

_SETUP_S = 0.7
"""What starting a client takes, for the estimate of how long it will all be."""


class CannotRun(Exception):
    """The run cannot be made; ``str()`` says why and how to mend it."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where to and in what form. Files are written beside what is printed."""

    as_json: bool = False
    markdown: Path | None = None
    html: Path | None = None


def peers(settings: Settings, reference: str | None, output: Output) -> bool:
    """Compare, and show it; whether any system ran.

    Raises:
        CannotRun: the upstream did not start, or a file cannot be written.
    """
    comparison = _compare(settings, err())
    made = tables(comparison, settings.workloads, settings.rounds, reference)
    notes = texts.notes_of(comparison, settings)
    try:
        if output.markdown is not None:
            output.markdown.write_text(texts.markdown_of(made, notes), "utf-8")
        if output.html is not None:
            output.html.write_text(texts.html_of(made, notes), "utf-8")
    except OSError as error:
        raise CannotRun(
            f"{error.filename}: {error.strerror}; give a place that can be written to"
        ) from None
    if output.as_json:
        _print_json(texts.as_dict(comparison, made, settings))
    else:
        texts.print_tables(made, notes, out())
    return bool(made)


def soak_memory(settings: SoakSettings, as_json: bool) -> None:
    """Soak, and show the curve.

    Raises:
        CannotRun: upstream or server did not start, or stopped answering.
    """
    bar = _bar(err())
    task = bar.add_task("streams", total=settings.last)

    def reached(point: Point) -> None:
        rss = format_value(point.memory.rss, Unit.BYTES)
        bar.update(task, completed=point.streams, description=f"streams, RSS {rss}")
        if not bar.console.is_terminal:
            bar.console.print(f"{point.streams:,} streams, RSS {rss}")

    try:
        with bar:
            found = asyncio.run(soak(settings, bar.console.print, reached))
    except (BenchError, LaunchError, Missing, WorkError) as error:
        raise CannotRun(str(error)) from None
    if as_json:
        _print_json(texts.soak_as_dict(found))
    else:
        texts.print_soak(found, out())


def _compare(settings: Settings, console: Console) -> Comparison:
    minutes = settings.stretches * (settings.window_s + settings.warm_up_s + _SETUP_S) / 60
    console.print(f"{settings.stretches} stretches of work, about {minutes:.0f} minutes")
    bar = _bar(console)
    task = bar.add_task("starting", total=settings.stretches)

    def sampled(sample: Sample) -> None:
        round_ = f"round {sample.round}/{settings.rounds}" if sample.round else "warm-up round"
        where = f"{round_}, {sample.workload}, {sample.system}"
        bar.update(task, advance=1, description=where)
        if sample.outcome is None:
            bar.console.print(f"{where}: {sample.failure}")
        elif not console.is_terminal:
            bar.console.print(f"{where}: {sample.outcome.tokens_per_s:,.0f} tokens/s")

    try:
        with bar:
            return asyncio.run(compare(settings, bar.console.print, sampled))
    except BenchError as error:
        raise CannotRun(str(error)) from None


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True)


def _print_json(value: dict[str, object]) -> None:
    typer.echo(json.dumps(value, indent=2))
