"""How the network's row becomes a profile, whatever network it is that gives the row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_classifier import Classifier, Profile
from pointsman_classifier.excerpt import Window
from pointsman_classifier.lexicon import Lexicon
from pointsman_classifier.model_file import HEADS, Calibration, ModelFile
from pointsman_classifier.training.labels import LABELS, OUTPUTS, SLICES
from small_networks import make_tokenizer

CALIBRATION = Calibration(
    temperatures=(1.0, 2.0, 0.5, 1.0, 4.0),
    joint_weights=(1.0, 0.5, 0.25),
    joint_bias=-0.5,
    step_weight=2.0,
    step_bias=1.0,
    sure=(0.7, 0.7, 0.7, 0.7, 1.01),
)
MODEL = ModelFile(
    network=b"",
    tokenizer="",
    lexicon="",
    version="test@00000000",
    labels=LABELS,
    calibration=CALIBRATION,
    window=Window(head_chars=40, tail_chars=20, head_tokens=6, tail_tokens=3),
)
TOKENIZER = make_tokenizer()
NONE = Lexicon({}, {}, {})


class Fixed:
    """Gives one row, whatever it is asked."""

    def __init__(self, row: Sequence[float]) -> None:
        self.row = row

    def run(self, outputs: list[str] | None, inputs: dict[str, Any]) -> list[Any]:
        return [np.array([self.row], np.float32), np.zeros((1, 3), np.float32)]


def classify(row: Sequence[float], text: str = "the trout") -> Profile:
    return Classifier(MODEL, Fixed(row), TOKENIZER, NONE).classify(text)


def row_of(steps: float = 0.0, length: float = 5.0, **logits: Sequence[float]) -> list[float]:
    row = [0.0] * OUTPUTS
    for head, values in logits.items():
        row[SLICES[head]] = values
    return [*row[:-2], steps, length]


def test_logits_are_divided_by_the_head_s_temperature() -> None:
    profile = classify(row_of(complexity=[0.0, 2.0, 4.0], urgency=[1.0, 0.5, 0.0]))
    total = 1 + math.e + math.e**2
    assert profile.complexity.value == "high"
    assert dict(profile.complexity.scores) == pytest.approx(
        {"high": math.e**2 / total, "medium": math.e / total, "low": 1 / total}
    )
    assert [name for name, _ in profile.urgency.scores] == ["low", "normal", "high"]
    assert [score for _, score in profile.urgency.scores] == pytest.approx(
        [math.e**2 / total, math.e / total, 1 / total]
    )
    assert profile.urgency.confidence == profile.urgency.scores[0][1]


def test_the_complexity_score_is_the_expected_level() -> None:
    profile = classify(row_of(complexity=[0.0, 2.0, 4.0]))
    shares = dict(profile.complexity.scores)
    assert profile.complexity_score == pytest.approx(0.5 * shares["medium"] + shares["high"])
    assert classify(row_of(complexity=[0.0, 99.0, 0.0])).complexity_score == pytest.approx(0.5)
    assert classify(row_of(complexity=[99.0, 0.0, 0.0])).complexity_score == pytest.approx(0.0)
    assert classify(row_of(complexity=[0.0, 0.0, 99.0])).complexity_score == pytest.approx(1.0)


def test_a_reading_is_sure_from_its_threshold_on() -> None:
    at = math.log(4 * 0.7 / 0.3)  # makes the share of the first of five just 0.7
    above = classify(row_of(task_type=[at + 0.01, 0, 0, 0, 0])).task_type
    below = classify(row_of(task_type=[at - 0.01, 0, 0, 0, 0])).task_type
    assert above.confidence == pytest.approx(0.7, abs=0.01)
    assert above.sure
    assert not below.sure


def test_a_head_that_is_never_sure_is_never_sure() -> None:
    tone = classify(row_of(tone=[1000.0, 0, 0, 0])).tone
    assert tone.confidence == 1.0
    assert not tone.sure


def test_the_joint_confidence_is_platt_s_of_the_three_log_odds() -> None:
    profile = classify(
        row_of(
            task_type=[2.0, 0, 0, 0, 0],
            complexity=[0, 1.0, 0],
            domain=[0, 0, 3.0, 0, 0, 0, 0, 0],
        )
    )
    score = CALIBRATION.joint_bias
    for reading, weight in (
        (profile.task_type, 1.0),
        (profile.complexity, 0.5),
        (profile.domain, 0.25),
    ):
        score += weight * math.log(reading.confidence / (1 - reading.confidence))
    assert profile.confidence == pytest.approx(1 / (1 + math.exp(-score)))


@pytest.mark.parametrize(("logit", "expected"), [(0.0, 0.7310586), (-0.5, 0.5), (1.0, 0.9525741)])
def test_several_steps_are_platt_s_of_their_log_odds(logit: float, expected: float) -> None:
    assert classify(row_of(steps=logit)).multi_step == pytest.approx(expected)


@pytest.mark.parametrize(
    ("length", "tokens"), [(0.0, 1), (-7.0, 1), (5.0, 32), (6.5, 91), (15.0, 32768), (99.0, 32768)]
)
def test_the_length_is_a_binary_logarithm_within_bounds(length: float, tokens: int) -> None:
    assert classify(row_of(length=length)).output_tokens == tokens


def test_labels_that_tie_keep_their_order() -> None:
    profile = classify(row_of())
    for head in HEADS:
        assert [name for name, _ in getattr(profile, head).scores] == list(LABELS[head])
        assert getattr(profile, head).value == LABELS[head][0]


@settings(deadline=None)
@given(row=st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=OUTPUTS, max_size=OUTPUTS))
def test_no_row_of_numbers_is_too_odd(row: list[float]) -> None:
    profile = classify(row)
    for head in HEADS:
        reading = getattr(profile, head)
        names, scores = zip(*reading.scores, strict=True)
        assert sorted(names) == sorted(LABELS[head])
        assert math.isclose(sum(scores), 1.0, abs_tol=1e-9)
        assert list(scores) == sorted(scores, reverse=True)
        best = np.array(row[SLICES[head]], np.float32).max()
        assert np.float32(row[SLICES[head].start + LABELS[head].index(reading.value)]) == best or (
            reading.scores[0][1] == reading.scores[1][1]
        )
    assert 0.0 < profile.confidence < 1.0
    assert 0.0 <= profile.complexity_score <= 1.0
    assert 0.0 <= profile.multi_step <= 1.0
    assert 1 <= profile.output_tokens <= 32768


@pytest.mark.parametrize(
    ("text", "tokens", "truncated"),
    [
        ("", 0, False),
        ("the trout is a carp", 5, False),
        ("the the the the the the the the the", 9, False),
        ("a a a a a a a a a a", 10, True),  # more pieces than the window has, all characters read
        ("the " * 15, 15, True),
        ("the " * 150, 150, True),
    ],
)
def test_tokens_are_counted_or_extrapolated(text: str, tokens: int, truncated: bool) -> None:
    profile = classify(row_of(), text)
    assert profile.tokens == pytest.approx(tokens, rel=0.05)
    assert profile.truncated == truncated


def test_the_network_sees_head_and_tail() -> None:
    classifier = Classifier(MODEL, Fixed(row_of()), TOKENIZER, NONE)
    seen = classifier.view("the " * 20 + "tram " * 20).inputs["ids"][0].tolist()
    the, tram = TOKENIZER.token_to_id("the"), TOKENIZER.token_to_id("tram")
    assert seen == [the] * 6 + [tram] * 3


def test_a_text_without_words_is_one_unknown_piece() -> None:
    classifier = Classifier(MODEL, Fixed(row_of()), TOKENIZER, NONE)
    for text in ("", " \n"):
        assert classifier.view(text).inputs["ids"].tolist() == [[0]]


def test_duration_is_what_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([10.0, 10.25])
    monkeypatch.setattr("time.perf_counter", lambda: next(ticks))
    assert classify(row_of()).duration_s == 0.25
