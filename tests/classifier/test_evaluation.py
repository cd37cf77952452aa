"""The figures of readers whose faults are known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pointsman_classifier import Classifier, Profile, Reading
from pointsman_classifier.model_file import HEADS
from pointsman_classifier.training.evaluation import COVERAGES, agreement, evaluate
from pointsman_classifier.training.labels import LABELS
from pointsman_classifier.training.prompts import Prompt


def reading(value: str, names: Sequence[str], confidence: float) -> Reading:
    others = [name for name in names if name != value]
    rest = (1 - confidence) / len(others)
    return Reading(value, confidence, ((value, confidence), *((o, rest) for o in others)), True)


class Reader:
    """A classifier that reads as it is told."""

    version = "reader@00000000"

    def __init__(self, read: Callable[[str, str], tuple[str, float]]) -> None:
        self._read = read

    def classify(self, text: str) -> Profile:
        heads = {head: reading(*self._one(text, head)) for head in HEADS}
        return Profile(
            **heads,
            confidence=min(held.confidence for held in heads.values()),
            complexity_score=LABELS["complexity"].index(heads["complexity"].value) / 2,
            multi_step=0.9 if heads["task_type"].value == "multi_step" else 0.1,
            output_tokens=len(text),
            tokens=1,
            truncated=False,
            duration_s=0.0,
        )

    def _one(self, text: str, head: str) -> tuple[str, tuple[str, ...], float]:
        value, confidence = self._read(text, head)
        return value, LABELS[head], confidence


def evaluate_reader(reader: Reader, prompts: Sequence[Prompt]) -> dict[str, Any]:
    return evaluate(reader, prompts)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def oracle(some_prompts: Sequence[Prompt]) -> Reader:
    """Says what the first annotator does."""
    known = {prompt.text: prompt.labels[0].heads for prompt in some_prompts}
    return Reader(lambda text, head: (known[text][head], 1.0))


def test_who_is_always_right_has_no_fault(oracle: Reader, some_prompts: Sequence[Prompt]) -> None:
    figures = evaluate_reader(oracle, some_prompts)
    assert figures["model"] == "reader@00000000"
    assert figures["prompts"] == len(some_prompts)
    assert figures["coverages"] == list(COVERAGES)
    for head in HEADS:
        held = figures["heads"][head]
        agreed = [p for p in some_prompts if p.agreed(head) is not None]
        assert held["prompts"] == len(agreed)
        assert (held["accuracy"], held["macro_f1"], held["ece"]) == (1.0, 1.0, 0.0)
        assert set(held["f1"].values()) == {1.0}
        assert held["accuracy_at"] == [1.0] * len(COVERAGES)
        assert held["sure"] == {"share": 1.0, "accuracy": 1.0}
        assert figures["wrong"][head] == []
        assert sum(map(sum, held["confusion"])) == len(agreed)
        assert sum(held["confusion"][i][i] for i in range(len(LABELS[head]))) == len(agreed)
    assert (figures["joint"]["accuracy"], figures["joint"]["ece"]) == (1.0, 0.0)
    assert figures["complexity_rank"]["spearman"] > 0.9


def test_who_always_says_the_same_is_as_right_as_that_label_is_common(
    some_prompts: Sequence[Prompt],
) -> None:
    figures = evaluate_reader(Reader(lambda _, head: (LABELS[head][1], 0.6)), some_prompts)
    for head in HEADS:
        agreed = [name for p in some_prompts if (name := p.agreed(head)) is not None]
        share = agreed.count(LABELS[head][1]) / len(agreed)
        held = figures["heads"][head]
        assert held["accuracy"] == pytest.approx(share, abs=1e-3)
        assert held["ece"] == pytest.approx(abs(share - 0.6), abs=1e-3)
        assert held["macro_f1"] == pytest.approx(
            2 * share / (1 + share) / len(set(agreed)), abs=1e-3
        )
        columns = [sum(row[i] for row in held["confusion"]) for i in range(len(LABELS[head]))]
        assert columns == [len(agreed) * (i == 1) for i in range(len(LABELS[head]))]
    assert figures["complexity_rank"]["spearman"] == 0.0


def test_labels_that_annotators_do_not_agree_on_do_not_count(
    oracle: Reader, some_prompts: Sequence[Prompt]
) -> None:
    torn = [p for p in some_prompts if p.agreed("domain") is None]
    assert len(torn) > 5
    figures = evaluate_reader(oracle, torn)
    assert figures["heads"]["domain"] == {"prompts": 0}
    assert figures["joint"] == {"prompts": 0}


def test_styles_are_measured_apart(some_prompts: Sequence[Prompt]) -> None:
    known = {p.text: p for p in some_prompts}

    def read(text: str, head: str) -> tuple[str, float]:
        prompt = known[text]
        right = prompt.labels[0].heads[head]
        names = LABELS[head]
        wrong = names[(names.index(right) + 1) % len(names)]
        return (wrong if prompt.style == "archive" else right), 0.9

    figures = evaluate_reader(Reader(read), some_prompts)
    assert set(figures["by_style"]) == {"archive", "helpdesk", "startup"}
    for style, held in figures["by_style"].items():
        assert held["prompts"] == 60
        expected = 0.0 if style == "archive" else 1.0
        assert all(held[head]["accuracy"] == expected for head in HEADS)
    ids = {error["id"] for head in HEADS for error in figures["wrong"][head]}
    assert ids
    assert all(name.startswith("archive-") for name in ids)


def test_several_steps_and_length_are_measured(some_prompts: Sequence[Prompt]) -> None:
    known = {p.text: p.labels[0] for p in some_prompts}

    def read(text: str, head: str) -> tuple[str, float]:
        steps = bool(known[text].multi_step)
        return ("multi_step" if steps else "code") if head == "task_type" else LABELS[head][0], 0.9

    figures = evaluate_reader(Reader(read), some_prompts)
    agreed = [p for p in some_prompts if len({label.multi_step for label in p.labels}) == 1]
    assert figures["multi_step"]["prompts"] == len(agreed)
    assert (figures["multi_step"]["accuracy"], figures["multi_step"]["f1"]) == (1.0, 1.0)
    assert figures["multi_step"]["ece"] == pytest.approx(0.1, abs=1e-6)
    length = figures["output_tokens"]
    assert length["prompts"] == len(some_prompts)
    assert 0.0 < length["within_factor_2"] < 1.0
    assert length["median_factor_off"] > 1.0


def test_agreement_is_the_share_of_like_readings(
    oracle: Reader, some_prompts: Sequence[Prompt], small_model: Any
) -> None:
    constant = Reader(lambda _, head: (LABELS[head][0], 0.6))
    same = agreement(oracle, constant, some_prompts)  # type: ignore[arg-type]
    for head in HEADS:
        expected = sum(p.labels[0].heads[head] == LABELS[head][0] for p in some_prompts)
        assert same[head] == pytest.approx(expected / len(some_prompts), abs=1e-3)
    small = Classifier.load(small_model)
    assert agreement(small, small, some_prompts[:20]) == dict.fromkeys(HEADS, 1.0)
