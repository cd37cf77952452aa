"""`pointsman serve` with several workers, under load: crashes, reloads and stops."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import urllib.request
from pathlib import Path

import pytest
from answers import text_reply
from prometheus_client.parser import text_string_to_metric_families
from upstream import Hang, Reply, upstream_server
from workers import Serving, is_running, running, traffic, wait_until, write_config

TEXT = ["All ", "of ", "it ", "is ", "here."]
ANSWER = text_reply("openai", TEXT, pause_s=0.02)
ARRIVING_S = 0.05
"""A call that was begun so much earlier than something happened had arrived by then."""


async def metrics(serving: Serving) -> dict[str, float]:
    """The sums over all labels, by metric."""
    url = f"http://127.0.0.1:{serving.logged('serving')[0]['metrics_port']}/metrics"
    with await asyncio.to_thread(urllib.request.urlopen, url) as response:
        text = response.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


async def test_a_worker_that_is_killed_takes_only_its_own_calls_with_it(tmp_path: Path) -> None:
    """The other goes on, a new one comes within seconds, and what was counted stays counted.

    The new one has the configuration that is in force, whatever is in the file by then. In the end
    the parent is killed, too: no worker outlives it.
    """
    async with upstream_server(ANSWER) as upstream:
        file = write_config(tmp_path, upstream.url, metrics="127.0.0.1:0")
        async with running(tmp_path) as serving:
            await serving.until("serving")
            async with traffic(serving.address, clients=16) as clients:
                await wait_until(lambda: len(clients.outcomes) > 100)
                shares = [len(serving.logged("request", worker=n)) for n in (0, 1)]
                assert min(shares) > 0, "both have work"
                before = await metrics(serving)
                file.write_text("broken: [")  # which nobody has asked to load
                victim, died = serving.pid(0), time.monotonic()
                os.kill(victim, signal.SIGKILL)
                crashed = await serving.until("worker_crashed", worker=0)
                again = await serving.until("worker_ready", count=2, worker=0)
                assert again["config_digest"] == serving.logged("serving")[0]["config_digest"]
                assert time.monotonic() - died < 20.0
                counted = len(clients.outcomes)
                await wait_until(lambda: len(clients.outcomes) > counted + 50)
            lost = clients.lost
            assert "SIGKILL" in crashed["why"]
            assert 1 <= len(lost) <= 16, lost
            assert {o.code for o in lost} == {"UNAVAILABLE"}
            assert all(abs(o.ended - died) < 1.0 for o in lost), "those that were under way"
            assert {o.text for o in clients.outcomes if not o.code} == {"".join(TEXT)}
            after = await metrics(serving)
            assert after["pointsman_requests_total"] > before["pointsman_requests_total"] > 90
            assert after["pointsman_request_seconds_count"] > 0
            assert after["pointsman_worker_crashes_total"] == 1
            assert after["pointsman_workers"] == 2

            pids = [serving.pid(0), serving.pid(1)]
            assert all(map(is_running, pids))
            assert serving.pid(0) != victim
            asked = len(upstream.requests)
            async with traffic(serving.address, clients=4) as clients:
                await upstream.wait_for(lambda books: len(books.requests) >= asked + 4)
                serving.process.kill()
                await clients.stop()
            await wait_until(lambda: not any(map(is_running, pids)))
            assert {o.text for o in clients.outcomes[:4]} == {"".join(TEXT)}, "calls may end"


async def test_a_reload_and_a_stop_under_load_lose_no_call(tmp_path: Path) -> None:
    """Nor does a broken configuration, which stays out."""
    async with upstream_server(ANSWER) as upstream:
        file = write_config(tmp_path, upstream.url)
        async with running(tmp_path) as serving:
            first = (await serving.until("serving"))["config_digest"]
            async with (
                traffic(serving.address, clients=6) as steady,
                traffic(serving.address, clients=2, reconnect=True) as fleeting,
            ):
                await wait_until(lambda: len(steady.outcomes) > 12)
                write_config(tmp_path, upstream.url, max_in_flight=99)
                serving.signal(signal.SIGHUP)
                await serving.until("reloaded")
                file.write_text(file.read_text().replace("price", "prize"))
                serving.signal(signal.SIGHUP)
                failed = await serving.until("reload_failed")
            lines = [await serving.until("worker_ready", count=2, worker=n) for n in (0, 1)]
            (second,) = {line["config_digest"] for line in lines}
            assert second != first
            assert "pointsman.yaml:5:18: models.one/a.prize: is not a setting" in failed["why"]
            assert (failed["replaced"], failed["kept"]) == ([], [0, 1])
            assert steady.lost + fleeting.lost == []
            assert len(steady.outcomes) > 60
            assert len(fleeting.outcomes) > 20
            await check_stop(serving)


async def check_stop(serving: Serving) -> None:
    """SIGTERM under load loses no call; who calls when the doors are closed is told so."""
    pids = [serving.pid(0), serving.pid(1)]
    async with traffic(serving.address, clients=12) as clients:
        await wait_until(lambda: len(clients.outcomes) > 36)
        asked = time.monotonic()
        serving.signal(signal.SIGTERM)
        assert await serving.process.wait() == 0
    assert not any(map(is_running, pids))
    served = [o for o in clients.outcomes if o.began < asked - ARRIVING_S]
    assert [o for o in served if o.code] == []
    assert sum(o.ended > asked for o in served) > 4, "some were under way"
    assert {o.code for o in clients.outcomes if o.began >= asked} <= {"", "UNAVAILABLE"}


@pytest.mark.parametrize(("workers", "transport"), [(1, "fast"), (2, "grpc")])
async def test_a_second_ctrl_c_ends_calls_at_once(
    tmp_path: Path, workers: int, transport: str
) -> None:
    """The first waits for them; the exit code of the second is that of an interrupt."""
    async with upstream_server(Reply((Hang(),))) as upstream:
        write_config(tmp_path, upstream.url, workers=workers, transport=transport, drain="1h")
        async with running(tmp_path) as serving:
            await serving.until("serving")
            async with traffic(serving.address, clients=3) as clients:
                await upstream.wait_for(lambda books: len(books.requests) == 3)
                serving.signal(signal.SIGINT)
                await serving.until("draining", count=workers)
                clients_done = asyncio.create_task(clients.stop())
                await asyncio.sleep(0.3)
                assert serving.process.returncode is None
                assert clients.under_way == 3
                began = time.monotonic()
                serving.signal(signal.SIGINT)
                assert await serving.process.wait() == 130
                assert time.monotonic() - began < 4.0
                await clients_done
            assert len(clients.lost) == 3
            await upstream.wait_for(lambda books: len(books.closes) == 3)
        assert serving.other == []
