"""Whole runs, with real servers, the simulator and clients as processes; no peer is needed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pointsman_bench.capacity.work import Work
from pointsman_bench.peers import commands
from pointsman_bench.peers.catalogue import SYSTEMS
from pointsman_bench.peers.comparison import Sample, Settings, compare
from pointsman_bench.peers.install import Missing
from pointsman_bench.peers.launch import Launched
from pointsman_bench.peers.pointsman import Pointsman
from pointsman_bench.peers.soak import SoakSettings, soak, stops
from pointsman_bench.peers.system import Place
from pointsman_bench.peers.workloads import WORKLOADS, Workload


@dataclass(frozen=True)
class Absent:
    """A peer that cannot be installed."""

    name: str = "absent"
    versions: str = "none"

    @asynccontextmanager
    async def start(self, place: Place) -> AsyncIterator[Launched]:
        raise Missing("there is no network")
        yield

    def work(self, workload: Workload, place: Place, address: str) -> Work:
        raise AssertionError("it never started")


async def test_systems_take_turns_and_a_missing_one_is_told_of(tmp_path: Path) -> None:
    """Every answer of every round is whole, and the round that warms up does not count."""
    names = ("pointsman-fast", "direct")
    settings = Settings(
        systems=[Absent(), *(SYSTEMS[name]() for name in names)],
        workloads=[WORKLOADS["burst"]],
        rounds=1,
        warm_up_s=0.05,
        window_s=0.6,
        upstream=None,
        cache=tmp_path,
    )
    said: list[str] = []
    sampled: list[Sample] = []
    found = await compare(settings, said.append, sampled.append)
    assert found.missing == {"absent": "there is no network"}
    assert "absent is missing: there is no network" in said
    assert tuple(found.versions) == names
    order = [(s.round, s.workload, s.system) for s in sampled]
    assert order == [(number, "burst", name) for number in (0, 1) for name in names]
    assert found.samples == tuple(s for s in sampled if s.round == 1)
    for sample in found.samples:
        assert sample.failure == ""
        assert sample.outcome is not None
        assert sample.outcome.errors == 0
        assert sample.outcome.calls > 0
        served = sample.system != "direct"
        assert (sample.outcome.server_cpu_s is not None) == served
        assert (sample.outcome.server_memory is not None) == served


def test_memory_is_read_evenly_and_at_the_points_that_are_compared() -> None:
    """The last reading is after the last stream."""
    assert stops(20_000, 200_000, 4) == (20_000, 50_000, 100_000, 150_000, 200_000)
    assert stops(1, 2, 2) == (1, 2)


async def test_a_soak_is_a_curve_of_memory() -> None:
    """Each point with its streams, none of which failed."""
    system = Pointsman("pointsman-fast", "fast", reads=False)
    reached: list[int] = []
    found = await soak(
        SoakSettings(system, first=20, last=80, points=2, upstream=None),
        lambda _: None,
        lambda point: reached.append(point.streams),
    )
    assert reached == [20, 40, 80]
    assert [point.errors for point in found.points] == [0, 0, 0]
    assert 0.5 < found.rss_ratio < 2
    assert found.rss_ratio == found.last.memory.rss / found.first.memory.rss


def test_a_run_is_shown_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command as a whole: JSON on standard output, tables in a file, progress beside it."""
    settings = Settings(
        systems=[SYSTEMS["echo"](), SYSTEMS["direct"]()],
        workloads=[WORKLOADS["single"]],
        rounds=1,
        warm_up_s=0.0,
        window_s=0.5,
        upstream=None,
        cache=tmp_path,
    )
    markdown = tmp_path / "tables.md"
    assert commands.peers(settings, None, commands.Output(True, markdown, None))
    printed, beside = capsys.readouterr()
    tables = json.loads(printed)["tables"]
    assert tables["single"]["systems"]["echo"]["added_first_p50"]["median"] is not None
    assert "| echo |" in markdown.read_text()
    assert "round 1/1, single, echo" in beside
