"""Peers' installations: each in an environment of its own in the user's cache."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pointsman_bench.peers.launch import last_lines

INSTALL_TIMEOUT_S = 900.0
_MARK = ".installed"
"""Written last: a folder without it is what an interrupted installation left."""

Say = Callable[[str], None]


class Missing(Exception):
    """A peer cannot be had here; ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class PythonPackage:
    """A peer from the Python package index. ``requirement`` pins it."""

    name: str
    version: str
    requirement: str


@dataclass(frozen=True, slots=True)
class NodePackage:
    """A peer from the npm registry. ``overrides`` pin packages that it depends on."""

    name: str
    version: str
    package: str
    overrides: tuple[tuple[str, str], ...] = ()


Package = PythonPackage | NodePackage


def cache_folder() -> Path:
    """Where installations are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pointsman" / "peers"


async def installed(package: Package, cache: Path, say: Say) -> Path:
    """The folder of an installation, which is made where there is none.

    Raises:
        Missing: it cannot be made, and why.
    """
    folder = cache / f"{package.name}-{package.version}"
    if (folder / _MARK).exists():
        return folder
    say(f"installing {package.name} {package.version} into {folder} (once)")
    try:
        if folder.exists():
            await asyncio.to_thread(shutil.rmtree, folder)
        folder.mkdir(parents=True)
        for step in _steps(package, folder):
            await _run(step, folder)
        (folder / _MARK).touch()
    except OSError as error:
        raise Missing(f"{package.name} cannot be installed into {folder}: {error}") from None
    return folder


def _steps(package: Package, folder: Path) -> tuple[tuple[str, ...], ...]:
    match package:
        case PythonPackage():
            return _python_steps(package, folder)
        case NodePackage():
            npm = shutil.which("npm")
            if npm is None or shutil.which("node") is None:
                raise Missing(f"{package.name} needs Node.js: there is no npm or node on PATH")
            manifest = {
                "private": True,
                "dependencies": {package.package: package.version},
                "overrides": dict(package.overrides),
            }
            (folder / "package.json").write_text(json.dumps(manifest))
            quiet = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
            return ((npm, "install", *quiet),)


def _python_steps(package: PythonPackage, folder: Path) -> tuple[tuple[str, ...], ...]:
    python = str(folder / "bin" / "python")
    uv = shutil.which("uv")
    if uv is not None:
        return (
            (uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)),
            (uv, "pip", "install", "--quiet", "--python", python, package.requirement),
        )
    return (
        (sys.executable, "-m", "venv", str(folder)),
        (python, "-m", "pip", "install", "--quiet", package.requirement),
    )


async def _run(command: Sequence[str], folder: Path) -> None:
    """Run one step of an installation.

    Raises:
        Missing: it failed.
    """
    log = folder.with_name(f"{folder.name}.log")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
        )
        try:
            async with asyncio.timeout(INSTALL_TIMEOUT_S):
                code = await process.wait()
        except TimeoutError:
            raise Missing(f"not installed within {INSTALL_TIMEOUT_S:g} s; see {log}") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if code:
        raise Missing(f"{Path(command[0]).name} failed ({last_lines(log)}); see {log}")
