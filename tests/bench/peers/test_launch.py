"""Starting servers under test."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from pointsman_bench.peers import launch
from pointsman_bench.peers.cores import choose
from pointsman_bench.peers.launch import Command, LaunchError, free_port, launched

LISTEN = """
import socket, subprocess, sys
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
if len(sys.argv) > 2:
    subprocess.Popen([sys.executable, "-c", DEAF])
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()[0].close()
"""


def python(script: str, *arguments: str) -> Command:
    """A command that runs this script."""
    return Command((sys.executable, "-c", script, *arguments), {"OURS": "1"})


async def test_a_server_runs_until_it_is_left_and_takes_its_children_along(
    tmp_path: Path,
) -> None:
    """Nothing of it is there afterwards, not even a child that will not end."""
    port = free_port()
    command = python(LISTEN, str(port), "with a child")
    async with launched("it", command, port, tmp_path, ()) as server:
        assert server.address == f"127.0.0.1:{port}"
        assert server.pid is not None
        tree = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        assert len(tree) == 2
        assert all(process.is_running() for process in tree)
    psutil.wait_procs(tree, timeout=5)
    gone = [not p.is_running() or p.status() == psutil.STATUS_ZOMBIE for p in tree]
    assert all(gone)


async def test_a_server_that_ends_says_its_last_words(tmp_path: Path) -> None:
    """They are in the error."""
    command = python("raise SystemExit('no such flag')")
    with pytest.raises(LaunchError, match="it ended at once: no such flag"):
        async with launched("it", command, free_port(), tmp_path, ()):
            pass


async def test_a_server_that_does_not_listen_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while."""
    monkeypatch.setattr(launch, "START_TIMEOUT_S", 0.3)
    command = python("import time; print('waiting', flush=True); time.sleep(600)")
    with pytest.raises(LaunchError, match="it did not listen in time"):
        async with launched("it", command, free_port(), tmp_path, ()):
            pass


async def test_a_server_gets_none_of_our_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its own variables and the few that programs need."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    seen = tmp_path / "environment"
    script = f"import os; open({str(seen)!r}, 'w').write(repr(dict(os.environ)))"
    with pytest.raises(LaunchError):
        async with launched("it", python(script), free_port(), tmp_path, ()):
            pass
    text = seen.read_text()
    assert "sk-canary" not in text
    assert "'OURS': '1'" in text
    assert "'PATH'" in text


async def test_a_server_runs_on_its_cores_from_the_first_moment(tmp_path: Path) -> None:
    """As do the threads and children that it starts."""
    core = min(os.sched_getaffinity(0))
    seen = tmp_path / "cores"
    script = f"import os; open({str(seen)!r}, 'w').write(repr(os.sched_getaffinity(0)))"
    with pytest.raises(LaunchError):
        async with launched("it", python(script), free_port(), tmp_path, (core,)):
            pass
    assert seen.read_text() == repr({core})
    assert os.sched_getaffinity(0) >= {core}


async def test_leaving_early_ends_the_server_too(tmp_path: Path) -> None:
    """A bench that is interrupted leaves nothing behind."""
    port = free_port()
    pids: list[int] = []
    started = asyncio.Event()

    async def use() -> None:
        async with launched("it", python(LISTEN, str(port)), port, tmp_path, ()) as server:
            assert server.pid is not None
            pids.append(server.pid)
            started.set()
            await asyncio.Event().wait()

    using = asyncio.create_task(use())
    await asyncio.wait_for(started.wait(), 20)
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert not psutil.pid_exists(pids[0])


def test_servers_and_clients_get_a_core_each() -> None:
    """The first two of those that may be used."""
    cores = choose(frozenset({5, 3, 9}))
    assert (cores.server, cores.client) == ((3,), (5,))
    assert "core 3" in cores.note
    assert "core 5" in cores.note


def test_with_one_core_nothing_is_pinned_and_it_is_said() -> None:
    """The figures are worth less then."""
    cores = choose(frozenset({3}))
    assert (cores.server, cores.client) == ((), ())
    assert cores.note.startswith("Nothing is pinned: there is only one core")
