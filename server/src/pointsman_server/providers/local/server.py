"""A local model's server: one worker process, supervised."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pointsman_server.domain.clock import Monotonic
from pointsman_server.providers.local.process import LocalServerError, WorkerProcess, launch
from pointsman_server.providers.local.protocol import WorkerSettings
from pointsman_server.providers.local.restart import RestartPolicy, Restarts

# What a unix socket's address holds: 108 bytes on Linux, the last one being zero.
MAX_SOCKET_PATH_BYTES = 107
# llama.cpp takes a name for a socket's by its ending.
_SOCKET_NAME = "llama.sock"
_KEY_BYTES = 32
_STOPPED = "it is stopped"

Sleep = Callable[[float], Awaitable[None]]


class ServerState(StrEnum):
    """Whether a local server can be asked."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LocalServerSettings:
    """What to serve and how.

    Each of ``slots`` answers has a context of ``slot_context`` tokens. ``threads`` defaults to the
    cores that this process may use. ``directory`` is where the private folder for the socket is
    made; the system's temporary one by default. Stopping takes up to three times
    ``stop_patience_s``.
    """

    model_name: str
    model_path: Path
    slot_context: int
    slots: int = 2
    threads: int | None = None
    directory: Path | None = None
    start_timeout_s: float = 60.0
    stop_patience_s: float = 2.0
    restarts: RestartPolicy = RestartPolicy()
    command: tuple[str, ...] = (
        sys.executable,
        "-P",
        "-m",
        "pointsman_server.providers.local.worker",
    )


class LocalServer:
    """Keeps one worker running from `start` until `stop`; starts it again when it crashes."""

    def __init__(
        self,
        settings: LocalServerSettings,
        *,
        monotonic: Monotonic = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._sleep = sleep
        # The address and the key stay the same however often the worker is started.
        self._folder = _unused_folder(settings.directory)
        self._api_key = secrets.token_urlsafe(_KEY_BYTES)
        self._state = ServerState.STOPPED
        self._worker: WorkerProcess | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._failure = _STOPPED
        self._changing = asyncio.Lock()

    def __repr__(self) -> str:
        return f"LocalServer({self._settings.model_name!r}, {self._state})"

    @property
    def model_name(self) -> str:
        """The model's name."""
        return self._settings.model_name

    @property
    def socket_path(self) -> Path:
        """The unix socket that it listens on while it is ready."""
        return self._folder / _SOCKET_NAME

    @property
    def api_key(self) -> str:
        """The bearer token that it asks for."""
        return self._api_key

    @property
    def state(self) -> ServerState:
        """Whether it can be asked."""
        return self._state

    @property
    def failure(self) -> str:
        """Why it cannot be asked, in one line; empty while it can."""
        return self._failure

    @property
    def pid(self) -> int | None:
        """The worker's process, where one runs."""
        return None if self._worker is None else self._worker.pid

    async def start(self) -> None:
        """Start the worker and wait until it serves. Does nothing where it runs already.

        Raises:
            LocalServerError: it does not start, or not in time.
        """
        async with self._changing:
            if self._supervisor is not None and not self._supervisor.done():
                return
            self._enter(ServerState.STARTING, "it is starting")
            try:
                _make_folder(self._folder)
                self._worker = await self._launch()
            except BaseException as error:
                known = isinstance(error, LocalServerError)
                self._enter(
                    ServerState.STOPPED, str(error) if known else "its start was broken off"
                )
                shutil.rmtree(self._folder, ignore_errors=True)
                raise
            self._enter(ServerState.READY, "")
            self._supervisor = asyncio.create_task(self._supervise(self._worker))

    async def stop(self) -> None:
        """End the worker, in bounded time, and remove its socket. Idempotent."""
        async with self._changing:
            supervisor, self._supervisor = self._supervisor, None
            if supervisor is not None:
                supervisor.cancel()
                await asyncio.wait([supervisor])
            worker, self._worker = self._worker, None
            self._enter(ServerState.STOPPED, _STOPPED)
            if worker is not None:
                await worker.stop(self._settings.stop_patience_s)
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _supervise(self, worker: WorkerProcess) -> None:
        restarts = Restarts(self._settings.restarts)
        while True:
            code = await worker.wait()
            self._worker = None
            crash = f"its process died ({_describe(code)})"
            while True:
                delay = restarts.crashed(self._monotonic())
                if delay is None:
                    self._enter(ServerState.FAILED, f"{crash} too often")
                    return
                self._enter(ServerState.RESTARTING, f"{crash} and is started again")
                await self._sleep(delay)
                try:
                    worker = self._worker = await self._launch()
                    break
                except LocalServerError as error:
                    crash = str(error)
            self._enter(ServerState.READY, "")

    async def _launch(self) -> WorkerProcess:
        settings = self._settings
        return await launch(
            settings.command,
            WorkerSettings(
                model_path=str(settings.model_path.absolute()),
                socket_path=str(self.socket_path),
                api_key=self._api_key,
                model_name=settings.model_name,
                slot_context=settings.slot_context,
                slots=settings.slots,
                threads=settings.threads or usable_cores(),
            ),
            settings.start_timeout_s,
        )

    def _enter(self, state: ServerState, failure: str) -> None:
        self._state = state
        self._failure = failure


def usable_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _unused_folder(directory: Path | None) -> Path:
    """A name that nobody can guess, so that nobody has made a folder of that name before."""
    return (directory or Path(tempfile.gettempdir())) / f"pointsman-{secrets.token_hex(8)}"


def _make_folder(folder: Path) -> None:
    length = len(os.fsencode(folder / _SOCKET_NAME))
    if length > MAX_SOCKET_PATH_BYTES:
        raise LocalServerError(
            f"the temporary folder's path is too long for a socket: {length} bytes of at most "
            f"{MAX_SOCKET_PATH_BYTES}; set TMPDIR to a shorter one"
        )
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise LocalServerError(f"cannot make {folder}: {error.strerror}") from None


def _describe(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"code {code}"
