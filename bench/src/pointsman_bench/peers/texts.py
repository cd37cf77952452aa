"""What was measured, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from rich.console import Console

from pointsman_bench.peers.comparison import Comparison, Settings
from pointsman_bench.peers.soak import Soak
from pointsman_bench.report.page import page
from pointsman_bench.report.rounds import RoundsTable, rounds_as_dict
from pointsman_bench.report.rounds_html import rounds_html
from pointsman_bench.report.rounds_text import print_rounds, rounds_markdown
from pointsman_bench.report.terminal import table
from pointsman_bench.report.units import Unit, format_value

_TITLE = "pointsman beside other gateways"


def print_tables(made: dict[str, RoundsTable], notes: Iterable[str], console: Console) -> None:
    """All tables and notes, for a terminal."""
    for each in made.values():
        print_rounds(each, console)
        console.print()
    for note in notes:
        console.print(f"- {note}")


def html_of(made: dict[str, RoundsTable], notes: Iterable[str]) -> str:
    """All tables and notes, as one page."""
    sections = [rounds_html(each, name=name) for name, each in made.items()]
    return page(_TITLE, sections, subtitle=" ".join(notes))


def notes_of(comparison: Comparison, settings: Settings) -> tuple[str, ...]:
    """What a reader must know: how it was measured, of what, and what is missing."""
    return (
        f"{settings.rounds} interleaved rounds after one that does not count; in each, "
        f"{settings.warm_up_s:g} s of warm-up and {settings.window_s:g} s of measurement. Medians; "
        "ratios are taken within a round.",
        *comparison.notes,
        *(f"{name}: {made_of}." for name, made_of in comparison.versions.items()),
        *(f"{name} is missing: {why}" for name, why in comparison.missing.items()),
    )


def markdown_of(made: dict[str, RoundsTable], notes: Iterable[str]) -> str:
    """All tables and notes, for bench/RESULTS.md."""
    return "\n\n".join(
        [*(rounds_markdown(each) for each in made.values()), "\n".join(f"- {n}" for n in notes), ""]
    )


def as_dict(
    comparison: Comparison, made: dict[str, RoundsTable], settings: Settings
) -> dict[str, object]:
    """For machines: the tables, and everything that they were made of."""
    return {
        "rounds": settings.rounds,
        "warm_up_s": settings.warm_up_s,
        "window_s": settings.window_s,
        "versions": comparison.versions,
        "missing": comparison.missing,
        "notes": list(comparison.notes),
        "tables": {name: rounds_as_dict(each) for name, each in made.items()},
        "samples": msgspec.to_builtins(comparison.samples),
    }


def soak_as_dict(found: Soak) -> dict[str, object]:
    """For machines: the curve and the ratio."""
    return {
        "rss_ratio": found.rss_ratio,
        "first": msgspec.to_builtins(found.first),
        "last": msgspec.to_builtins(found.last),
        "points": msgspec.to_builtins(found.points),
        "notes": list(found.notes),
    }


def print_soak(found: Soak, console: Console) -> None:
    """The curve, and how the two points compare."""
    numbers = ("streams", "streams/s", "RSS", "PSS", "USS", "errors")
    shown = table(*numbers, right=numbers)
    for point in found.points:
        memory = point.memory
        sizes = (format_value(v, Unit.BYTES) for v in (memory.rss, memory.pss, memory.uss))
        shown.add_row(
            f"{point.streams:,}", f"{point.streams_per_s:,.0f}", *sizes, f"{point.errors:,}"
        )
    console.print(shown)
    console.print(
        f"RSS after {found.last.streams:,} streams is {found.rss_ratio:.3f} times that after "
        f"{found.first.streams:,}."
    )
    for note in found.notes:
        console.print(f"- {note}")
