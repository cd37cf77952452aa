"""`pointsman bench compare`: two runs, by how much they differ, and whether that may pass."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman_bench.report.cli import HtmlPath, Json, refuse, save
from pointsman_bench.report.terminal import err, out
from pointsman_bench.results import ResultFileError

REGRESSION = 1

Confidence = Annotated[
    float, typer.Option("--confidence", min=0.5, max=0.999, help="The intervals' level.")
]
Replicates = Annotated[
    int, typer.Option("--replicates", min=200, max=20_000, help="Bootstrap replicates.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")]


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The result to compare against.")],
    b: Annotated[
        Path | None,
        typer.Argument(metavar="B", help="The result to judge. Without it, A's second arm."),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if",
            help="Exit with 1 if it holds, such as 'ttft_p99 > +10%'. May be given many times.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail also where a condition is unclear.")
    ] = False,
    arm: Annotated[
        str | None, typer.Option("--arm", help="Which arm of both results; else the first.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Compare invalid runs too.")] = False,
    confidence: Confidence = 0.95,
    replicates: Replicates = 2000,
    seed: Seed = 1,
    html: HtmlPath = None,
    json_output: Json = False,
) -> None:
    """Compare two load runs metric by metric, with intervals and plain verdicts.

    Exits with 1 where a --fail-if condition holds, with 2 on bad usage, on files that cannot be
    read and on invalid runs.
    """
    # imported only now: arrays are slow to load, and --help needs none
    from pointsman_bench.compare.estimate import Method
    from pointsman_bench.compare.fail_if import FailIfError, parse
    from pointsman_bench.compare.machine import as_json
    from pointsman_bench.compare.page import comparison_page
    from pointsman_bench.compare.run import NotComparable, compared, refuse_invalid, sides
    from pointsman_bench.compare.text import print_comparison

    try:
        conditions = [parse(text) for text in fail_if or ()]
        pair = sides(a, b, arm)
        if not force:
            refuse_invalid(pair)
        method = Method(confidence, replicates, seed)
        with err().status("resampling") as status:
            found = compared(pair, method, conditions, status.update)
        if html is not None:
            save(html, comparison_page(found))
    except (ResultFileError, FailIfError, NotComparable) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}; give a place that can be written to")
    if json_output:
        typer.echo(as_json(found))
    else:
        print_comparison(found, out())
    if found.failed or (strict and found.unclear):
        raise typer.Exit(REGRESSION)
