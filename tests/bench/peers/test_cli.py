"""The commands' options, before anything is run."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from pointsman_bench.peers import cli, commands
from pointsman_bench.peers.comparison import Settings
from pointsman_bench.peers.names import NAMES
from pointsman_bench.peers.soak import SoakSettings
from typer.testing import CliRunner

app = typer.Typer()
app.command()(cli.peers)
app.command()(cli.soak)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["peers", "--systems", "litellm,nothing"], "--systems: nothing is none of litellm"),
        (["peers", "--systems", ","], "--systems: nothing is none of"),
        (["peers", "--workloads", "flood"], "--workloads: flood is none of burst"),
        (["peers", "--systems", "echo", "--reference", "smg"], "--reference: smg is none of echo"),
        (["peers", "--upstream", "9000"], "--upstream: '9000' is no address"),
        (["soak", "--transport", "http"], "--transport: 'http' is neither fast nor grpc"),
        (["soak", "--first", "10", "--last", "10"], "--first: 10 streams are not fewer"),
        (["soak", "--upstream", "here:x"], "--upstream: 'here:x' is no address"),
    ],
)
def test_what_cannot_be_is_refused_by_its_option(arguments: list[str], said: str) -> None:
    """In a line, with exit code 2."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_what_is_chosen_is_what_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which it was asked for."""
    seen: list[Settings] = []

    def peers(settings: Settings, reference: str | None, output: commands.Output) -> bool:
        seen.append(settings)
        assert reference == "echo"
        assert output == commands.Output(True, Path("t.md"), None)
        return True

    monkeypatch.setattr(commands, "peers", peers)
    options = ["--systems", "direct, echo", "--workloads", "paced", "--rounds", "3"]
    more = ["--reference", "echo", "--json", "--markdown", "t.md", "--upstream", "127.0.0.1:9"]
    result = CliRunner().invoke(app, ["peers", *options, *more])
    assert result.exit_code == 0
    (settings,) = seen
    assert [system.name for system in settings.systems] == ["direct", "echo"]
    assert [workload.name for workload in settings.workloads] == ["paced"]
    assert (settings.rounds, settings.upstream) == (3, "127.0.0.1:9")
    assert settings.stretches == 2 * 1 * 4


def test_all_systems_are_compared_unless_some_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where none ran, that is a failure."""
    seen: list[Settings] = []

    def peers(settings: Settings, reference: str | None, output: commands.Output) -> bool:
        seen.append(settings)
        return False

    monkeypatch.setattr(commands, "peers", peers)
    result = CliRunner().invoke(app, ["peers"])
    assert result.exit_code == 1
    assert tuple(system.name for system in seen[0].systems) == NAMES
    assert len(seen[0].workloads) == 5


def test_a_run_that_cannot_be_made_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """With exit code 2."""

    def soak_memory(settings: SoakSettings, as_json: bool) -> None:
        assert settings.system.name == "pointsman-grpc"
        raise commands.CannotRun("the server did not start")

    monkeypatch.setattr(commands, "soak_memory", soak_memory)
    result = CliRunner().invoke(app, ["soak", "--transport", "grpc"])
    assert result.exit_code == 2
    assert "the server did not start" in result.stderr
