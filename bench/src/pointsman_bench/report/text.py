"""A run's report in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from pointsman_bench.report.account_sheets import (
    check_sheet,
    generator_sheet,
    provider_sheet,
    server_sheet,
)
from pointsman_bench.report.facts import Facts
from pointsman_bench.report.markup import printable
from pointsman_bench.report.run_sheets import (
    cost_sheet,
    error_sheet,
    hedge_sheet,
    latency_sheet,
    model_sheet,
    outcome_sheet,
)
from pointsman_bench.report.sheets_text import print_invalid, print_sheet
from pointsman_bench.report.units import Unit, format_value
from pointsman_bench.results import Run

INVALID = "Do not use these numbers."


def print_report(facts: Facts, console: Console) -> None:
    """Print everything that matters for deciding; the page has the rest."""
    run, verdict = facts.result.run, facts.result.verdict
    console.print(Text(printable(run.scenario), style="bold"))
    console.print(Text(printable(run.description)))
    console.print(Text(settings_line(run), style="dim"))
    console.print()
    if verdict.valid:
        console.print(Text("VALID", style="bold green"))
    else:
        print_invalid(INVALID, verdict.reasons, console)
    for warning in (*interruption(run), *verdict.warnings):
        console.print(Text(f"mind: {printable(warning)}", style="yellow"))
    sheets = (
        latency_sheet(facts),
        outcome_sheet(facts),
        error_sheet(facts),
        hedge_sheet(facts),
        model_sheet(facts),
        cost_sheet(facts),
        generator_sheet(facts),
        provider_sheet(facts),
        server_sheet(facts),
        check_sheet(facts),
    )
    for sheet in sheets:
        if sheet is not None:
            print_sheet(sheet, console)
    if not verdict.valid:  # once more, where a long report ends and is read first
        console.print()
        console.print(Text(f"INVALID: {INVALID} See the top for why.", style="bold red"))


def settings_line(run: Run) -> str:
    """How it was measured, in a line."""
    return printable(
        f"{format_value(run.measured_s, Unit.SECONDS)} at "
        f"{format_value(run.rate, Unit.PER_SECOND)}, {run.arrival} arrivals · seed {run.seed} · "
        f"{run.target} · {run.started_at}"
    )


def interruption(run: Run) -> tuple[str, ...]:
    """What to mind of a run that somebody ended early."""
    if not run.interrupted:
        return ()
    planned = format_value(run.duration_s, Unit.SECONDS)
    measured = format_value(run.measured_s, Unit.SECONDS)
    return (f"interrupted: measured {measured} of the planned {planned}",)
