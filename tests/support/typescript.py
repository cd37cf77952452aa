"""The TypeScript client, built in a folder of its own, and its conformance program run."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[2] / "clients" / "typescript"
SOURCES = ("src", "test", "conformance", "examples")
FILES = ("package.json", "package-lock.json", "tsconfig.json", ".npmrc")

OLDEST_NODE = 20
HOW_TO_MEND = (
    "the TypeScript client is tested with Node.js 20 or newer and npm: on Debian,"
    " `apt-get install nodejs npm`, or see https://nodejs.org/en/download"
)

INSTALL_S = 100
BUILD_S = 60
RUN_S = 90


@dataclass(frozen=True, slots=True)
class Departure:
    """When the client left an answer to ``prompt``: seconds on the monotonic clock."""

    prompt: str
    left_at: float


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one check."""

    ok: bool
    error: str
    left: tuple[Departure, ...]


def require_node() -> None:
    """Fail, and say what to install, where Node.js or npm is missing or too old."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.fail(f"no `{program}` is here; {HOW_TO_MEND}", pytrace=False)
    version = _run(["node", "--version"], PACKAGE, 10).strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.fail(f"node is {version}; {HOW_TO_MEND}", pytrace=False)


def build(folder: Path) -> Path:
    """Build the client in ``folder``, which is kept between sessions; returns where it was built.

    What is installed there is installed anew only where the lock file has changed.
    """
    require_node()
    for name in SOURCES:
        shutil.rmtree(folder / name, ignore_errors=True)
        if (PACKAGE / name).is_dir():
            shutil.copytree(PACKAGE / name, folder / name)
    for name in FILES:
        shutil.copy(PACKAGE / name, folder / name)
    lock = sha256((PACKAGE / "package-lock.json").read_bytes()).hexdigest()
    made_of = folder / "made-of"
    if not made_of.is_file() or made_of.read_text() != lock:
        made_of.unlink(missing_ok=True)
        _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, INSTALL_S)
        made_of.write_text(lock)
    shutil.rmtree(folder / "dist", ignore_errors=True)
    _run(["node", "node_modules/typescript/bin/tsc", "-p", "."], folder, BUILD_S)
    return folder / "dist"


def own_tests(dist: Path) -> None:
    """Run the client's own tests; fails with their output where one fails."""
    tests = sorted(str(path) for path in (dist / "test").glob("*.test.js"))
    assert tests
    command = ["node", "--test", "--test-timeout=20000", "--test-reporter=spec", *tests]
    _run(command, dist.parent, RUN_S)


async def conform(
    dist: Path, address: str, drain: Callable[[], Awaitable[object]]
) -> dict[str, CheckResult]:
    """Run the conformance program against a server; its results by the names of the checks.

    ``drain`` is started once the program asks for it.
    """
    process = await asyncio.create_subprocess_exec(
        "node",
        str(dist / "conformance" / "main.js"),
        address,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.create_task(process.stderr.read())
    results: dict[str, CheckResult] = {}
    draining: asyncio.Future[object] | None = None
    try:
        async with asyncio.timeout(RUN_S):
            async for line in process.stdout:
                said = json.loads(line)
                if "check" in said:
                    results[said["check"]] = _result(said)
                elif said["do"] == "drain":
                    draining = asyncio.ensure_future(drain())
            assert await process.wait() == 0, (await complaints).decode()
            if draining is not None:
                await draining
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await complaints
    return results


def _result(said: dict[str, Any]) -> CheckResult:
    left = tuple(Departure(d["prompt"], int(d["leftAt"]) / 1e9) for d in said["left"])
    return CheckResult(said["ok"], said.get("error", ""), left)


def _run(command: list[str], folder: Path, timeout_s: float) -> str:
    """The output of a command; fails with it where the command does."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"`{' '.join(command)}` took longer than {timeout_s} s", pytrace=False)
    if done.returncode:
        said = (done.stdout + done.stderr)[-6000:]
        pytest.fail(f"`{' '.join(command)}` failed:\n{said}", pytrace=False)
    return done.stdout
