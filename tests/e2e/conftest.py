"""Fixtures of the tests that run everything for real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from station import Station, running_station


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    """A real model behind a real server, with a fault proxy between the two."""
    async with running_station(tmp_path) as running:
        yield running
