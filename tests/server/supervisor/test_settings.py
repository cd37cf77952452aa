"""How many workers a configuration asks for, and where it cannot have them."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from pointsman_server.cli.failures import UsageError
from pointsman_server.cli.workers import worker_count
from pointsman_server.config import (
    Config,
    ConfigError,
    ProviderSettings,
    load_file,
    load_text,
    with_workers,
)
from pointsman_server.supervisor.__main__ import main
from pointsman_server.supervisor.cores import usable_cores
from pointsman_server.supervisor.plan import Plan, encode_plan

TEXT = """
version: 1
server: {address: "127.0.0.1:0", workers: %s}
providers: {one: {kind: openai, base_url: "http://127.0.0.1:9/v1"}}
models: {one/a: {price: {input: $1, output: $2}}}
"""


def config(workers: object = 1) -> Config:
    return load_text(Path("x.yaml"), (TEXT % workers).encode(), {})


@pytest.mark.parametrize(("written", "workers"), [("3", 3), ('"3"', 3), ("auto", "auto")])
def test_a_file_says_how_many(written: str, workers: object) -> None:
    assert config(written).workers == workers


@pytest.mark.parametrize("written", ["0", "-1", "257", "1.5", "true", "many", "null", "[2]"])
def test_what_is_no_number_of_workers_is_told_with_its_place(written: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(written)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("x.yaml", 3)
    assert "server.workers: " in problem.cause
    assert "is not a number of workers" in problem.cause
    assert problem.mend == "write auto, or 1 to 256"


def test_the_command_line_goes_before_the_file() -> None:
    assert with_workers(config(3), None).workers == 3
    assert with_workers(config(3), "2").workers == 2
    assert with_workers(config(3), "auto").workers == "auto"
    with pytest.raises(ConfigError, match=r"--workers:1:1: '0x2' is not a number of workers"):
        with_workers(config(3), "0x2")


def test_a_text_is_read_as_a_file_is(tmp_path: Path) -> None:
    """With the same faults at the same places, also where it is too long or not text."""
    file = tmp_path / "x.yaml"
    file.write_text(TEXT % 2)
    assert load_text(file, file.read_bytes(), {}) == load_file(file, {})
    for broken in (b"\xff", b"a: [", b"#" * 300_000):
        file.write_bytes(broken)
        with pytest.raises(ConfigError) as one:
            load_file(file, {})
        with pytest.raises(ConfigError) as other:
            load_text(file, broken, {})
        assert str(one.value) == str(other.value)


def test_auto_is_one_a_core() -> None:
    assert worker_count(config("auto")) == usable_cores()
    assert worker_count(config(7)) == 7


def local(workers: object) -> Config:
    several = config(workers)
    return replace(several, providers=(*several.providers, ProviderSettings("own", "local")))


def on_a_socket(workers: object) -> Config:
    several = config(workers)
    return replace(several, grpc=replace(several.grpc, address="unix:/run/p.sock"))


@pytest.mark.parametrize(
    ("of", "why"), [(local, "local models of 'own'"), (on_a_socket, "unix socket has one owner")]
)
def test_what_several_cannot_share_is_served_by_one(of: object, why: str) -> None:
    """One is what auto then means; more are refused, with a reason and a way out."""
    assert callable(of)
    assert worker_count(of("auto")) == 1
    assert worker_count(of(1)) == 1
    with pytest.raises(UsageError, match=why) as caught:
        worker_count(of(2))
    assert str(caught.value).startswith("2 workers cannot serve this: ")
    assert "ask for one worker" in str(caught.value)


@pytest.mark.parametrize(
    ("taken", "said"), [("address", "cannot listen on"), ("metrics", "cannot serve metrics on")]
)
def test_an_address_that_is_taken_is_one_clear_line(
    taken: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """And so is a configuration that has gone in the meantime. No worker is started."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        where = f"127.0.0.1:{other.getsockname()[1]}"
        address, metrics = (where, "") if taken == "address" else ("127.0.0.1:0", where)
        plan = Plan([], 2, address, metrics, "", banner=False)
        assert main(encode_plan(plan)) == 1
    error = capfd.readouterr().err
    assert error == (
        f"pointsman: {said} {where}: Address already in use; "
        "choose another with --address or --metrics\n"
    )
    gone = str(tmp_path / "gone.yaml")
    assert main(encode_plan(Plan([], 2, "127.0.0.1:0", "", gone, banner=False))) == 1
    assert f"pointsman: {gone} cannot be read: No such file" in capfd.readouterr().err
