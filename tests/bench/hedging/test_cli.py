"""The command."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pointsman_bench.cli import app
from pointsman_bench.hedging import scenes
from pointsman_bench.hedging.bars import Bars
from pointsman_bench.hedging.cli import MISSED
from pointsman_bench.hedging.traffic import Traffic
from typer.testing import CliRunner

SMALL = scenes.Scene("small", "few requests", Traffic(requests=2500), parts=(0.0, 0.5, 1.0))


def played(monkeypatch: pytest.MonkeyPatch, scene: scenes.Scene, *options: str) -> tuple[int, str]:
    monkeypatch.setattr(scenes, "SCENES", (scene,))
    result = CliRunner().invoke(app, ["hedge", "--replay", *options])
    return result.exit_code, result.stdout


def test_a_replay_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with a line for each part of each scene, within 80 columns."""
    code, text = played(monkeypatch, replace(SMALL, bars=Bars(1.1, 1.0, 1.0)))
    assert code == 0
    lines = text.splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["small", "0-50%"], ["small", "50-100%"]]
    assert all(len(line) <= 80 for line in lines[:3])


def test_a_missed_bar_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a bar was missed the exit code says so, and the table which one."""
    code, text = played(monkeypatch, replace(SMALL, parts=(0.0, 1.0), bars=Bars(p99=0.001)))
    assert code == MISSED
    assert "> 0.001" in text


def test_a_replay_for_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON with every figure, its bar, and whether it is met."""
    code, text = played(monkeypatch, replace(SMALL, bars=Bars(1.1, 1.0, 1.0)), "--json")
    data = json.loads(text)
    assert code == 0
    assert data["met"] is True
    assert [part["requests"] for part in data["scenes"][0]["parts"]] == [
        pytest.approx(250, abs=150),
        pytest.approx(1250, abs=150),
    ]
    figures = data["scenes"][0]["parts"][1]["figures"]
    assert [figure["name"] for figure in figures] == ["p50", "p99", "p99.9", "extra", "in 10 s"]


def test_a_share_changes_what_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hedging that may cost more costs more."""
    shares = []
    for share in ("0.03", "0.2"):
        bars = Bars(None, None, None, None, None)
        _, text = played(monkeypatch, replace(SMALL, bars=bars), "--json", "--extra-cost", share)
        shares.append(json.loads(text)["scenes"][0]["parts"][1]["figures"][3]["value"])
    assert shares[0] < 0.03 < 0.06 < shares[1]


def test_a_length_of_time_that_is_none() -> None:
    """Bad usage names the option and how to write it."""
    result = CliRunner().invoke(app, ["hedge", "--median", "soon"])
    assert result.exit_code == 2
    assert "--median" in result.stderr
    assert "500ms" in result.stderr
