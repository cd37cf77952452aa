from __future__ import annotations

from pathlib import Path

import pytest
from pointsman_classifier import Classifier

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
