"""All commands, and what their failures look like.

Exit codes: 0 done; 1 the call failed; 2 bad usage or configuration; 3 nothing to route to, and
nothing that could be fetched; 130 interrupted.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pointsman_server import __version__
from pointsman_server.cli.failures import CommandError

COMMANDS = ("serve", "demo", "check", "classify", "explain", "complete", "chat", "models")
"""Each is a function in a module of its own name."""

GROUP_OF_COMMANDS = "pointsman.commands"
"""Entry points of this group, in any distribution, are typer apps that become commands as well."""


class _OnDemand(TyperGroup):
    """Imports a command's module when the command is asked for: most need few of the libraries."""

    # the types of a context and a command are no public names of typer's

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *sorted(e.name for e in entry_points(group=GROUP_OF_COMMANDS))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return _brought_along(cmd_name)
        module = import_module(f"pointsman_server.cli.{cmd_name}")
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name=cmd_name)(getattr(module, cmd_name))
        return typer.main.get_command(alone)


def _brought_along(name: str) -> Any:
    """The command that another distribution brings, such as the benches'; ``None`` for no such."""
    found: list[EntryPoint] = list(entry_points(group=GROUP_OF_COMMANDS, name=name))
    if not found:
        return None
    command = typer.main.get_command(found[0].load())
    command.name = name
    return command


app = typer.Typer(
    cls=_OnDemand,
    help="pointsman routes each prompt to the cheapest model that will answer it well and in time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
    """Run the command line and return its exit code.

    Raises:
        SystemExit: where typer has said what there is to say: bad usage, help, an interrupt.
    """
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the command's boundary
        return _explained(error)
    return 0


def _explained(error: Exception) -> int:
    """Say what went wrong in a line, for failures that are no bug; return the exit code.

    Raises:
        Exception: ``error`` itself, where it is a bug.
    """
    # imported only now: commands that succeed are quicker without
    from pointsman_client import PointsmanError

    from pointsman_server.config import ConfigError
    from pointsman_server.domain.errors import RouterError

    match error:
        case ConfigError():
            print(error, file=sys.stderr)  # noqa: T201
            return 2
        case CommandError():
            print(f"pointsman: {error}", file=sys.stderr)  # noqa: T201
            return error.exit_code
        case PointsmanError() | RouterError():
            print(f"pointsman: {error}", file=sys.stderr)  # noqa: T201
            return 1
        case _:
            raise error
