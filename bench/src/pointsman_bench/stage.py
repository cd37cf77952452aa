"""The stage of a bench: a pointsman server of its own, and the simulated upstream behind it.

Both are processes on loopback, in front of nothing but each other, and both are ended on leaving,
however that comes about.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec

from pointsman_bench.children import Child, running
from pointsman_bench.load.errors import BenchError
from pointsman_bench.server_config import ServerSettings, UpstreamModel, config_text
from pointsman_bench.simulator import behaviour, books
from pointsman_bench.simulator.behaviour import SimulatorConfig
from pointsman_bench.simulator.books import Account
from pointsman_bench.simulator.server import Ready, Start

START_TIMEOUT_S = 60.0
_CONTROL_TIMEOUT = aiohttp.ClientTimeout(total=10)


class Simulator:
    """A simulated upstream in a process of its own."""

    def __init__(self, child: Child, port: int) -> None:
        self.child = child
        self.url = f"http://127.0.0.1:{port}/v1"
        self._control = f"http://127.0.0.1:{port}/control"

    async def start_clock(self, in_s: float) -> None:
        """Let the run's clock, which changes of behaviour go by, show 0 in ``in_s`` seconds."""
        async with aiohttp.ClientSession(timeout=_CONTROL_TIMEOUT) as session:
            body = msgspec.json.encode(Start(in_s))
            async with session.post(f"{self._control}/start", data=body) as response:
                response.raise_for_status()

    async def account(self) -> Account:
        """Its books as they are now."""
        async with (
            aiohttp.ClientSession(timeout=_CONTROL_TIMEOUT) as session,
            session.get(f"{self._control}/books") as response,
        ):
            return books.from_json(await response.read())


@dataclass(frozen=True, slots=True)
class OwnServer:
    """A pointsman server in a process of its own. ``metrics`` is its metrics page."""

    child: Child
    address: str
    metrics: str


@asynccontextmanager
async def simulator(config: SimulatorConfig, cores: Sequence[int] = ()) -> AsyncIterator[Simulator]:
    """Run the simulated upstream.

    Raises:
        BenchError: it did not start.
    """
    async with running("pointsman_bench.simulator", cores=cores) as child:
        process = child.process
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise AssertionError("a child's streams are pipes")
        draining = asyncio.create_task(child.drain(process.stderr))
        try:
            process.stdin.write(behaviour.to_json(config) + b"\n")
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    line = await process.stdout.readline()
                ready = msgspec.json.decode(line, type=Ready)
            except (TimeoutError, msgspec.MsgspecError):
                said = "\n".join(child.last_lines)
                raise BenchError(f"the simulated upstream did not start: {said}") from None
            yield Simulator(child, ready.port)
        finally:
            process.stdin.close()  # it ends when it sees that
            await child.stop()
            await draining


@asynccontextmanager
async def server(
    models: Sequence[UpstreamModel],
    upstream: str,
    settings: ServerSettings,
    cores: Sequence[int] = (),
) -> AsyncIterator[OwnServer]:
    """Run a pointsman server in front of ``upstream`` (an OpenAI-compatible base URL).

    Raises:
        BenchError: it is not installed, or did not start.
    """
    if importlib.util.find_spec("pointsman_server") is None:
        raise BenchError(
            "there is no pointsman server here to start; install pointsman-server, or give the "
            "address of a running one with --target"
        )
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pointsman-bench-"))
        path = Path(folder) / "pointsman.yaml"
        path.write_text(config_text(models, upstream, settings))
        arguments = ("serve", "--config", str(path), "--json")
        child = await stack.enter_async_context(
            running("pointsman_server", *arguments, cores=cores)
        )
        stderr = child.process.stderr
        if stderr is None:
            raise AssertionError("a child's streams are pipes")
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                address, metrics_port = await _serving(child, stderr)
        except TimeoutError:
            raise BenchError(f"the server was not up within {START_TIMEOUT_S:g} s") from None
        draining = asyncio.create_task(child.drain(stderr))
        try:
            yield OwnServer(child, address, f"http://127.0.0.1:{metrics_port}/metrics")
        finally:
            await child.stop()
            await draining


async def _serving(child: Child, stderr: asyncio.StreamReader) -> tuple[str, int]:
    """Where the server says in its log that it serves, and its metrics."""
    while line := await stderr.readline():
        text = line.decode(errors="replace").rstrip()
        child.last_lines.append(text)
        if text.startswith("{"):
            entry = json.loads(text)
            if entry.get("event") == "serving":
                return str(entry["address"]), int(entry["metrics_port"])
    said = "\n".join(child.last_lines)
    raise BenchError(f"the server did not start:\n{said}")
