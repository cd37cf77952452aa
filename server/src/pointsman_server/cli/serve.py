"""`pointsman serve`: the server, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Annotated

import typer

from pointsman_server.app import Server, build_server
from pointsman_server.cli.failures import CommandError
from pointsman_server.cli.local import load_config, local_providers
from pointsman_server.cli.options import ConfigFile, Json
from pointsman_server.cli.runner import run_async
from pointsman_server.cli.terminal import err
from pointsman_server.config import Config, with_addresses
from pointsman_server.providers.base import ProviderError
from pointsman_server.telemetry.logs import configure


def serve(
    config: ConfigFile = None,
    address: Annotated[
        str | None, typer.Option(help="Listen here: host:port or unix:PATH; port 0 takes any.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Serve Prometheus metrics here; 'off' for nowhere.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then let calls under way end.

    Writes JSON lines to standard error: one a decision, attempt and request.
    """
    banner = sys.stderr.isatty() and not json_output
    run_async(_serve(with_addresses(load_config(config), address, metrics), banner=banner))


async def _serve(config: Config, *, banner: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    server = build_server(config, local_providers(), configure(config.log))
    await start(server)
    if banner:
        models = ", ".join(m.name for m in server.core.registry)
        err().print(f"serving {models}\non {server.address}; Ctrl-C stops it", style="bold")
    await stop.wait()
    await server.drain()


async def start(server: Server) -> None:
    """Start a server, or say in a line why that cannot be.

    Raises:
        CommandError: an address cannot be listened on, or a local model cannot be started.
    """
    try:
        await server.start()
    except (OSError, ProviderError) as error:
        await server.core.close()
        mend = "; choose another with --address or --metrics" if isinstance(error, OSError) else ""
        raise CommandError(f"{error}{mend}") from None
