"""The supervisor with the real worker and the real SmolLM2, and with scripted workers."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pointsman_server.providers.local.cache import cache_dir, path_in
from pointsman_server.providers.local.catalogue import SMOLLM2_135M
from pointsman_server.providers.local.process import LocalServerError
from pointsman_server.providers.local.restart import RestartPolicy
from pointsman_server.providers.local.server import (
    LocalServer,
    LocalServerSettings,
    ServerState,
)
from pointsman_server.providers.local.worker import NOT_INSTALLED
from weight_sources import alive, until

pytestmark = pytest.mark.usefixtures("smollm2")

SMOLLM2_PATH = path_in(SMOLLM2_135M, cache_dir(os.environ))
READY = "print('{}', flush=True)\n"


def real(**changes: object) -> LocalServerSettings:
    settings: dict[str, object] = {
        "model_name": "smollm2-135m",
        "model_path": SMOLLM2_PATH,
        "slot_context": 256,
        "slots": 1,
    }
    return LocalServerSettings(**(settings | changes))  # type: ignore[arg-type]


def scripted(program: str, **changes: object) -> LocalServerSettings:
    """A worker that runs ``program`` once it has read its settings."""
    program = "import sys, time, signal, os\nsys.stdin.readline()\n" + program
    command = (sys.executable, "-c", program)
    return real(command=command, model_path=Path("none"), **changes)


@asynccontextmanager
async def running(settings: LocalServerSettings) -> AsyncIterator[LocalServer]:
    server = LocalServer(settings)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def status(server: LocalServer, key: str) -> int:
    reader, writer = await asyncio.open_unix_connection(str(server.socket_path))
    writer.write(
        f"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: Bearer {key}\r\n\r\n".encode()
    )
    line = await reader.readline()
    await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


async def test_it_serves_from_start_to_stop() -> None:
    server = LocalServer(real())
    assert server.failure == "it is stopped"

    await server.start()
    try:
        pid = server.pid
        assert pid is not None
        assert server.state is ServerState.READY
        assert server.failure == ""
        assert await status(server, server.api_key) == 200
        await server.start()  # does nothing
        assert server.pid == pid
    finally:
        started = time.monotonic()
        await server.stop()

    assert time.monotonic() - started < 2
    assert not alive(pid)
    assert not server.socket_path.parent.exists()
    assert server.failure == "it is stopped"
    await server.stop()  # does nothing


async def test_only_this_user_with_the_key_gets_in() -> None:
    async with running(real()) as server, running(real()) as other:
        assert stat.S_IMODE(server.socket_path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.socket_path.stat().st_mode) & 0o077 == 0
        assert await status(server, "wrong") == 401
        assert await status(server, other.api_key) == 401
        assert server.api_key not in repr(server)


def process_file(pid: int | None, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


async def test_the_key_is_in_no_argument_and_no_environment() -> None:
    async with running(real()) as server:
        for name in ("cmdline", "environ"):
            assert server.api_key.encode() not in process_file(server.pid, name)


async def test_it_can_be_started_again() -> None:
    server = LocalServer(real())
    for _ in range(2):
        await server.start()
        assert await status(server, server.api_key) == 200
        await server.stop()


async def test_a_killed_worker_is_started_again() -> None:
    policy = RestartPolicy(first_delay_s=0.01)
    async with running(real(restarts=policy)) as server:
        first = server.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: server.state is ServerState.RESTARTING)
        assert server.failure == "its process died (signal 9) and is started again"
        await until(lambda: server.state is ServerState.READY)

        assert server.pid != first
        assert await status(server, server.api_key) == 200


async def test_a_worker_that_keeps_dying_is_given_up() -> None:
    slept: list[float] = []

    async def sleep(delay: float) -> None:
        slept.append(delay)

    policy = RestartPolicy(max_restarts=3, first_delay_s=1.0)
    server = LocalServer(
        scripted(READY + "sys.exit(3)", restarts=policy), monotonic=lambda: 0.0, sleep=sleep
    )
    await server.start()
    await until(lambda: server.state is ServerState.FAILED)

    assert slept == [1.0, 2.0, 4.0]
    assert server.failure == "its process died (code 3) too often"
    assert server.pid is None
    await server.stop()


async def test_a_restart_that_fails_counts_as_a_crash(tmp_path: Path) -> None:
    async def sleep(delay: float) -> None:
        pass

    once = f"os.mkdir({str(tmp_path / 'ran')!r})\n"
    server = LocalServer(
        scripted(once + READY + "sys.exit(3)", restarts=RestartPolicy(max_restarts=2)),
        monotonic=lambda: 0.0,
        sleep=sleep,
    )
    await server.start()
    await until(lambda: server.state is ServerState.FAILED)

    assert "its process died (it said: FileExistsError" in server.failure
    assert server.failure.endswith("too often")
    await server.stop()


async def test_stopping_while_it_waits_to_restart() -> None:
    waiting = asyncio.Event()

    async def sleep(delay: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    server = LocalServer(scripted(READY + "sys.exit(3)"), sleep=sleep)
    await server.start()
    await waiting.wait()
    await server.stop()

    assert server.state is ServerState.STOPPED


async def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF, or so it says")
    server = LocalServer(real(model_path=path))

    with pytest.raises(LocalServerError, match=r"llama\.cpp did not start") as failed:
        await server.start()

    assert "failed to load model" in failed.value.stderr_tail
    assert "\n" not in str(failed.value)
    assert server.state is ServerState.STOPPED
    assert not server.socket_path.parent.exists()


async def test_without_llama_cpp_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['xllamacpp'] = None\n"
        "from pointsman_server.providers.local.worker import main; sys.exit(main())"
    )
    server = LocalServer(real(command=(sys.executable, "-c", program)))

    with pytest.raises(LocalServerError, match="install pointsman-server") as failed:
        await server.start()

    assert str(failed.value) == f"the local model smollm2-135m: {NOT_INSTALLED}"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("time.sleep(60)", "it was not ready after 0.7 s"),
        ("print('hello')", "its process said something else than that it is ready"),
        ("print('x' * 100_000)", "its process said something else than that it is ready"),
        ("sys.exit('out of paper')", "its process died (it said: out of paper)"),
    ],
)
async def test_a_worker_that_does_not_start_is_ended(program: str, message: str) -> None:
    program = "print(os.getpid(), file=sys.stderr, flush=True)\n" + program
    timeout = 0.7 if "sleep" in program else 20.0
    server = LocalServer(scripted(program, start_timeout_s=timeout))

    with pytest.raises(LocalServerError) as failed:
        await server.start()

    assert message in str(failed.value)
    assert not alive(int(failed.value.stderr_tail.split()[0]))


async def test_a_command_that_does_not_exist() -> None:
    server = LocalServer(real(command=("/nowhere/python",)))

    with pytest.raises(LocalServerError, match="No such file"):
        await server.start()


async def test_cancelling_a_start_ends_the_worker(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    program = f"open({str(note)!r}, 'w').write(str(os.getpid()) + '.')\ntime.sleep(60)"
    server = LocalServer(scripted(program))
    start = asyncio.create_task(server.start())
    await until(lambda: note.exists() and note.read_text().endswith("."))
    pid = int(note.read_text()[:-1])

    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start

    assert not alive(pid)
    assert server.state is ServerState.STOPPED


async def test_a_worker_that_listens_to_nothing_is_killed() -> None:
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + "time.sleep(60)"
    server = LocalServer(scripted(deaf, stop_patience_s=0.2))
    await server.start()
    pid = server.pid
    assert pid is not None
    started = time.monotonic()

    await server.stop()

    assert not alive(pid)
    assert 0.4 <= time.monotonic() - started < 5


async def test_a_talkative_worker_is_not_held_up() -> None:
    program = READY + "sys.stderr.write('x' * 10_000_000)\nsys.exit(7)"
    server = LocalServer(scripted(program, restarts=RestartPolicy(max_restarts=0)))
    await server.start()
    await until(lambda: server.state is ServerState.FAILED)

    assert server.failure == "its process died (code 7) too often"
    await server.stop()


async def test_a_path_too_long_for_a_socket_is_explained(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 100)
    directory.mkdir()

    with pytest.raises(LocalServerError, match="set TMPDIR to a shorter one"):
        await LocalServer(real(directory=directory)).start()


def exists(path: str) -> bool:
    return os.path.exists(path)


PARENT = """
import asyncio, sys
from pathlib import Path
from pointsman_server.providers.local.server import LocalServer, LocalServerSettings

async def main():
    server = LocalServer(LocalServerSettings("m", Path(sys.argv[1]), 256, slots=1))
    await server.start()
    print(server.pid, server.socket_path, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_worker_dies_with_its_parent(number: signal.Signals) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(SMOLLM2_PATH)), stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    pid, socket_path = (await parent.stdout.readline()).decode().split()
    assert alive(int(pid))
    assert exists(socket_path)

    parent.send_signal(number)
    assert await parent.wait() == -number

    await until(lambda: not alive(int(pid)), within_s=5)
    assert not exists(os.path.dirname(socket_path))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_ends_when_told_to(number: signal.Signals) -> None:
    policy = RestartPolicy(max_restarts=0)
    async with running(real(restarts=policy)) as server:
        assert server.pid is not None
        os.kill(server.pid, number)
        await until(lambda: server.state is ServerState.FAILED, within_s=5)

        assert server.failure == "its process died (code 0) too often"


def test_a_worker_without_settings_says_so() -> None:
    command = [sys.executable, "-m", "pointsman_server.providers.local.worker"]
    run = subprocess.run(command, input=b"{}\n", capture_output=True, timeout=20)

    assert run.returncode == 1
    assert run.stdout == b'{"error":"the worker was given no valid settings"}\n'
