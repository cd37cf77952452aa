"""Options that commands share."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pointsman_server.cli.failures import UsageError
from pointsman_server.transports.base import GrpcSettings

MAX_STDIN_CHARACTERS = 4 * 1024 * 1024

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file. Else POINTSMAN_CONFIG, else ./pointsman.yaml, else the keys "
        "found in the environment, else the local models that are here.",
    ),
]

ServerAddress = Annotated[
    str | None,
    typer.Option(
        "--server",
        "-s",
        envvar="POINTSMAN_SERVER",
        help=f"Address of a running server ({GrpcSettings().address}).",
    ),
]

Prompt = Annotated[
    list[str] | None,
    typer.Argument(
        help="The prompt; read from standard input where none is given.", metavar="PROMPT"
    ),
]


def prompt_text(words: list[str] | None) -> str:
    """The prompt from the arguments, else from standard input.

    Raises:
        UsageError: there is none.
    """
    if words:
        return _valid(" ".join(words))
    if sys.stdin.isatty():
        raise UsageError("give a prompt, as arguments or on standard input")
    text = sys.stdin.read(MAX_STDIN_CHARACTERS + 1)
    if len(text) > MAX_STDIN_CHARACTERS:
        raise UsageError(f"the prompt is longer than {MAX_STDIN_CHARACTERS} characters")
    if not text.strip():
        raise UsageError("the prompt is empty")
    return _valid(text)


def _valid(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError("the prompt is not valid UTF-8") from None
    return text


def environment() -> dict[str, str]:
    """A copy of the environment."""
    return dict(os.environ)
