"""Fixtures and builders that the tests of providers share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from upstream import Upstream, upstream_server


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A scripted provider on loopback."""
    async with upstream_server() as server:
        yield server
