"""Processes that a bench starts."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pointsman_bench import children
from pointsman_bench.children import running

SLEEPER = "import time, os; print(sorted(os.sched_getaffinity(0)), flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "sys.stderr.write('ready\\n'); sys.stderr.flush(); time.sleep(60)"
)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes a module called "told"."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(text: str) -> None:
        (tmp_path / "told.py").write_text(text)

    return write


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has looked after does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def test_a_child_is_pinned_and_ended(told: Callable[[str], None]) -> None:
    """To the cores that it was given."""
    told(SLEEPER)
    core = max(os.sched_getaffinity(0))
    async with running("told", cores=(core,)) as child:
        assert child.process.stdout is not None
        assert await child.process.stdout.readline() == f"[{core}]\n".encode()
        pid = child.process.pid
    assert not alive(pid)


async def test_a_child_that_does_not_listen_is_made_to_end(
    told: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while."""
    monkeypatch.setattr(children, "STOP_TIMEOUT_S", 0.2)
    told(STUBBORN)
    async with running("told") as child:
        assert child.process.stderr is not None
        assert await child.process.stderr.readline() == b"ready\n"
    assert child.process.returncode == -signal.SIGKILL


async def test_a_child_is_out_of_reach_of_ctrl_c(told: Callable[[str], None]) -> None:
    """It is the bench that is interrupted, and that ends its children when it has what it needs."""
    told(SLEEPER)
    async with running("told") as child:
        assert child.process.stdout is not None
        await child.process.stdout.readline()
        assert os.getpgid(child.process.pid) != os.getpgid(0)


async def test_a_child_that_ended_by_itself_is_no_error(told: Callable[[str], None]) -> None:
    """Nothing is left to end."""
    told("print('done')")
    async with running("told") as child:
        async with asyncio.timeout(10):
            await child.process.wait()
        assert child.cpu_s() == 0.0
        child.look()
    assert child.process.returncode == 0


async def test_children_of_a_bench_that_is_killed_end(told: Callable[[str], None]) -> None:
    """Which could not end them itself any more."""
    told(SLEEPER)
    bench = (
        "import asyncio\nfrom pointsman_bench.children import running\n"
        "async def main():\n"
        "    async with running('told') as child:\n"
        "        await child.process.stdout.readline()\n"
        "        print(child.process.pid, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", bench, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10):
        while alive(pid):  # noqa: ASYNC110 - it is no child of ours, to wait for
            await asyncio.sleep(0.02)


async def test_what_a_child_uses_is_known(told: Callable[[str], None]) -> None:
    """Its CPU time and its memory."""
    told("x = sum(i * i for i in range(3_000_000)); print(x, flush=True); input()")
    async with running("told") as child:
        assert child.process.stdout is not None
        await child.process.stdout.readline()
        child.look()
        assert child.cpu_s() > 0.02
        assert child.peak_rss_bytes > 5_000_000
