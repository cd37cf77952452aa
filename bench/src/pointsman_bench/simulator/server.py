"""The simulator's process: one port for answers and, under /control/, for those who run it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
from typing import TextIO

import msgspec
import uvloop

from pointsman_bench.simulator.behaviour import BehaviourError, Change, SimulatorConfig, from_json
from pointsman_bench.simulator.books import to_json
from pointsman_bench.simulator.payload import error_answer, json_answer
from pointsman_bench.simulator.protocol import Connection, Simulation, models_answer

BACKLOG = 4096


class Start(msgspec.Struct, frozen=True):
    """Body of POST /control/start: the run's clock shows 0 in ``in_s`` seconds."""

    in_s: float = 0.0


class Ready(msgspec.Struct, frozen=True):
    """The line that the process writes to standard output once it listens."""

    port: int


class Control:
    """Answers what is asked under /control/, and the few other paths that are no completions."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def __call__(self, method: bytes, path: str, body: bytes) -> bytes | None:
        """The answer, or ``None`` where nothing is at ``path``."""
        simulation = self._simulation
        match method, path:
            case b"GET", "/control/books":
                return json_answer(to_json(simulation.books.account(_cpu_s())))
            case b"POST", "/control/start":
                return self._start(body)
            case b"POST", "/control/changes":
                return self._change(body)
            case b"GET", "/v1/models":
                return models_answer(simulation)
            case b"GET", "/health":
                return json_answer(b'{"status":"ok"}')
            case _:
                return None

    def _start(self, body: bytes) -> bytes:
        try:
            start = msgspec.json.decode(body or b"{}", type=Start)
        except msgspec.MsgspecError as error:
            return error_answer(400, str(error))
        self._simulation.began_at = self._simulation.clock() + start.in_s
        return json_answer(b"{}")

    def _change(self, body: bytes) -> bytes:
        try:
            changes = msgspec.json.decode(body, type=list[Change])
            SimulatorConfig(tuple(self._simulation.models.values()), tuple(changes))
        except (msgspec.MsgspecError, BehaviourError) as error:
            return error_answer(400, str(error))
        self._simulation.changes[:] = changes
        return json_answer(b"{}")


async def serve(config: SimulatorConfig, stop: asyncio.Event, out: TextIO) -> None:
    """Serve on loopback until ``stop`` is set; says on ``out`` where.

    Raises:
        OSError: the port is taken.
    """
    simulation = Simulation.of(config)
    control = Control(simulation)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(simulation, control),
        "127.0.0.1",
        config.port,
        family=socket.AF_INET,
        backlog=BACKLOG,
    )
    port: int = server.sockets[0].getsockname()[1]
    out.write(msgspec.json.encode(Ready(port)).decode() + "\n")
    out.flush()
    try:
        await stop.wait()
    finally:
        server.close()
        for connection in tuple(simulation.open):
            connection.close()
        await server.wait_closed()


async def _main() -> None:
    """Serve what standard input asks for, until it is closed or the process is told to end."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    config = from_json(await asyncio.to_thread(sys.stdin.buffer.readline))

    def listen() -> None:
        # whoever started this process holds the other end: it must not outlive them
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    loop.add_reader(sys.stdin.fileno(), listen)
    await serve(config, stop, sys.stdout)


def main() -> int:
    """Run the process; returns its exit code."""
    try:
        uvloop.run(_main())
    except (BehaviourError, OSError) as error:
        sys.stderr.write(f"simulator: {error}\n")
        return 1
    return 0


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
