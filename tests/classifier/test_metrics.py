"""The metrics are their textbooks' ones: by hand on small cases, by counting on any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pointsman_classifier.training import metrics

LABELS = 4
Ints = NDArray[np.int64]

PAIRS = st.lists(
    st.tuples(st.integers(0, LABELS - 1), st.integers(0, LABELS - 1)), min_size=1, max_size=60
).map(lambda pairs: (np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])))

READINGS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80).map(
    lambda held: (np.array([c for c, _ in held]), np.array([r for _, r in held]))
)


def test_f1_by_hand() -> None:
    gold = np.array([0, 0, 0, 1, 1, 2])
    guessed = np.array([0, 0, 1, 1, 2, 2])
    assert metrics.f1(gold, guessed, 0) == pytest.approx(0.8)  # precision 1, recall 2/3
    assert metrics.f1(gold, guessed, 1) == pytest.approx(0.5)  # precision 1/2, recall 1/2
    assert metrics.f1(gold, guessed, 2) == pytest.approx(2 / 3)  # precision 1/2, recall 1
    assert metrics.macro_f1(gold, guessed) == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    assert metrics.accuracy(gold, guessed) == pytest.approx(4 / 6)


def test_a_label_that_is_only_guessed_does_not_count_in_the_mean() -> None:
    assert metrics.macro_f1(np.array([0, 0]), np.array([0, 3])) == pytest.approx(2 / 3)


def test_f1_of_a_label_that_nobody_gave_is_zero() -> None:
    assert metrics.f1(np.array([0, 1]), np.array([0, 1]), 2) == 0.0


@settings(deadline=None)
@given(pairs=PAIRS)
def test_f1_is_the_harmonic_mean_of_precision_and_recall(pairs: tuple[Ints, Ints]) -> None:
    gold, guessed = pairs
    for label in range(LABELS):
        hits = sum(a == b == label for a, b in zip(gold, guessed, strict=True))
        if not hits:
            assert metrics.f1(gold, guessed, label) == 0.0
            continue
        precision = hits / sum(b == label for b in guessed)
        recall = hits / sum(a == label for a in gold)
        expected = 2 * precision * recall / (precision + recall)
        assert metrics.f1(gold, guessed, label) == pytest.approx(expected)


@settings(deadline=None)
@given(pairs=PAIRS)
def test_a_confusion_counts_every_pair_once(pairs: tuple[Ints, Ints]) -> None:
    gold, guessed = pairs
    counts = metrics.confusion(gold, guessed, LABELS)
    for row in range(LABELS):
        for column in range(LABELS):
            both = sum(a == row and b == column for a, b in zip(gold, guessed, strict=True))
            assert counts[row, column] == both
    assert np.trace(counts) / len(gold) == pytest.approx(metrics.accuracy(gold, guessed))


def test_calibration_error_by_hand() -> None:
    confidence = np.array([0.95, 0.91, 0.55, 0.51, 1.0])
    right = np.array([True, False, True, True, True])
    # the bin from .9: three readings, 2/3 right, mean 0.9533; the bin from .5: two, all right
    expected = (3 * abs(2 / 3 - 0.95333333) + 2 * abs(1 - 0.53)) / 5
    assert metrics.calibration_error(confidence, right) == pytest.approx(expected)


@settings(deadline=None)
@given(readings=READINGS)
def test_calibration_error_counts_each_reading_in_one_of_ten_bins(
    readings: tuple[NDArray[np.float64], NDArray[np.bool_]],
) -> None:
    confidence, right = readings
    bins: dict[int, list[int]] = {}
    for place, value in enumerate(confidence):
        bins.setdefault(min(int(value * 10), 9), []).append(place)
    expected = sum(abs(right[held].sum() - confidence[held].sum()) for held in bins.values())
    error = metrics.calibration_error(confidence, right)
    assert error == pytest.approx(expected / len(confidence), abs=1e-9)


def test_accuracy_at_by_hand() -> None:
    confidence = np.array([0.2, 0.9, 0.8, 0.4])
    right = np.array([False, True, False, True])
    assert metrics.accuracy_at(confidence, right, (0.25, 0.5, 0.75, 1.0)) == pytest.approx(
        [1.0, 0.5, 2 / 3, 0.5]
    )


@settings(deadline=None)
@given(readings=READINGS)
def test_accuracy_at_full_coverage_is_accuracy(
    readings: tuple[NDArray[np.float64], NDArray[np.bool_]],
) -> None:
    confidence, right = readings
    at = metrics.accuracy_at(confidence, right, (0.001, 1.0))
    assert at[1] == pytest.approx(right.mean())
    assert at[0] in (0.0, 1.0)


def test_spearman_by_hand() -> None:
    # Ranks 1 2.5 2.5 4 against 1 2 3 4: their covariance is 4.5/4, the variances 4.5/4 and 5/4.
    first, second = np.array([1.0, 5.0, 5.0, 9.0]), np.array([0.1, 0.2, 0.3, 0.4])
    assert metrics.spearman(first, second) == pytest.approx((4.5 * 4.5 / (4.5 * 5)) ** 0.5)


NUMBERS = st.lists(st.integers(-50, 50), min_size=2, max_size=30)


@settings(deadline=None)
@given(data=st.data(), first=NUMBERS)
def test_spearman_sees_nothing_but_ranks(data: st.DataObject, first: list[int]) -> None:
    size = len(first)
    second = data.draw(st.lists(st.integers(-50, 50), min_size=size, max_size=size))
    a, b = np.array(first, float), np.array(second, float)
    found = metrics.spearman(a, b)
    assert -1.0000001 <= found <= 1.0000001
    assert metrics.spearman(b, a) == pytest.approx(found)
    assert metrics.spearman(np.exp(a / 10), b**3) == pytest.approx(found)
    assert metrics.spearman(-a, b) == pytest.approx(-found, abs=1e-9)
    if len(set(first)) > 1:
        assert metrics.spearman(a, a) == pytest.approx(1.0)
    else:
        assert found == 0.0


@settings(deadline=None)
@given(
    logits=st.lists(st.floats(-500, 500), min_size=1, max_size=8),
    shift=st.floats(-1000, 1000),
    temperature=st.floats(0.2, 5),
)
def test_softmax_is_a_distribution_and_does_not_see_a_shift(
    logits: list[float], shift: float, temperature: float
) -> None:
    row = np.array(logits)
    likely = metrics.softmax(row, temperature)
    assert likely.sum() == pytest.approx(1.0)
    assert likely.min() >= 0
    assert likely[row.argmax()] == likely.max()
    np.testing.assert_allclose(metrics.softmax(row + shift, temperature), likely, atol=1e-9)


def test_a_temperature_divides_the_log_odds() -> None:
    likely = metrics.softmax(np.array([[3.0, 1.0]]), 2.0)
    assert np.log(likely[0, 0] / likely[0, 1]) == pytest.approx(1.0)
