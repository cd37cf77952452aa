"""Waking when a request is due."""

from __future__ import annotations

import asyncio
import os
import time

import pytest
from pointsman_bench.load.alarm import Alarm


@pytest.mark.parametrize("exact", [True, False])
async def test_an_alarm_never_wakes_early(exact: bool) -> None:
    """With the system's timers or the loop's, one after the other."""
    with Alarm() as alarm:
        if not exact:
            alarm.close()
        assert alarm.exact is exact
        for wait in (0.0003, 0.002, 0.0101, 0.03):
            at = time.monotonic() + wait
            await alarm.until(at)
            assert at <= time.monotonic() < at + 5


async def test_what_has_passed_is_not_waited_for() -> None:
    """Not even for a turn of the loop."""
    with Alarm() as alarm:
        turns: list[int] = []
        asyncio.get_running_loop().call_soon(turns.append, 1)
        await alarm.until(time.monotonic() - 1)
        assert turns == []


async def test_an_alarm_is_more_exact_than_a_timer() -> None:
    """At its median, on any machine that is not drowned."""
    with Alarm() as alarm:
        late = []
        for _ in range(50):
            at = time.monotonic() + 0.0015
            await alarm.until(at)
            late.append(time.monotonic() - at)
    assert sorted(late)[25] < 0.0005


async def test_an_alarm_can_be_given_up_on_and_set_anew() -> None:
    """What it was set to before does not wake it."""
    with Alarm() as alarm:
        waiting = asyncio.create_task(alarm.until(time.monotonic() + 0.01))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        at = time.monotonic() + 0.03
        await alarm.until(at)
        assert time.monotonic() >= at


async def test_a_closed_alarm_keeps_no_file() -> None:
    """Though it is closed twice."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with Alarm() as alarm:
            alarm.close()
    assert len(os.listdir("/proc/self/fd")) == before
