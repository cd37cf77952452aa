"""`pointsman bench report` as a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from load_results import Side, result
from pointsman_bench import results
from pointsman_bench.report.cli import report
from pointsman_bench.results import Verdict
from typer.testing import CliRunner, Result


def run(*arguments: str | Path) -> Result:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(report)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    results.write(result(Side(), seconds=4, rate=20), made / "result.json")
    lagged = Verdict(False, ("the generator lagged",))
    results.write(result(seconds=3, rate=10, verdict=lagged), made / "invalid.json")
    return made


def test_a_valid_run_is_shown(folder: Path) -> None:
    """Given its file or its folder, with exit code 0."""
    for path in (folder, folder / "result.json"):
        done = run(path)
        assert done.exit_code == 0
        assert "End to end" in done.stdout
        assert done.stderr == ""


def test_an_invalid_run_is_shown_and_fails(folder: Path) -> None:
    """A script that reads no text still notices."""
    done = run(folder / "invalid.json")
    assert done.exit_code == 4
    assert "the generator lagged" in done.stdout


def test_a_page_and_pictures_are_written_on_request(folder: Path, tmp_path: Path) -> None:
    """Into folders that need not exist; what was written is said beside the report."""
    done = run(folder, "--html", tmp_path / "a" / "page.html", "--png", tmp_path / "b")
    assert done.exit_code == 0
    assert (tmp_path / "a" / "page.html").read_text("utf-8").startswith("<!doctype html>")
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == [
        "latency.png",
        "mix.png",
        "timeline.png",
    ]
    assert list((tmp_path / "a").iterdir()) == [tmp_path / "a" / "page.html"]
    assert done.stderr.count("wrote") == 4


def test_machines_get_json_and_nothing_else(folder: Path) -> None:
    """Standard output is one JSON object."""
    made = json.loads(run(folder, "--json").stdout)
    arm = made["arms"][0]
    assert made["verdict"]["valid"] is True
    assert arm["sent"] == arm["answered"] + arm["failed"] + arm["cancelled"]
    assert arm["latency_s"]["ttft"]["quantiles"]["p50"] == pytest.approx(0.12, rel=0.3)
    assert "p99.9" in arm["latency_s"]["ttft"]["unsteady"]


def test_a_file_that_cannot_be_read_is_bad_usage(folder: Path) -> None:
    """In a line that says what to do, without a traceback, with exit code 2."""
    done = run(folder / "nothing.json")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("pointsman bench: ")
    assert "give the result.json" in done.stderr


def test_a_place_that_cannot_be_written_to_is_bad_usage(folder: Path, tmp_path: Path) -> None:
    """A file where a folder should be, for instance."""
    (tmp_path / "file").write_text("")
    done = run(folder, "--html", tmp_path / "file" / "page.html")
    assert done.exit_code == 2
    assert "give a place that can be written to" in done.stderr
