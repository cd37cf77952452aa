"""One text to read, and who waits for it."""

from __future__ import annotations

import asyncio
import gc

import pytest
from pointsman_server.reading.thread import Reading


def made() -> Reading[str]:
    return Reading("a text", lambda *_: None)


async def test_all_who_wait_are_told() -> None:
    """An outcome reaches everybody who has joined, but for those who were cancelled meanwhile."""
    reading = made()
    futures = [reading.join() for _ in range(3)]
    futures[1].cancel()
    reading.deliver("outcome")
    assert [await futures[0], await futures[2]] == ["outcome"] * 2
    assert futures[1].cancelled()


async def test_a_break_down_is_told_to_all() -> None:
    """What went wrong reaches everybody who has joined."""
    reading = made()
    futures = [reading.join() for _ in range(2)]
    reading.deliver(ValueError("it broke"))
    for future in futures:
        with pytest.raises(ValueError, match="it broke"):
            await future


async def test_a_break_down_that_nobody_sees_is_not_reported_as_lost() -> None:
    """Whoever is cancelled at the very moment of a break-down leaves no error behind."""
    lost: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    reading = made()
    future = reading.join()
    reading.deliver(ValueError("it broke"))
    reading.leave(future)
    assert reading.waiting == []
    del future
    gc.collect()
    assert lost == []
