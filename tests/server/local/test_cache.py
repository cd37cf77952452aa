from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pointsman_server.providers.local.cache import (
    cache_dir,
    cached,
    install,
    locked,
    make_directory,
    path_in,
    scratch,
)
from weight_sources import CONTENT, weights_from


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"POINTSMAN_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"POINTSMAN_CACHE": "", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/pointsman"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/c"}, "/c/.cache/pointsman"),
        ({"HOME": "/c"}, "/c/.cache/pointsman"),
    ],
)
def test_the_cache_is_where_the_environment_says(environ: dict[str, str], expected: str) -> None:
    assert cache_dir(environ) == Path(expected)


def test_a_file_counts_only_with_its_marker_and_size(cache: Path) -> None:
    weights = weights_from()
    make_directory(cache)
    path = path_in(weights, cache)
    assert cached(weights, cache) is None

    path.write_bytes(CONTENT)
    assert cached(weights, cache) is None  # nobody has verified it

    new = cache / "new"
    new.write_bytes(CONTENT)
    assert install(weights, new, cache) == path
    assert cached(weights, cache) == path
    assert not new.exists()

    path.write_bytes(CONTENT[:-1])
    assert cached(weights, cache) is None


@pytest.mark.parametrize("marker", [b"", b"  ", b"0" * 64, b"\xff" * 1000])
def test_a_marker_for_another_file_is_none(cache: Path, marker: bytes) -> None:
    weights = weights_from()
    make_directory(cache)
    path_in(weights, cache).write_bytes(CONTENT)
    (cache / f"{weights.file_name}.sha256").write_bytes(marker)

    assert cached(weights, cache) is None


def test_the_marker_is_what_sha256sum_reads(cache: Path) -> None:
    weights = weights_from()
    make_directory(cache)
    new = cache / "new"
    new.write_bytes(CONTENT)
    install(weights, new, cache)

    marker = (cache / f"{weights.file_name}.sha256").read_text()

    assert marker == f"{weights.sha256}  {weights.file_name}\n"


async def test_the_lock_lets_one_in_at_a_time(cache: Path) -> None:
    weights = weights_from()
    make_directory(cache)
    inside = 0
    most = 0
    waits = 0

    def waiting() -> None:
        nonlocal waits
        waits += 1

    async def enter() -> None:
        nonlocal inside, most
        async with locked(weights, cache, waiting):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(enter() for _ in range(3)))

    assert most == 1
    assert waits >= 2


async def test_a_cancelled_holder_leaves_the_lock_free(cache: Path) -> None:
    weights = weights_from()
    make_directory(cache)
    holding = asyncio.Event()

    async def hold() -> None:
        async with locked(weights, cache, lambda: None):
            holding.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await holding.wait()
    task.cancel()
    await asyncio.wait([task])

    async with asyncio.timeout(1), locked(weights, cache, lambda: None):
        pass


def test_what_a_crash_left_is_removed(cache: Path) -> None:
    weights = weights_from()
    left = cache / ".some-weights.abc.tmp"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"x")

    with scratch(weights, cache) as folder:
        assert not left.exists()
        assert folder.parent == cache
        (folder / "file").write_bytes(b"x")
    assert list(cache.iterdir()) == []
