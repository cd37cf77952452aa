"""`pointsman bench report`: what a run measured, in the terminal, as a page and as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pointsman_bench.report.terminal import err, out
from pointsman_bench.results import ResultFileError

ResultPath = Annotated[
    Path,
    typer.Argument(
        metavar="RESULT",
        help="result.json of `pointsman bench load`, or the folder that holds it.",
    ),
]
HtmlPath = Annotated[
    Path | None, typer.Option("--html", help="Write a page (one file, nothing fetched) here.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

BAD_USAGE = 2
INVALID = 4
"""As `bench load` ends where its numbers must not be used."""


def report(
    result: ResultPath,
    html: HtmlPath = None,
    png: Annotated[
        Path | None, typer.Option("--png", help="Write pictures into this folder.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Show what a load run measured.

    Exits with 4 where the run is invalid: the generator lagged, so that its numbers must not be
    used; with 2 where the file cannot be read.
    """
    # imported only now: arrays and plots are slow to load, and --help needs neither
    from pointsman_bench.report.facts import facts
    from pointsman_bench.report.loading import load
    from pointsman_bench.report.text import print_report

    try:
        found = facts(load(result))
        if html is not None:
            from pointsman_bench.report.run_page import report_page

            save(html, report_page(found))
        if png is not None:
            from pointsman_bench.report.pictures import save_pictures

            for file in save_pictures(found, png):
                err().print(f"wrote {file}", style="dim")
    except ResultFileError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}; give a place that can be written to")
    if json_output:
        from pointsman_bench.report.summary import summary

        typer.echo(summary(found))
    else:
        print_report(found, out())
    if not found.result.verdict.valid:
        raise typer.Exit(INVALID)


def save(path: Path, text: str) -> None:
    """Write a file whole or not at all, with the folders that lead to it, and say so.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, "utf-8")
    part.replace(path)
    err().print(f"wrote {path}", style="dim")


def refuse(message: str) -> NoReturn:
    """Say what is wrong with what was asked for, and end.

    Raises:
        typer.Exit: always, with `BAD_USAGE`.
    """
    err().print(f"pointsman bench: {message}", style="red", soft_wrap=True)
    raise typer.Exit(BAD_USAGE)
