"""Processes that a bench starts: pinned where asked, ended always.

They are in sessions of their own, so that Ctrl-C reaches only the bench, which ends them. Where
the bench itself is killed, Linux ends them for it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]

STOP_TIMEOUT_S = 10.0
WATCH_EVERY_S = 0.5
LAST_LINES = 20
_PR_SET_PDEATHSIG = 1


def available_cores() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@dataclass(slots=True)
class Child:
    """A running process. ``last_lines`` are the latest of its standard error."""

    process: asyncio.subprocess.Process
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    peak_rss_bytes: int = 0

    def cpu_s(self) -> float:
        """CPU time so far, with its own children; 0 once it has ended."""
        try:
            own = psutil.Process(self.process.pid)
            used = (p.cpu_times() for p in (own, *own.children(recursive=True)))
            return float(sum(times.user + times.system for times in used))
        except psutil.Error:
            return 0.0

    def look(self) -> None:
        """Note its memory."""
        with suppress(psutil.Error):
            own = psutil.Process(self.process.pid)
            rss = sum(p.memory_info().rss for p in (own, *own.children(recursive=True)))
            self.peak_rss_bytes = max(self.peak_rss_bytes, rss)

    async def drain(self, stream: asyncio.StreamReader) -> None:
        """Keep reading standard error, so that the process never waits for a full pipe."""
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # a line longer than the reader takes
                continue
            if not line:
                return
            self.last_lines.append(line.decode(errors="replace").rstrip())

    async def watch(self) -> None:
        """Note its memory again and again, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(WATCH_EVERY_S)

    async def stop(self) -> None:
        """Ask it to end, then make it."""
        process = self.process
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
        await process.wait()


@asynccontextmanager
async def running(module: str, *arguments: str, cores: Sequence[int] = ()) -> AsyncIterator[Child]:
    """Run ``python -m module arguments`` on ``cores`` (none: anywhere); ended on leaving.

    Standard input, output and error are pipes.
    """
    pins = ",".join(map(str, cores))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "pointsman_bench.children", pins, str(os.getpid()), module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    child = Child(process)
    watching = asyncio.create_task(child.watch())
    try:
        yield child
    finally:
        watching.cancel()
        try:
            await child.stop()
        finally:
            await asyncio.gather(watching, return_exceptions=True)


def become(pins: str, parent: int, module: str, arguments: Sequence[str]) -> None:
    """Turn this process into ``python -m module arguments``, pinned, and bound to ``parent``."""
    if pins:
        os.sched_setaffinity(0, [int(core) for core in pins.split(",")])
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before it could be told
            sys.exit(1)
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606


if __name__ == "__main__":
    become(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
