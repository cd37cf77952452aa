"""The load's command line, as its users type it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from pointsman_bench.load.__main__ import app
from pointsman_bench.results import read
from pointsman_bench.scenarios.table import SCENARIOS
from typer.testing import CliRunner

COMMAND = (sys.executable, "-m", "pointsman_bench.load")
QUICK = ("--warm-up", "1s", "--duration", "2s", "--max-lag", "30s", "--max-lag-share", "1000")


def test_scenarios_are_listed() -> None:
    """For people, and as JSON."""
    shown = CliRunner().invoke(app, ["scenarios"])
    assert shown.exit_code == 0
    listed = CliRunner().invoke(app, ["scenarios", "--json"])
    names = [entry["name"] for entry in json.loads(listed.stdout)]
    assert names == list(SCENARIOS)
    assert all(name in shown.stdout for name in [*names, "trace:FILE"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--scenario", "chat"], r"--scenario: there is no 'chat'; take one of chat-mixed,"),
        (["--scenario", "trace:/nowhere.jsonl"], r"/nowhere\.jsonl: No such file"),
        (["--arrival", "waves"], r"--arrival: 'waves' is neither poisson nor constant"),
        (["--ab", "models"], r"--ab: 'models' is not known"),
        (["--slo", "ttft<1"], r"--slo: 'ttft<1' is no objective"),
        (["--duration", "long"], r"--duration: 'long' is no length of time"),
        (["--rate", "0"], r"--rate: 0 requests a second"),
        (["--metrics", "http://x"], r"--metrics: .*--target"),
    ],
)
def test_what_is_wrong_with_the_command_is_said(arguments: list[str], says: str) -> None:
    """In a line, with exit code 2 and before anything is started."""
    outcome = CliRunner().invoke(app, ["load", *arguments])
    assert outcome.exit_code == 2
    assert re.search(says, outcome.stderr)
    assert "Traceback" not in outcome.output


def test_a_run_writes_its_result_and_prints_a_summary(tmp_path: Path) -> None:
    """JSON on standard output, progress on the other; exit code 0."""
    done = subprocess.run(
        [*COMMAND, "load", *QUICK, "--rate", "10", "--json", "--out", str(tmp_path / "new")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    result = read(tmp_path / "new" / "result.json")
    assert summary["valid"] is True
    assert summary["arms"][0]["counts"] == msgspec.to_builtins(result.arms[0].counts)
    assert set(summary["arms"][0]["latencies"]) >= {"ttft", "e2e", "lag", "overhead"}
    assert "server on 127.0.0.1:" in done.stderr
    assert "written: " in done.stderr


def test_ctrl_c_ends_a_run_with_what_was_measured(tmp_path: Path) -> None:
    """It says so, exits with 130, and leaves no process behind."""
    process = subprocess.Popen(
        [*COMMAND, "load", *QUICK, "--duration", "60s", "--rate", "10", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    seen = ""
    while "measuring" not in seen:
        line = process.stderr.readline()
        assert line, f"it ended: {seen}"
        seen += line
    children = descendants(process.pid)
    time.sleep(1.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in out
    result = read(tmp_path / "result.json")
    assert result.run.interrupted
    assert 0.5 < result.run.measured_s < 60
    assert result.arms[0].counts.answered > 0
    assert len(children) >= 3
    deadline = time.monotonic() + 10
    while left := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.05)


def test_a_simulated_upstream_can_be_had_alone() -> None:
    """It says its port, and ends when it is told to."""
    process = subprocess.Popen([*COMMAND, "simulate"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["port"] > 0
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0


def descendants(pid: int) -> list[int]:
    """Processes below ``pid``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, NotADirectoryError):
            continue
        if entry.name.isdigit() and int(fields[1]) == pid:
            found += [int(entry.name), *descendants(int(entry.name))]
    return found
