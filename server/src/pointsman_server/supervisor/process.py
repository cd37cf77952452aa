"""A worker's process, as the parent has it: started, told, listened to, waited for."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from pointsman_server.supervisor.messages import (
    MAX_LINE_BYTES,
    Failed,
    FromWorker,
    Order,
    ProtocolError,
    Seat,
    decode,
    encode,
    encode_seat,
)

LAST_WORDS_S = 2.0
"""How long to read on after a worker's end: its own children may hold the channel open."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker's process has ended. ``exit_code`` is minus the signal's number where one did it."""

    exit_code: int
    failed: Failed | None

    @property
    def why(self) -> str:
        """What is known of the reason."""
        if self.failed is not None:
            return self.failed.message
        if self.exit_code >= 0:
            return f"a worker's process ended with code {self.exit_code}"
        try:
            name = signal.Signals(-self.exit_code).name
        except ValueError:
            name = str(-self.exit_code)
        return f"a worker's process was ended by {name}"


Heard = Callable[[FromWorker | Ended], None]


class WorkerProcess:
    """One worker from start to end. ``heard`` is told what it says, and of its end, last."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._failed: Failed | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The operating system's number for it."""
        return None if self._process is None else self._process.pid

    def start(self, arguments: Sequence[str], seat: Seat) -> None:
        """Start it with these arguments of `pointsman`; the channel's end is added to the seat."""
        self._task = asyncio.create_task(self._run(arguments, seat))

    def tell(self, order: Order) -> None:
        """Give an order; one that is gone does not hear it."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(order))

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
        elif self._task is not None:
            self._task.cancel()

    async def _run(self, arguments: Sequence[str], seat: Seat) -> None:
        try:
            ended = await self._live(arguments, seat)
        except asyncio.CancelledError:  # killed before there was a process
            ended = Ended(-signal.SIGKILL, None)
        except Exception as error:  # noqa: BLE001 - the boundary of the worker's task
            self.kill()
            ended = Ended(1, Failed(f"cannot start a worker: {error}", 1))
        self._heard(ended)

    async def _live(self, arguments: Sequence[str], seat: Seat) -> Ended:
        ours, theirs = socket.socketpair()
        try:
            self._process = process = await _spawned(arguments, seat, theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, self._writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE_BYTES)
        listening = asyncio.create_task(self._listen(reader))
        exit_code = await process.wait()
        await asyncio.wait([listening], timeout=LAST_WORDS_S)
        listening.cancel()
        self._writer.close()
        return Ended(exit_code, self._failed)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                message = decode(line)
                if isinstance(message, Failed):
                    self._failed = message
                else:
                    self._heard(message)
        except ConnectionError:
            pass  # it died with something unread
        except (ProtocolError, ValueError) as error:  # ValueError: a line without end
            self._failed = Failed(f"a worker does not speak as it should: {error}", 1)
            self.kill()


async def _spawned(
    arguments: Sequence[str], seat: Seat, control_fd: int
) -> asyncio.subprocess.Process:
    seat = replace(seat, control_fd=control_fd)
    inherited = [control_fd, *seat.listen_fds, *([seat.config_fd] if seat.config_fd >= 0 else [])]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # what lies in the current folder is not imported in place of a library
        "-m",
        "pointsman_server",
        *arguments,
        "--seat",
        encode_seat(seat),
        stdin=asyncio.subprocess.DEVNULL,
        pass_fds=inherited,
        # So that Ctrl-C in a terminal reaches the parent alone, which then stops all.
        start_new_session=True,
    )
