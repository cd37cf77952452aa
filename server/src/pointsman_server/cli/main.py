"""All commands, and what their failures look like.

Exit codes: 0 done; 1 the call failed; 2 bad usage or configuration; 3 nothing to route to, and
nothing that could be fetched; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import click
import typer
from pointsman_client import PointsmanError

from pointsman_server import __version__
from pointsman_server.cli import (
    chat,
    check,
    classify,
    complete,
    demo,
    explain,
    models,
    serve,
)
from pointsman_server.cli.failures import CommandError
from pointsman_server.config import ConfigError
from pointsman_server.domain.errors import RouterError

app = typer.Typer(
    help="pointsman routes each prompt to the cheapest model that will answer it well and in time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(serve.serve)
app.command()(demo.demo)
app.command()(check.check)
app.command()(classify.classify)
app.command()(explain.explain)
app.command()(complete.complete)
app.command()(chat.chat)
app.command()(models.models)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"pointsman {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def run() -> int:
    """Run the command line and return its exit code."""
    try:
        code = app(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except CommandError as error:
        print(f"pointsman: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except (PointsmanError, RouterError) as error:
        print(f"pointsman: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        # the reader of a pipe has seen enough; nothing more can be said to it
        sys.stderr.close()
        return 1
    return code if isinstance(code, int) else 0
