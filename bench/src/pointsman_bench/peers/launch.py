"""Servers under test: started on their cores, watched until they answer, always ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pointsman_bench.capacity.process import drive
from pointsman_bench.capacity.work import Work, WorkError

START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 10.0
_POLL_S = 0.2
_LAST_BYTES = 2000
_LAST_LINES = 5
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SSL_CERT_FILE")


class LaunchError(Exception):
    """A server did not start; ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a server.

    ``environment`` is added to the few variables that are passed on: a server under test needs
    none of the user's keys.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Launched:
    """A server that runs; ``pid`` is ``None`` where it is none of ours."""

    pid: int | None
    address: str


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def launched(
    name: str, command: Command, port: int, folder: Path, cores: Sequence[int]
) -> AsyncIterator[Launched]:
    """Run a server on ``cores`` (none: anywhere) until it listens on ``port``; ended on leaving.

    Raises:
        LaunchError: it ended, or did not listen in time.
    """
    environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pointsman_bench.peers.become"),
            *(",".join(map(str, cores)), str(os.getpid()), *command.arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment | dict(command.environment),
            cwd=folder,
            start_new_session=True,
        )
    try:
        await _listening(name, process, port, log)
        yield Launched(process.pid, f"127.0.0.1:{port}")
    finally:
        await _stop(process)


async def answering(name: str, work: Work, cores: Sequence[int]) -> None:
    """Wait until a server answers one call of ``work`` rightly.

    Raises:
        LaunchError: it did not in time.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + START_TIMEOUT_S
    probe = msgspec.structs.replace(work, streams=1, warm_up_s=0.0, calls=1, verify_every=1)
    while True:
        try:
            outcome = await drive(probe, cores)
            why = outcome.first_error or "no call ended"
        except WorkError as error:
            outcome, why = None, str(error)
        if outcome is not None and outcome.calls:
            return
        if loop.time() > until:
            raise LaunchError(f"{name} does not answer: {why}")
        await asyncio.sleep(_POLL_S)


async def _listening(name: str, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + START_TIMEOUT_S
    while process.returncode is None and loop.time() < until:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(_POLL_S)
            continue
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return
    why = "did not listen in time" if process.returncode is None else "ended at once"
    raise LaunchError(f"{name} {why}: {last_lines(log)}")


def last_lines(log: Path) -> str:
    """The end of a log, in one line."""
    text = log.read_bytes()[-_LAST_BYTES:].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_LINES:]) or "it said nothing"


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the server, and whatever is left of the session that it led."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        pass
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
