"""Installing peers, with an installer that does as it is told."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from pointsman_bench.peers.install import (
    Missing,
    NodePackage,
    PythonPackage,
    cache_folder,
    installed,
)

PACKAGE = PythonPackage("peer", "1.2", "peer[proxy]==1.2")
NODE = NodePackage("peer", "1.2", "@peer/gateway", (("@peer/server", "1.0"),))


def program(folder: Path, name: str, script: str) -> None:
    """Put a program of this name on a path of its own."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the only programs there are, beside the shell's own."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


async def test_a_package_is_installed_once(tools: Path, tmp_path: Path) -> None:
    """The second time it is there, and nothing is said or run."""
    program(tools, "uv", 'echo "$@" >> ../calls')
    said: list[str] = []
    cache = tmp_path / "cache"
    for _ in range(2):
        folder = await installed(PACKAGE, cache, said.append)
    assert folder == cache / "peer-1.2"
    calls = (cache / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["venv", "pip"]
    assert calls[1].endswith("peer[proxy]==1.2")
    assert len(said) == 1
    assert "peer 1.2" in said[0]


async def test_what_an_interrupted_installation_left_is_removed(
    tools: Path, tmp_path: Path
) -> None:
    """Only an installation that ended well is used."""
    program(tools, "uv", "true")
    left = tmp_path / "peer-1.2" / "half"
    left.mkdir(parents=True)
    await installed(PACKAGE, tmp_path, lambda _: None)
    assert not left.exists()


async def test_a_package_that_cannot_be_installed_is_missing(tools: Path, tmp_path: Path) -> None:
    """With the installer's own words, and it is tried again the next time."""
    program(tools, "uv", 'echo "No solution found" >&2; exit 1')
    for _ in range(2):
        with pytest.raises(Missing, match=r"uv failed \(No solution found\); see .*peer-1.2.log"):
            await installed(PACKAGE, tmp_path, lambda _: None)


async def test_a_folder_that_cannot_be_written_is_a_reason(tools: Path, tmp_path: Path) -> None:
    """Not a traceback."""
    program(tools, "uv", "true")
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(Missing, match="cannot be installed into"):
        await installed(PACKAGE, in_the_way, lambda _: None)


async def test_a_node_package_is_installed_with_its_pins_and_without_scripts(
    tools: Path, tmp_path: Path
) -> None:
    """Scripts of strangers' packages are not run."""
    program(tools, "npm", 'echo "$@" > calls')
    program(tools, "node", "true")
    folder = await installed(NODE, tmp_path, lambda _: None)
    manifest = json.loads((folder / "package.json").read_text())
    assert manifest["dependencies"] == {"@peer/gateway": "1.2"}
    assert manifest["overrides"] == {"@peer/server": "1.0"}
    assert "--ignore-scripts" in (folder / "calls").read_text()


async def test_without_node_a_node_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it says what is needed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match=r"needs Node\.js"):
        await installed(NODE, tmp_path / "cache", lambda _: None)


def test_installations_are_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where XDG says, or in ~/.cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/pointsman/peers")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "pointsman" / "peers"
