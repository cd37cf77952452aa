"""The benches' command line: `pointsman bench`, or `python -m pointsman_bench`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "load": "load",
    "scenarios": "load",
    "simulate": "load",
    "report": "report",
    "compare": "compare",
    "hedge": "hedging",
    "overhead": "overhead",
    "peers": "peers",
    "soak": "peers",
}
"""Each is a function of its name in the ``cli`` module of a room."""


class _OnDemand(TyperGroup):
    """Imports a command's room when the command is asked for: few need the plots, say."""

    # the types of a context and a command are no public names of typer's

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"pointsman_bench.{COMMANDS[cmd_name]}.cli")
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name=cmd_name)(getattr(module, cmd_name))
        return typer.main.get_command(alone)


app = typer.Typer(
    cls=_OnDemand,
    help="Benchmarks of pointsman: load, hedging, faults, peers, and what came of them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _benches() -> None:
    """Benchmarks of pointsman."""
