"""Floors under the accuracy on the held-out prompts, which training never sees.

They are set some ten points under what was measured, so that they catch a broken model, not a
retrained one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pointsman_classifier import Classifier, Profile

FLOORS = {"task_type": 0.75, "complexity": 0.6, "urgency": 0.8, "domain": 0.6, "tone": 0.7}


@pytest.fixture(scope="module")
def readings(classifier: Classifier, data_folder: Path) -> list[tuple[dict[str, Any], Profile]]:
    lines = (data_folder / "heldout.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [(row, classifier.classify(row["text"])) for row in rows]


@pytest.mark.parametrize("head", FLOORS)
def test_accuracy_does_not_fall_under_its_floor(
    readings: list[tuple[dict[str, Any], Profile]], head: str
) -> None:
    right = [row[head] == getattr(profile, head).value for row, profile in readings]
    assert sum(right) / len(right) >= FLOORS[head]


def test_high_urgency_is_hardly_ever_read_as_low(
    readings: list[tuple[dict[str, Any], Profile]],
) -> None:
    urgent = [profile for row, profile in readings if row["urgency"] == "high"]
    assert sum(profile.urgency.value == "low" for profile in urgent) <= 1


def test_the_right_are_more_confident_than_the_wrong(
    readings: list[tuple[dict[str, Any], Profile]],
) -> None:
    heads = ("task_type", "complexity", "domain")
    right: list[float] = []
    wrong: list[float] = []
    for row, profile in readings:
        all_right = all(getattr(profile, head).value == row[head] for head in heads)
        (right if all_right else wrong).append(profile.confidence)
    assert sum(right) / len(right) > sum(wrong) / len(wrong)
