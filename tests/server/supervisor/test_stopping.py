"""A first signal asks, a second insists."""

from __future__ import annotations

import asyncio
import signal

import pytest
from pointsman_server.cli.stopping import Stop


def test_the_second_signal_cuts_and_sets_the_exit_code() -> None:
    stop = Stop()
    stop.signalled(signal.SIGTERM)
    assert (stop.asked.is_set(), stop.cut.is_set(), stop.exit_code) == (True, False, 0)
    stop.signalled(signal.SIGINT)
    assert (stop.asked.is_set(), stop.cut.is_set(), stop.exit_code) == (True, True, 130)


async def test_work_that_ends_by_itself_is_done() -> None:
    stop = Stop()
    done = []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(1)

    assert await stop.unless_cut(work())
    assert done == [1]


async def test_work_is_broken_off_and_may_clean_up() -> None:
    stop, cleaned = Stop(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    asyncio.get_running_loop().call_later(0.01, stop.cut.set)
    assert not await stop.unless_cut(work())
    assert cleaned.is_set()


async def test_what_goes_wrong_is_raised() -> None:
    async def work() -> None:
        raise OSError("in use")

    with pytest.raises(OSError, match="in use"):
        await Stop().unless_cut(work())


async def test_signals_of_the_process_are_heard() -> None:
    stop = Stop()
    stop.on_signals()
    try:
        signal.raise_signal(signal.SIGINT)
        await asyncio.wait_for(stop.asked.wait(), 5)
        assert not stop.cut.is_set()
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(stop.cut.wait(), 5)
        assert stop.exit_code == 143
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)
