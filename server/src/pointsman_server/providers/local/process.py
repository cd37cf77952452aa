"""One life of a worker process: launched, waited for, stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from pointsman_server.providers.local.protocol import (
    MAX_LINE_BYTES,
    WorkerReport,
    WorkerSettings,
)

_TAIL_BYTES = 1 << 12
_READ_BYTES = 1 << 12


class LocalServerError(Exception):
    """A local model server does not run; ``str()`` is one line that is safe to show.

    ``stderr_tail`` is what the child wrote last, before it served anything.
    """

    def __init__(self, message: str, stderr_tail: str = "") -> None:
        self.stderr_tail = stderr_tail
        last = stderr_tail.strip().splitlines()[-1:] if stderr_tail else []
        super().__init__(" ".join([message, *(f"(it said: {line.strip()})" for line in last)]))


class WorkerProcess:
    """A worker that has reported that it serves. Made by `launch`."""

    def __init__(
        self, process: asyncio.subprocess.Process, stdin: asyncio.StreamWriter, drain: _Drain
    ) -> None:
        self._process = process
        self._stdin = stdin
        self._drain = drain

    @property
    def pid(self) -> int:
        """The operating system's number for it."""
        return self._process.pid

    async def wait(self) -> int:
        """Wait for its end, however that comes; the exit code, or minus the signal's number."""
        code = await self._process.wait()
        await self._drain.ended()
        return code

    async def stop(self, patience_s: float) -> None:
        """End it: by the end of its stdin, then SIGTERM, then SIGKILL, ``patience_s`` after each.

        Idempotent.
        """
        self._stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self.wait()
                    return
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
        await self.wait()


class _Drain:
    """Keeps a pipe empty and remembers its last few bytes."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._tail = b""
        self._task = asyncio.create_task(self._read(stream))

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(_READ_BYTES):
            self._tail = (self._tail + data)[-_TAIL_BYTES:]

    @property
    def tail(self) -> str:
        return self._tail.decode("utf-8", "replace")

    async def ended(self) -> None:
        await asyncio.wait([self._task])


async def launch(
    command: Sequence[str], settings: WorkerSettings, start_timeout_s: float
) -> WorkerProcess:
    """Start a worker and wait until it serves; cancelling kills it.

    Raises:
        LocalServerError: it does not start, or not in time.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
            # So that Ctrl-C in a terminal reaches the router alone, which then stops it in order.
            start_new_session=True,
        )
    except OSError as error:
        raise LocalServerError(f"the local model's process: {error.strerror}") from None
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    if stdin is None or stdout is None or stderr is None:
        raise LocalServerError("the local model's process has no pipes")
    drain = _Drain(stderr)
    worker = WorkerProcess(process, stdin, drain)
    try:
        async with asyncio.timeout(start_timeout_s):
            reason = await _start(stdin, stdout, settings)
    except TimeoutError:
        reason = f"it was not ready after {start_timeout_s:g} s"
    except asyncio.CancelledError:
        await _kill(worker, process)
        raise
    if reason:
        await _kill(worker, process)
        raise LocalServerError(f"the local model {settings.model_name}: {reason}", drain.tail)
    return worker


async def _start(
    stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader, settings: WorkerSettings
) -> str:
    """Why it does not serve; empty where it does."""
    # A worker that dies at once breaks the pipe; what matters is then what it reported.
    with suppress(ConnectionError):
        stdin.write(msgspec.json.encode(settings) + b"\n")
        await stdin.drain()
    try:
        line = await stdout.readline()
        return msgspec.json.decode(line, type=WorkerReport).error if line else "its process died"
    except (ValueError, msgspec.MsgspecError):
        return "its process said something else than that it is ready"


async def _kill(worker: WorkerProcess, process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await worker.stop(patience_s=1.0)
