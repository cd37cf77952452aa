from __future__ import annotations

import os

# The layers that these tests fit are so small that a second thread only waits for the first; on
# a busy machine that makes them five times slower. It is read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Sequence
from pathlib import Path

import pytest
from pointsman_classifier import Classifier
from pointsman_classifier.training.build import build
from pointsman_classifier.training.prompts import Prompt, read_folder
from small_networks import write_run

_CLASSIFIER = Path(__file__).parents[2] / "classifier"


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier.load()


@pytest.fixture(scope="session")
def model_folder() -> Path:
    return _CLASSIFIER / "src" / "pointsman_classifier" / "model"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    return _CLASSIFIER / "data"


@pytest.fixture(scope="session")
def train_prompts(data_folder: Path) -> Sequence[Prompt]:
    return read_folder(data_folder / "train")


@pytest.fixture(scope="session")
def test_prompts(data_folder: Path) -> Sequence[Prompt]:
    """By authors whom training never saw."""
    return read_folder(data_folder / "test")


@pytest.fixture(scope="session")
def some_prompts(test_prompts: Sequence[Prompt]) -> Sequence[Prompt]:
    """Sixty prompts of each of three styles."""
    styles = ("archive", "helpdesk", "startup")
    return [p for style in styles for p in [q for q in test_prompts if q.style == style][:60]]


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``train`` leaves behind, of random weights."""
    return write_run(tmp_path_factory.mktemp("run") / "run", {"desk": 260, "banking77": 60})


@pytest.fixture(scope="session")
def small_model(
    small_run: Path, some_prompts: Sequence[Prompt], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model folder that was built of the small run; not to be written to."""
    folder = tmp_path_factory.mktemp("small") / "model"
    build(small_run, folder, some_prompts)
    return folder
