"""The Prometheus page, over HTTP, after a scripted run."""

from __future__ import annotations

import asyncio
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from types import NoneType

import grpc.aio
import pytest
from answers import openai_chunk
from pointsman_server.telemetry.metrics import MetricsObserver, MetricsPage
from prometheus_client.parser import text_string_to_metric_families
from served import Served, Settings, ask, collect, failing, serving
from upstream import Cut, Hang, Pause, Reply, Send, whole

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path, Settings(metrics='"127.0.0.1:0"')) as running:
        yield running


def get(port: int, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
        assert response.headers["content-type"].startswith("text/plain")
        text: str = response.read().decode()
        return text


async def scrape(served: Served) -> Samples:
    port = served.server.metrics_port
    assert port is not None
    text = await asyncio.to_thread(get, port)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of what carries at least these labels."""
    wanted = set(labels.items())
    found = [v for (n, has), v in samples.items() if n == name and wanted <= has]
    return sum(found)


def names(samples: Samples) -> set[str]:
    return {name for name, _ in samples}


async def test_a_scripted_run_is_counted(served: Served) -> None:
    for _ in range(3):
        await collect(served.router.Complete(ask()))
    served.one.enqueue(whole("oops", 500))
    await collect(served.router.Complete(ask()))
    served.one.enqueue(Reply([Send(openai_chunk({"content": "x" * 40})), Pause(0.02), Cut()]))
    await failing(served.router.Complete(ask()))
    served.one.enqueue(whole("oops", 500))
    served.two.enqueue(whole("oops", 429))
    await failing(served.router.Complete(ask()))
    await served.idle()
    samples = await scrape(served)

    assert value(samples, "pointsman_decisions_total", model="one/a") == 6
    assert value(samples, "pointsman_decisions_total", basis="decision_tree") == 6
    assert value(samples, "pointsman_classify_seconds_count") == 6
    attempts = "pointsman_attempts_total"
    assert value(samples, attempts) == 8
    assert value(samples, attempts, model="one/a", reason="primary", outcome="completed") == 3
    assert value(samples, attempts, model="one/a", outcome="provider_error") == 3
    assert value(samples, attempts, model="two/b", reason="fallback", outcome="completed") == 1
    assert value(samples, attempts, model="two/b", outcome="rate_limited") == 1
    assert value(samples, "pointsman_attempt_first_token_seconds_count", model="one/a") == 4
    assert value(samples, "pointsman_attempt_first_token_seconds_count", model="two/b") == 1
    requests = "pointsman_requests_total"
    assert value(samples, requests) == 6
    assert value(samples, requests, error="") == 4
    assert value(samples, requests, error="AnswerInterrupted") == 1
    assert value(samples, requests, error="AllModelsFailed") == 1
    assert value(samples, "pointsman_request_seconds_count") == 6
    assert value(samples, "pointsman_tokens_total", model="two/b", kind="output") == 3
    assert value(samples, "pointsman_tokens_total", model="two/b", kind="input") == 12
    # three whole answers of three tokens, and the ten that 40 characters are taken for
    assert value(samples, "pointsman_tokens_total", model="one/a", kind="output") == 3 * 3 + 10
    assert value(samples, "pointsman_cost_usd_total", model="two/b") == pytest.approx(0.00018)
    assert value(samples, "pointsman_baseline_cost_usd_total") > 0
    assert value(samples, "pointsman_reading_failures_total") == 0
    in_flight = [v for (n, _), v in samples.items() if n == "pointsman_attempts_in_flight"]
    assert in_flight == [0, 0]


async def test_gauges_count_what_is_under_way_and_return_to_nothing(served: Served) -> None:
    calls = []
    for _ in range(5):
        served.one.enqueue(Reply([Hang()]))
        calls.append(served.router.Complete(ask()))
    await served.one.wait_for(lambda u: len(u.requests) == 5)
    samples = await scrape(served)
    assert value(samples, "pointsman_attempts_in_flight", model="one/a") == 5
    for call in calls[:3]:
        call.cancel()
    await served.one.wait_for(lambda u: len(u.closes) == 3)
    async with asyncio.timeout(5):
        while value(await scrape(served), "pointsman_attempts_in_flight", model="one/a") != 2:
            pass
    for call in calls[3:]:
        call.cancel()
    await served.idle()
    samples = await scrape(served)
    assert value(samples, "pointsman_attempts_in_flight") == 0
    assert value(samples, "pointsman_attempts_total", outcome="cancelled") == 5
    assert value(samples, "pointsman_requests_total", error="Cancelled") == 5


async def test_gauges_return_to_nothing_after_every_mix_of_endings(served: Served) -> None:
    endings = [
        Reply([Hang()]),
        whole("oops", 500),
        Reply([Send(openai_chunk({"content": "a"})), Cut()]),
        Reply([Send(openai_chunk({"content": "a"})), Hang()]),
    ]

    async def one(i: int) -> None:
        served.one.enqueue(endings[i % 4])
        request = ask()
        if i % 3 == 0:
            request.execution.hedge_delay.nanos = 10_000_000
        call = served.router.Complete(request)
        reading = asyncio.create_task(collect(call))
        await asyncio.sleep(0.001 * (i % 50))
        if i % 2:
            call.cancel()
        else:
            await asyncio.sleep(0.05)
            call.cancel()
        await asyncio.wait({reading})
        assert reading.cancelled() or isinstance(
            reading.exception(), (grpc.aio.AioRpcError, NoneType)
        )

    await asyncio.gather(*(one(i) for i in range(80)))
    await served.idle()
    samples = await scrape(served)
    assert value(samples, "pointsman_attempts_in_flight") == 0
    decided = len(served.log_lines("decision"))
    assert decided > 0
    assert value(samples, "pointsman_requests_total") == decided, "no decision without a receipt"
    started = len(served.log_lines("attempt_started"))
    assert value(samples, "pointsman_attempts_total") == started


async def test_labels_come_from_the_configuration_and_not_from_callers(served: Served) -> None:
    for i in range(20):
        request = ask(f"prompt {i}")
        request.context.user_id = f"user-{i}"
        request.context.tags["tag"] = f"tag-{i}"
        await collect(served.router.Complete(request))
    port = served.server.metrics_port
    assert port is not None
    text = await asyncio.to_thread(get, port)
    for private in ("user-", "tag-", "prompt "):
        assert private not in text.replace("pointsman_", "")


async def test_the_page_is_gone_after_a_drain(tmp_path: Path) -> None:
    async with serving(tmp_path, Settings(metrics='"127.0.0.1:0"')) as served:
        port = served.server.metrics_port
        assert port is not None
        assert port != 0
        assert served.log_lines("serving")[0]["metrics_port"] == port
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        get(port)


async def test_no_page_where_none_is_wanted(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert served.server.metrics_port is None


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            async with serving(tmp_path, Settings(metrics=f'"127.0.0.1:{port}"')):
                pass


async def test_where_grpc_cannot_listen_the_page_is_closed_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        metrics = free.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f'address: "127.0.0.1:{taken.getsockname()[1]}"'
        with pytest.raises(OSError, match="cannot listen on"):
            async with serving(tmp_path, Settings(listen, metrics=f'"127.0.0.1:{metrics}"')):
                pass
    with socket.create_server(("127.0.0.1", metrics)):
        pass


def test_pages_close_more_than_once() -> None:
    page = MetricsPage("127.0.0.1", 0, MetricsObserver().registry)
    assert "pointsman_requests" in get(page.port)
    page.close()
    page.close()
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        get(page.port)


def test_two_servers_in_a_process_count_apart() -> None:
    first, second = MetricsObserver(), MetricsObserver()
    first.reading_failed(ValueError())
    read = "pointsman_reading_failures_total"
    assert first.registry.get_sample_value(read) == 1
    assert second.registry.get_sample_value(read) == 0
