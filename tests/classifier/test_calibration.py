"""What was put into the numbers is found again: temperatures, odds, thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pointsman_classifier.model_file import HEADS, JOINT_HEADS, MULTI_STEP_COLUMN
from pointsman_classifier.training import calibration
from pointsman_classifier.training.calibration import fit, gold_of, joint_right, threshold_of
from pointsman_classifier.training.labels import LABELS, OUTPUTS, SLICES, Label
from pointsman_classifier.training.metrics import calibration_error, softmax
from pointsman_classifier.training.prompts import Prompt

COUNT = 4000
Floats = NDArray[np.float64]

TRUE_TEMPERATURES = {
    "task_type": 0.5,
    "complexity": 1.0,
    "urgency": 1.6,
    "domain": 2.5,
    "tone": 4.0,
}
STEP_WEIGHT, STEP_BIAS = 2.0, -1.0


def prompt(*labels: Label) -> Prompt:
    return Prompt("", "text", "style", "en", labels)


@pytest.fixture(scope="module")
def rows() -> Floats:
    return np.random.default_rng(1).normal(0, 2.5, (COUNT, OUTPUTS))


@pytest.fixture(scope="module")
def prompts(rows: Floats) -> list[Prompt]:
    """Labelled by lot, with the probabilities that the rows give at the true temperatures."""
    rng = np.random.default_rng(2)
    drawn = {}
    for head in HEADS:
        likely = softmax(rows[:, SLICES[head]], TRUE_TEMPERATURES[head])
        drawn[head] = (likely.cumsum(1) > rng.random((COUNT, 1))).argmax(1)
    odds = STEP_WEIGHT * rows[:, MULTI_STEP_COLUMN] + STEP_BIAS
    steps = rng.random(COUNT) < 1 / (1 + np.exp(-odds))
    labels = [
        Label({head: LABELS[head][drawn[head][row]] for head in HEADS}, bool(steps[row]))
        for row in range(COUNT)
    ]
    return [prompt(label, label) for label in labels]


@pytest.fixture(scope="module")
def fitted(rows: Floats, prompts: list[Prompt]) -> calibration.Calibration:
    return fit(rows, prompts)


@pytest.mark.parametrize("head", HEADS)
def test_a_temperature_that_was_put_in_is_recovered(
    fitted: calibration.Calibration, head: str
) -> None:
    assert fitted.temperatures[head] == pytest.approx(TRUE_TEMPERATURES[head], rel=0.1)


@pytest.mark.parametrize("head", HEADS)
def test_confidences_can_be_believed(
    fitted: calibration.Calibration, rows: Floats, prompts: list[Prompt], head: str
) -> None:
    right = rows[:, SLICES[head]].argmax(1) == gold_of(prompts, head)
    confidence = calibration.confidences(rows, fitted.temperatures, head)
    assert calibration_error(confidence, right) < 0.03
    raw = calibration.confidences(rows, dict.fromkeys(HEADS, 1.0), head)
    if TRUE_TEMPERATURES[head] != 1.0:
        assert calibration_error(raw, right) > 0.05


def test_the_joint_confidence_can_be_believed(
    fitted: calibration.Calibration, rows: Floats, prompts: list[Prompt]
) -> None:
    gold = {head: gold_of(prompts, head) for head in HEADS}
    known, right = joint_right(rows, gold)
    confidence = calibration.joint_confidences(rows, fitted)
    assert known.all()
    assert calibration_error(confidence, right) < 0.03
    assert confidence[right].mean() > confidence[~right].mean() + 0.04
    assert all(weight > 0 for weight in fitted.joint_weights.values())


def test_the_odds_of_several_steps_are_recovered(fitted: calibration.Calibration) -> None:
    assert fitted.step_weight == pytest.approx(STEP_WEIGHT, rel=0.15)
    assert fitted.step_bias == pytest.approx(STEP_BIAS, abs=0.2)


@pytest.mark.parametrize("head", ["task_type", "complexity", "urgency"])
def test_sure_readings_are_right_nine_times_in_ten_and_are_not_fewer_than_they_could_be(
    fitted: calibration.Calibration, rows: Floats, prompts: list[Prompt], head: str
) -> None:
    right = rows[:, SLICES[head]].argmax(1) == gold_of(prompts, head)
    confidence = calibration.confidences(rows, fitted.temperatures, head)
    sure = confidence >= fitted.sure[head]
    assert right[sure].mean() >= 0.895
    lower = confidence >= fitted.sure[head] - 0.05
    assert right[lower].mean() < 0.9


def test_no_reading_is_sure_of_a_head_that_is_hardly_ever_near_certain(
    fitted: calibration.Calibration,
) -> None:
    assert (fitted.sure["domain"], fitted.sure["tone"]) == (1.01, 1.01)


def test_labels_that_annotators_do_not_agree_on_teach_nothing(
    rows: Floats, prompts: list[Prompt], fitted: calibration.Calibration
) -> None:
    def turn(head: str, name: str) -> str:
        names = LABELS[head]
        return names[(names.index(name) + 1) % len(names)]

    torn = []
    for held in prompts:
        first = held.labels[0]
        other = Label({head: turn(head, name) for head, name in first.heads.items()})
        torn.append(prompt(first, Label(other.heads, not first.multi_step)))
    assert fit(np.vstack([rows, rows]), prompts + torn) == fitted


def test_where_nobody_spoke_of_steps_the_odds_stay_as_they_are(
    rows: Floats, prompts: list[Prompt]
) -> None:
    silent = [prompt(Label(held.labels[0].heads)) for held in prompts[:200]]
    plain = fit(rows[:200], silent)
    assert (plain.step_weight, plain.step_bias) == (1.0, 0.0)


def test_gold_is_the_index_of_the_label_or_less_than_none() -> None:
    formal, casual = Label({"tone": "formal"}), Label({"tone": "casual"})
    prompts = [prompt(formal, formal), prompt(formal, casual), prompt(casual), prompt()]
    assert gold_of(prompts, "tone").tolist() == [1, -1, 2, -1]


def test_joint_is_right_only_where_all_three_are() -> None:
    rows = np.zeros((4, OUTPUTS))
    gold = {head: np.zeros(4, np.int64) for head in HEADS}
    for head in HEADS:
        rows[:, SLICES[head].start] = 1.0
    rows[1, SLICES["domain"].start + 2] = 5.0
    rows[2, SLICES["tone"].start + 2] = 5.0  # tone is none of the three
    gold["complexity"][3] = -1
    known, right = joint_right(rows, gold)
    assert known.tolist() == [True, True, True, False]
    assert right.tolist() == [True, False, True]
    assert JOINT_HEADS == ("task_type", "complexity", "domain")


def test_threshold_by_hand() -> None:
    """Of forty, the thirty best are right; then every second is wrong."""
    confidence = np.linspace(0.99, 0.60, 40)
    right = np.array([True] * 30 + [False, True] * 5)
    # 33 right of 36 are 91.7 %, 33 of 37 are 89.2 %; so down to the 36th
    assert threshold_of(confidence, right, 0.9) == pytest.approx(confidence[35])


def test_nothing_is_sure_where_too_few_readings_are_right_enough() -> None:
    confidence = np.linspace(0.99, 0.60, 100)
    right = np.arange(100) < 20
    assert threshold_of(confidence, right, 0.9) == 1.01
    assert threshold_of(confidence, np.zeros(100, bool), 0.9) == 1.01


def test_all_are_sure_where_all_are_right() -> None:
    confidence = np.array([0.7, 0.5, 0.9])
    assert threshold_of(confidence, np.ones(3, bool), 0.9) == 0.5


def test_readings_of_one_confidence_are_all_sure_or_none_is() -> None:
    confidence = np.array([0.9] * 60)
    right = np.array([True] * 40 + [False] * 20)
    assert threshold_of(confidence, right, 0.9) == 1.01


@settings(max_examples=200, deadline=None)
@given(
    right=st.lists(st.booleans(), min_size=1, max_size=90),
    levels=st.integers(1, 60),
    seed=st.integers(0, 1000),
    accuracy=st.floats(0.5, 1.0),
)
def test_from_the_threshold_on_readings_are_as_right_as_was_asked(
    right: list[bool], levels: int, seed: int, accuracy: float
) -> None:
    size = len(right)
    confidence = np.random.default_rng(seed).integers(1, levels + 1, size) / 100
    truth = np.array(right)
    threshold = threshold_of(confidence, truth, accuracy)
    chosen = confidence >= threshold
    enough = min(30, size)
    if chosen.any():
        assert chosen.sum() >= enough
        assert truth[chosen].mean() >= accuracy
    for lower in {value for value in confidence.tolist() if value < threshold}:
        taken = confidence >= lower
        assert taken.sum() < enough or truth[taken].mean() < accuracy


def test_odds_that_lie_beyond_all_bounds_give_finite_numbers(prompts: list[Prompt]) -> None:
    rows = np.random.default_rng(3).normal(0, 300, (300, OUTPUTS))
    found = fit(rows, prompts[:300]).as_manifest()
    numbers = [
        *found["temperature"].values(),
        *found["joint"]["weights"].values(),
        found["joint"]["bias"],
        *found["multi_step"].values(),
        *found["sure"].values(),
    ]
    assert all(math.isfinite(number) for number in numbers)
