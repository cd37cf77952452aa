"""What was measured, as a table for people and as plain data for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Protocol

from rich.console import Console
from rich.table import Table

from pointsman_bench.hedging.bars import Figure, Quantiles
from pointsman_bench.hedging.live import Report
from pointsman_bench.hedging.scenes import Part, Scene


class Measured(Protocol):
    """A stretch of load with and without hedging."""

    @property
    def requests(self) -> int:
        """How many requests it had."""

    @property
    def off(self) -> Quantiles:
        """First-token times without hedging."""

    @property
    def on(self) -> Quantiles:
        """First-token times with hedging."""

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What has a bar, or might have."""


def show_live(report: Report, console: Console) -> None:
    """Print what was measured on real servers."""
    _show([(phase.name, phase) for phase in report.phases], console)
    for phase in report.phases:
        rounds = " ".join(f"{ratio:.3f}" for ratio in phase.p99_by_round)
        console.print(
            f"{phase.name}: p99 with hedging by that without, round by round: {rounds}; "
            f"up to {phase.most_in_flight} requests at once, sent {phase.late_p99_s * 1000:.1f} ms "
            "late at p99",
            style="dim",
            soft_wrap=True,
        )
    for fault in report.faults:
        console.print(f"not to be used: {fault}", style="red", soft_wrap=True)


def show_replayed(played: Sequence[tuple[Scene, Sequence[Part]]], console: Console) -> None:
    """Print what was replayed."""
    rows: list[tuple[str, Measured]] = []
    for scene, parts in played:
        for part in parts:
            whole = len(parts) == 1
            stretch = "" if whole else f" {part.start * 100:.0f}-{part.end:.0%}"
            rows.append((scene.name + stretch, part))
    _show(rows, console)


def live_data(report: Report) -> Mapping[str, object]:
    """For machines: times in seconds, ratios and shares as such."""
    return {
        "settings": asdict(report.settings),
        "met": report.met,
        "faults": list(report.faults),
        "phases": [
            {
                "name": phase.name,
                **_data(phase),
                "p99_by_round": list(phase.p99_by_round),
                "most_in_flight": phase.most_in_flight,
                "late_p99_s": phase.late_p99_s,
                "failures": phase.failures,
            }
            for phase in report.phases
        ],
    }


def replayed_data(played: Sequence[tuple[Scene, Sequence[Part]]]) -> Mapping[str, object]:
    """For machines, like `live_data`."""
    return {
        "met": all(f.met for _, parts in played for part in parts for f in part.figures),
        "scenes": [
            {
                "name": scene.name,
                "summary": scene.summary,
                "parts": [{"start": part.start, "end": part.end, **_data(part)} for part in parts],
            }
            for scene, parts in played
        ],
    }


def _data(measured: Measured) -> Mapping[str, object]:
    return {
        "requests": measured.requests,
        "off_s": asdict(measured.off),
        "on_s": asdict(measured.on),
        "figures": [{**asdict(figure), "met": figure.met} for figure in measured.figures],
    }


def _show(rows: Sequence[tuple[str, Measured]], console: Console) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for name in ("p99 ms", "p99.9 ms", *(figure.name for figure in rows[0][1].figures)):
        table.add_column(name, justify="right", no_wrap=True)
    for name, measured in rows:
        off, on = measured.off, measured.on
        times = ((off.p99, on.p99), (off.p999, on.p999))
        table.add_row(
            name,
            *(f"{without * 1000:.0f}→{with_ * 1000:.0f}" for without, with_ in times),
            *map(_cell, measured.figures),
        )
    console.print(table)
    console.print(
        "p50, p99 and p99.9: with hedging by without. extra: calls beyond one a request; in 10 s: "
        "the same in the worst such window. Green meets its bar, red says which it misses.",
        style="dim",
        soft_wrap=True,
    )


def _cell(figure: Figure) -> str:
    share = figure.name not in ("p50", "p99", "p99.9")
    value = f"{figure.value:.1%}" if share else f"{figure.value:.3f}"
    if figure.bar is None:
        return value
    if figure.met:
        return f"[green]{value}[/]"
    return f"[red]{value} > " + (f"{figure.bar:.0%}[/]" if share else f"{figure.bar:g}[/]")
