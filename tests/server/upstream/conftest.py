"""What the tests of the upstream client share: each runs on asyncio's own loop and on uvloop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop
from certificates import Certificates, make_certificates
from pointsman_server.upstream.client import UpstreamClient
from pointsman_server.upstream.settings import UpstreamSettings
from upstream import Upstream, upstream_server


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The product runs on uvloop; asyncio's loop is the reference."""
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A scripted provider on loopback."""
    async with upstream_server() as server:
        yield server


@pytest.fixture
async def client(upstream: Upstream) -> AsyncIterator[UpstreamClient]:
    """A client of `upstream`."""
    made = UpstreamClient(UpstreamSettings(upstream.url))
    yield made
    await made.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority that no system trusts, and a server's certificate by it."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))
