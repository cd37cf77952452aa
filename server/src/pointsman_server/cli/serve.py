"""`pointsman serve`: the server, until it is told to stop."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pointsman_server.app import Server, build_server
from pointsman_server.cli.failures import CommandError
from pointsman_server.cli.local import load_config, local_providers
from pointsman_server.cli.options import ConfigFile, Json, environment
from pointsman_server.cli.runner import run_async
from pointsman_server.cli.stopping import Stop, serve_until_stopped
from pointsman_server.cli.terminal import err
from pointsman_server.cli.workers import worker_count
from pointsman_server.config import Config, find_file, with_addresses, with_transport, with_workers
from pointsman_server.providers.base import ProviderError
from pointsman_server.supervisor.plan import Plan, encode_plan, written
from pointsman_server.telemetry.logs import configure
from pointsman_server.transports.base import TransportKind


def serve(
    config: ConfigFile = None,
    address: Annotated[
        str | None, typer.Option(help="Listen here: host:port or unix:PATH; port 0 takes any.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Serve Prometheus metrics here; 'off' for nowhere.")
    ] = None,
    transport: Annotated[
        TransportKind | None,
        typer.Option(help="'fast', or 'grpc' for the reference, which is slower."),
    ] = None,
    workers: Annotated[
        str | None, typer.Option(help="Processes that serve; 'auto' for one a core.")
    ] = None,
    json_output: Json = False,
    seat: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then let calls under way end; a second one cuts them off.

    Writes JSON lines to standard error: one a decision, attempt and request. With several workers,
    SIGHUP loads the configuration anew and replaces them one by one.
    """

    def adjusted(loaded: Config) -> Config:
        listening = with_addresses(loaded, address, metrics)
        return with_workers(with_transport(listening, transport), workers)

    if seat is not None:
        from pointsman_server.cli.worker import work

        raise typer.Exit(work(seat, adjusted))
    loaded = adjusted(load_config(config))
    count = worker_count(loaded)
    banner = sys.stderr.isatty() and not json_output
    if count > 1:
        _supervise(loaded, find_file(config, environment()), count, banner=banner)
    exit_code = run_async(_serve(loaded, banner=banner))
    if exit_code:
        raise typer.Exit(exit_code)


async def _serve(config: Config, *, banner: bool) -> int:
    stop = Stop()
    stop.on_signals()
    server = build_server(config, local_providers(), configure(config.log))
    if not await stop.unless_cut(start(server)):
        await server.core.close()
        return stop.exit_code
    if banner:
        models = ", ".join(m.name for m in server.core.registry)
        err().print(f"serving {models}\non {server.address}; Ctrl-C stops it", style="bold")
    await serve_until_stopped(server, stop)
    return stop.exit_code


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
    # what was loaded lives for ever: it need not be looked through whenever garbage is collected
    gc.collect()
    gc.freeze()


def _supervise(config: Config, path: Path | None, workers: int, *, banner: bool) -> None:
    """Become the parent of several workers. Never returns."""
    plan = Plan(
        arguments=sys.argv[1:],
        workers=workers,
        address=config.grpc.address,
        metrics=written(config.metrics_address),
        config_path=str(path or ""),
        banner=banner,
    )
    parent = [sys.executable, "-P", "-m", "pointsman_server.supervisor", encode_plan(plan)]
    # In the place of this process, which has loaded all that a worker needs and a parent does not.
    os.execv(sys.executable, parent)  # noqa: S606 - no shell is wanted
