"""The prompts that training reads, and those that it is measured on, are sound."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pointsman_classifier.model_file import HEADS
from pointsman_classifier.training import audit
from pointsman_classifier.training.labels import LABELS
from pointsman_classifier.training.prompts import Prompt, read_prompts
from pointsman_classifier.training.public import SOURCES, UNSEEN_SOURCES, text_key

TEST_STYLES = {
    *("newsroom", "helpdesk", "archive", "laboratory", "household", "startup", "abroad"),
}
KAPPAS = {"task_type": 0.85, "complexity": 0.7, "urgency": 0.9, "domain": 0.8, "tone": 0.85}
KNOWN_EMPTY_CELLS: set[tuple[str, str, str]] = set()
"""Combinations of task type, complexity and domain that are allowed to have no prompt."""


@pytest.fixture(scope="module")
def every_prompt(
    train_prompts: Sequence[Prompt], test_prompts: Sequence[Prompt]
) -> Sequence[Prompt]:
    return [*train_prompts, *test_prompts]


@pytest.fixture(scope="module")
def rows(data_folder: Path) -> dict[str, list[dict[str, Any]]]:
    """By file, as they lie there."""
    paths = [path for part in ("train", "test") for path in (data_folder / part).glob("*.jsonl")]
    return {
        path.stem: [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in paths
    }


@pytest.fixture(scope="module")
def public_rows(data_folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [
            json.loads(line)
            for line in (data_folder / "public" / f"{name}.jsonl").read_text("utf-8").splitlines()
        ]
        for name in ("train", "unseen")
    }


def plain(text: str) -> str:
    return " ".join(text.lower().split())


def test_there_are_prompts_enough(every_prompt: Sequence[Prompt]) -> None:
    assert len(every_prompt) >= 4000


def test_rows_have_their_fields_and_their_file_s_style(
    rows: dict[str, list[dict[str, Any]]],
) -> None:
    for style, held in rows.items():
        assert len(held) >= 100, style
        for row in held:
            assert set(row) == {"id", "style", "lang", "text", "labels"}, row["id"]
            assert row["style"] == style, row["id"]
            assert re.fullmatch(r"[a-z]+-\d{4}", row["id"]), row["id"]


def test_every_row_parses_as_it_stands(
    rows: dict[str, list[dict[str, Any]]], data_folder: Path
) -> None:
    for style, held in rows.items():
        part = "test" if style in TEST_STYLES else "train"
        read = read_prompts(data_folder / part / f"{style}.jsonl")
        assert [p.id for p in read] == [row["id"] for row in held]


def test_every_prompt_has_two_labels_of_all_heads(every_prompt: Sequence[Prompt]) -> None:
    for prompt in every_prompt:
        assert len(prompt.labels) == 2, prompt.id
        for label in prompt.labels:
            assert set(label.heads) == set(HEADS), prompt.id


def test_most_prompts_say_how_long_the_answer_is_and_whether_it_takes_steps(
    every_prompt: Sequence[Prompt],
) -> None:
    labels = [label for prompt in every_prompt for label in prompt.labels]
    assert sum(label.output_tokens is not None for label in labels) > 0.7 * len(labels)
    assert sum(label.multi_step is not None for label in labels) > 0.7 * len(labels)


def test_ids_are_unique_over_all_files(every_prompt: Sequence[Prompt]) -> None:
    counted = Counter(prompt.id for prompt in every_prompt)
    assert [name for name, count in counted.items() if count > 1] == []


def test_no_text_is_there_twice(every_prompt: Sequence[Prompt]) -> None:
    counted = Counter(plain(prompt.text) for prompt in every_prompt)
    assert [text for text, count in counted.items() if count > 1] == []


def test_the_authors_of_the_test_are_no_authors_of_the_training(
    train_prompts: Sequence[Prompt], test_prompts: Sequence[Prompt]
) -> None:
    assert {prompt.style for prompt in test_prompts} == TEST_STYLES
    assert not TEST_STYLES & {prompt.style for prompt in train_prompts}


def test_near_duplicates_are_rare(every_prompt: Sequence[Prompt]) -> None:
    near = audit.near_duplicates([prompt.text for prompt in every_prompt])
    assert len({row for a, b, _ in near for row in (a, b)}) < 0.01 * len(every_prompt)


def test_hardly_a_prompt_of_the_test_is_like_one_of_the_training(
    train_prompts: Sequence[Prompt], test_prompts: Sequence[Prompt]
) -> None:
    texts = [prompt.text for prompt in (*train_prompts, *test_prompts)]
    border = len(train_prompts)
    crossing = [pair for pair in audit.near_duplicates(texts) if pair[0] < border <= pair[1]]
    assert len(crossing) <= 2


@pytest.mark.parametrize("head", HEADS)
def test_two_annotators_agree(every_prompt: Sequence[Prompt], head: str) -> None:
    held = audit.measure_agreement(every_prompt)[head]
    assert held.prompts == len(every_prompt)
    assert held.kappa >= KAPPAS[head]


@pytest.mark.parametrize("head", HEADS)
def test_no_annotator_is_the_other_s_echo(every_prompt: Sequence[Prompt], head: str) -> None:
    """Labels that agree everywhere were copied, not given."""
    assert audit.measure_agreement(every_prompt)[head].kappa < 1.0


def test_every_label_occurs_in_training_and_in_the_test(
    train_prompts: Sequence[Prompt], test_prompts: Sequence[Prompt]
) -> None:
    for prompts, least in ((train_prompts, 100), (test_prompts, 20)):
        for head, names in LABELS.items():
            counted = Counter(prompt.agreed(head) for prompt in prompts)
            for name in names:
                assert counted[name] >= least, (head, name)


def test_there_is_no_unknown_empty_cell(every_prompt: Sequence[Prompt]) -> None:
    assert set(audit.empty_cells(every_prompt)) == KNOWN_EMPTY_CELLS


def test_many_prompts_are_in_many_other_languages(every_prompt: Sequence[Prompt]) -> None:
    counted = Counter(prompt.lang for prompt in every_prompt)
    del counted["en"]
    assert sum(counted.values()) >= 0.05 * len(every_prompt)
    assert sum(count >= 15 for count in counted.values()) >= 12
    assert all(2 <= len(lang) <= 3 and lang.isalpha() for lang in counted)


def test_the_test_has_other_languages_too(test_prompts: Sequence[Prompt]) -> None:
    counted = Counter(prompt.lang for prompt in test_prompts)
    assert len(counted) >= 12
    assert sum(count for lang, count in counted.items() if lang != "en") >= 0.05 * len(test_prompts)


def test_prompts_are_of_all_lengths(every_prompt: Sequence[Prompt]) -> None:
    lengths = [len(prompt.text) for prompt in every_prompt]
    assert sum(length < 40 for length in lengths) > 100
    assert sum(length > 600 for length in lengths) > 100
    assert max(lengths) < 20_000


@pytest.mark.parametrize("name", ["train", "unseen"])
def test_labels_of_public_texts_hold_no_text(
    public_rows: dict[str, list[dict[str, Any]]], name: str
) -> None:
    allowed = {label for names in LABELS.values() for label in names}
    for row in public_rows[name]:
        assert set(row) == {"source", "sha256", "labels"}
        assert len(row["sha256"]) == len(text_key(""))
        assert set(row["sha256"]) <= set("0123456789abcdef")
        for label in row["labels"]:
            assert set(label) <= {*HEADS, "multi_step", "output_tokens"}
            said = [label[head] for head in HEADS if head in label]
            assert said
            assert set(said) <= allowed


def test_public_texts_are_labelled_once_and_either_taught_or_kept_unseen(
    public_rows: dict[str, list[dict[str, Any]]],
) -> None:
    keys = [(row["source"], row["sha256"]) for held in public_rows.values() for row in held]
    assert len(keys) == len(set(keys))
    assert {row["source"] for row in public_rows["train"]} <= set(SOURCES)
    assert {row["source"] for row in public_rows["unseen"]} == set(UNSEEN_SOURCES)


def test_no_prompt_is_one_of_the_public_texts(
    every_prompt: Sequence[Prompt], public_rows: dict[str, list[dict[str, Any]]]
) -> None:
    keys = {row["sha256"] for held in public_rows.values() for row in held}
    assert [prompt.id for prompt in every_prompt if text_key(prompt.text) in keys] == []
