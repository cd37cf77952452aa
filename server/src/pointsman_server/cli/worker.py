"""One of several workers: serves as `pointsman serve` does, and does as its parent says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pointsman_server.app import Server, build_server
from pointsman_server.cli.failures import CommandError
from pointsman_server.cli.local import load_config, local_providers, models_here
from pointsman_server.cli.options import environment
from pointsman_server.cli.runner import run_async
from pointsman_server.cli.serve import start
from pointsman_server.cli.stopping import Stop, serve_until_stopped
from pointsman_server.cli.workers import worker_count
from pointsman_server.config import Config, ConfigError, load_text
from pointsman_server.supervisor.messages import Failed, Order, Ready, Report, Seat, decode_seat
from pointsman_server.supervisor.pinned import read_pinned
from pointsman_server.supervisor.plan import written
from pointsman_server.supervisor.worker import Parent
from pointsman_server.telemetry.logs import configure


def work(seat_text: str, adjusted: Callable[[Config], Config]) -> int:
    """Serve from a seat until told to stop, and return the exit code.

    Args:
        seat_text: as `encode_seat` has it.
        adjusted: a configuration as the command line's options change it.
    """
    seat = decode_seat(seat_text)
    parent = Parent(seat.control_fd)
    try:
        config = adjusted(_configured(seat))
        workers = worker_count(config)
        return run_async(_work(seat, config, workers, parent))
    except ConfigError as error:
        parent.failed(Failed(str(error), 2))
        return 2
    except CommandError as error:
        parent.failed(Failed(str(error), error.exit_code))
        return error.exit_code


def _configured(seat: Seat) -> Config:
    """The configuration that is in force, which its file need not have any more."""
    if not seat.config_path:
        return load_config(None)
    path = Path(seat.config_path)
    return load_text(path, read_pinned(seat.config_fd), environment(), models_here())


async def _work(seat: Seat, config: Config, workers: int, parent: Parent) -> int:
    stop = Stop()
    stop.on_signals()
    shared = replace(
        config.grpc, address=seat.address, reuse_port=True, listen_fds=tuple(seat.listen_fds)
    )
    log = configure(config.log, worker=seat.slot)
    log.info("worker_started", pid=os.getpid())
    own = replace(config, grpc=shared, metrics_address=None)
    server = build_server(own, local_providers(), log, alone=False)
    await start(server)
    if config.transport != "fast":
        for fd in seat.listen_fds:  # else they might listen on, and nobody would accept
            os.close(fd)
    obeying = asyncio.create_task(_obey(server, stop, parent, _ready(config, workers, server)))
    await serve_until_stopped(server, stop)
    await parent.say(Report(server.core.metrics.page()))
    obeying.cancel()
    return stop.exit_code


def _ready(config: Config, workers: int, server: Server) -> Ready:
    return Ready(
        adopted=config.transport == "fast",
        workers=workers,
        address=config.grpc.address,
        metrics=written(config.metrics_address),
        drain_s=config.drain_s,
        config=config.source,
        config_digest=config.digest,
        classifier=server.core.engine.vocabulary.classifier_version,
        models=[m.name for m in server.core.registry],
    )


async def _obey(server: Server, stop: Stop, parent: Parent, ready: Ready) -> None:
    """Tell the parent that this worker serves, and do as it says; stop when it is gone."""
    try:
        await parent.open()
        await parent.say(ready)
        async for order in parent.orders():
            match order:
                case Order.REPORT:
                    await parent.say(Report(await asyncio.to_thread(server.core.metrics.page)))
                case Order.DRAIN:
                    stop.asked.set()
                case Order.CUT:
                    stop.asked.set()
                    stop.cut.set()
    finally:
        stop.asked.set()
