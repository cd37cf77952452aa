"""The page of all workers' metrics, over real sockets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from pointsman_server.supervisor.gather import own_metrics
from pointsman_server.supervisor.members import State
from pointsman_server.supervisor.page import MAX_CONNECTIONS, Page
from prometheus_client.parser import text_string_to_metric_families


async def collect() -> str:
    return "a_total 1.0\n"


@asynccontextmanager
async def page_of(collect: object = collect) -> AsyncIterator[int]:
    page = Page(collect)  # type: ignore[arg-type]
    port = await page.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await page.close()
        await page.close()


async def ask(port: int, request: bytes) -> tuple[str, str]:
    """The head and the body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return head, body


@pytest.mark.parametrize("path", ["/metrics", "/", "/metrics?name[]=a"])
async def test_the_page_is_what_was_collected(path: str) -> None:
    async with page_of() as port:
        head, body = await ask(port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    first, *headers = head.split("\r\n")
    assert first == "HTTP/1.1 200 OK"
    assert "content-type: text/plain; version=0.0.4; charset=utf-8" in headers
    assert f"content-length: {len(body)}" in headers
    assert body == "a_total 1.0\n"


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", "404"),
        (b"POST /metrics HTTP/1.1\r\ncontent-length: 0\r\n\r\n", "405"),
        (b"\r\n\r\n", "405"),
        (b"GET /metrics HTTP/1.1\r\nx: " + b"y" * 20_000 + b"\r\n\r\n", "431"),
    ],
)
async def test_nothing_else_is_served(request_line: bytes, status: str) -> None:
    async with page_of() as port:
        head, _ = await ask(port, request_line)
    assert head.split(" ")[1] == status


async def test_more_connections_than_are_served_are_closed() -> None:
    """Those that say nothing take no more than their bounded part."""
    async with page_of() as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MAX_CONNECTIONS)]
        assert not await is_served(port)
        for _, writer in silent:
            writer.close()
        async with asyncio.timeout(5):
            while not await is_served(port):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def is_served(port: int) -> bool:
    with suppress(ConnectionError):
        head, _ = await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")
        return "200 OK" in head
    return False


async def test_an_address_that_is_taken_is_an_error() -> None:
    async with page_of() as port:
        with pytest.raises(OSError, match="in use"):
            await Page(collect).start("127.0.0.1", port)


def test_the_parents_own_metrics_are_a_page() -> None:
    counts = State.READY, State.READY, State.STARTING
    families = text_string_to_metric_families(own_metrics(Counter(counts), 7))
    found = {(s.name, s.labels.get("state")): s.value for f in families for s in f.samples}
    assert found == {
        ("pointsman_workers", "starting"): 1.0,
        ("pointsman_workers", "ready"): 2.0,
        ("pointsman_workers", "leaving"): 0.0,
        ("pointsman_worker_crashes_total", None): 7.0,
    }
