"""A server over each transport for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pointsman_server import app
from pointsman_server.transports import fast, grpc_aio
from served import Served, ask, collect, serving, text_of
from transports import TRANSPORTS, over


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """The transport's name, as the configuration has it."""
    return str(request.param)


@pytest.fixture
async def served(
    tmp_path: Path, transport: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    async with serving(tmp_path, over(transport)) as running:
        yield running
        # the test is over: what is still on its way to its clients need not arrive
        for module in (app, fast, grpc_aio):
            monkeypatch.setattr(module, "SETTLE_S", 0.01)


@pytest.fixture
async def alive(served: Served) -> AsyncIterator[Served]:
    """A server that must still serve when the test is over, with nothing under way."""
    yield served
    await served.idle()
    assert text_of(await collect(served.router.Complete(ask()))) == "Hello, world"
    await served.idle()
    for model in ("one/a", "two/b"):
        assert served.server.core.health.health(model).in_flight == 0
    assert not served.log_lines("internal_error")
