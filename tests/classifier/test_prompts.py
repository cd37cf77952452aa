"""Labelled prompts are read in either form, and what is wrong is named by file, line and field."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_classifier.errors import DataError
from pointsman_classifier.model_file import HEADS, LENGTH_COLUMN, MULTI_STEP_COLUMN
from pointsman_classifier.training.labels import CLASSES, LABELS, OUTPUTS, SLICES, Label
from pointsman_classifier.training.prompts import (
    Prompt,
    read_folder,
    read_lines,
    read_prompts,
    targets_of,
)

FULL = {
    "task_type": "code",
    "complexity": "low",
    "urgency": "normal",
    "domain": "code",
    "tone": "casual",
    "multi_step": False,
    "output_tokens": 64,
}


def write(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def label(multi_step: bool | None = None, tokens: float | None = None, **heads: str) -> Label:
    return Label(heads, multi_step, tokens)


def prompt(*labels: Label) -> Prompt:
    return Prompt("", "text", "style", "en", labels)


def test_a_row_with_labels_has_one_by_each_annotator(tmp_path: Path) -> None:
    second = FULL | {"tone": "neutral", "multi_step": True}
    row = {"id": "a-1", "style": "a", "lang": "de", "text": "Hallo", "labels": [FULL, second]}
    (read,) = read_prompts(write(tmp_path / "rows.jsonl", row))
    assert (read.id, read.style, read.lang, read.text) == ("a-1", "a", "de", "Hallo")
    assert [held.heads["tone"] for held in read.labels] == ["casual", "neutral"]
    assert [held.multi_step for held in read.labels] == [False, True]
    assert read.labels[0].heads == {head: FULL[head] for head in HEADS}


def test_a_row_may_carry_its_only_label_itself(tmp_path: Path) -> None:
    (read,) = read_prompts(write(tmp_path / "own.jsonl", {"text": "hi", "tone": "casual"}))
    assert read.labels == (label(tone="casual"),)
    assert (read.id, read.style, read.lang) == ("", "own", "en")


def test_a_row_may_carry_no_label_at_all(tmp_path: Path) -> None:
    (read,) = read_prompts(write(tmp_path / "own.jsonl", {"text": "hi", "labels": []}))
    assert read.labels == ()


def test_fields_that_are_null_or_unknown_say_nothing(tmp_path: Path) -> None:
    row = {"text": "hi", "tone": None, "multi_step": None, "output_tokens": None, "mood": "blue"}
    (read,) = read_prompts(write(tmp_path / "own.jsonl", row))
    assert read.labels == (label(),)


def test_gzip_reads_the_same(tmp_path: Path) -> None:
    plain = write(tmp_path / "rows.jsonl", {"text": "žluťoučký", "tone": "formal", "style": "s"})
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_prompts(packed) == read_prompts(plain)


def test_blank_lines_are_passed_over_but_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", {"text": "a"}, "", "  ", {"text": "b"})
    assert [(number, row["text"]) for number, row in read_lines(path)] == [(1, "a"), (4, "b")]


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    write(tmp_path / "b.jsonl", {"text": "second"})
    write(tmp_path / "a.jsonl", {"text": "first"})
    write(tmp_path / "c.json", {"text": "no prompts"})
    assert [read.text for read in read_folder(tmp_path)] == ["first", "second"]
    assert read_folder(tmp_path / "missing") == []


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ("{", "it is not valid JSON"),
        ("9" * 5000, "it is not valid JSON"),
        ("[]", "it is not a JSON object"),
        ("null", "it is not a JSON object"),
        ({}, "text: it is missing, empty or not a string"),
        ({"text": ""}, "text: it is missing, empty or not a string"),
        ({"text": " \n\t"}, "text: it is missing, empty or not a string"),
        ({"text": 3}, "text: it is missing, empty or not a string"),
        ({"text": "a", "labels": {}}, "labels: it is not a list of objects"),
        ({"text": "a", "labels": None}, "labels: it is not a list of objects"),
        ({"text": "a", "labels": ["code"]}, "labels: it is not a list of objects"),
        ({"text": "a", "labels": [FULL | {"tone": "rude"}]}, "tone: 'rude' is not one of neutral,"),
        *(({"text": "a", head: "else"}, f"{head}: 'else' is not one of") for head in HEADS),
        ({"text": "a", "domain": ["code"]}, "domain: ['code'] is not one of code, math,"),
        ({"text": "a", "multi_step": 1}, "multi_step: 1 is neither true nor false"),
        ({"text": "a", "multi_step": "yes"}, "multi_step: 'yes' is neither true nor false"),
        ({"text": "a", "output_tokens": "40"}, "output_tokens: '40' is not a number"),
        ({"text": "a", "output_tokens": True}, "output_tokens: True is not a number"),
        ({"text": "a", "output_tokens": 0}, "output_tokens: 0 is not a number above 0"),
        ({"text": "a", "output_tokens": -4}, "output_tokens: -4 is not a number above 0"),
        ({"text": "a", "output_tokens": 1e9}, "output_tokens: 1000000000.0 is not a number"),
        ('{"text": "a", "output_tokens": NaN}', "output_tokens: nan is not a number"),
        ('{"text": "a", "output_tokens": Infinity}', "output_tokens: inf is not a number"),
    ],
)
def test_a_wrong_line_is_named_by_file_line_and_field(
    tmp_path: Path, row: object, cause: str
) -> None:
    path = write(tmp_path / "rows.jsonl", {"text": "good"}, "", row)
    with pytest.raises(DataError) as caught:
        read_prompts(path)
    assert (caught.value.path, caught.value.line) == (path, 3)
    assert caught.value.cause.startswith(cause)
    assert str(caught.value).startswith(f"{path}:3: {cause}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("latin.jsonl", '{"text": "café"}'.encode("latin-1")),
        ("plain.jsonl.gz", b'{"text": "not packed"}'),
        ("cut.jsonl.gz", gzip.compress(b'{"text": "cut off"}\n' * 50, mtime=0)[:-12]),
        ("torn.jsonl.gz", gzip.compress(b"", mtime=0)[:10] + b"\xff" * 30),
    ],
    ids=["no UTF-8", "not packed", "cut off", "torn"],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match="it cannot be read") as caught:
        read_prompts(path)
    assert (caught.value.path, caught.value.line) == (path, None)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"it cannot be read: .*No such file"):
        read_prompts(tmp_path / "missing.jsonl")


def test_annotators_who_differ_do_not_agree() -> None:
    both = prompt(label(tone="casual", urgency="low"), label(tone="formal", urgency="low"))
    assert both.agreed("tone") is None
    assert both.agreed("urgency") == "low"
    assert both.agreed("domain") is None


def test_one_annotator_alone_is_agreed_with() -> None:
    assert prompt(label(tone="casual"), label()).agreed("tone") == "casual"


def test_annotators_who_differ_share_the_weight() -> None:
    targets = targets_of(
        [prompt(label(tone="casual"), label(tone="formal"), label(tone="casual"), label())]
    )
    shares = dict(zip(LABELS["tone"], targets.shares[0, SLICES["tone"]].tolist(), strict=True))
    expected = {"neutral": 0, "formal": 1 / 3, "casual": 2 / 3, "frustrated": 0}
    assert shares == pytest.approx(expected)
    assert not targets.shares[0, SLICES["domain"]].any()


def test_steps_and_length_are_means_of_what_was_said_and_nan_where_nothing_was() -> None:
    targets = targets_of(
        [
            prompt(label(True, 64), label(False, 256), label()),
            prompt(label(), label()),
            prompt(label(True, 0.25)),
        ]
    )
    np.testing.assert_allclose(targets.steps, [0.5, math.nan, 1.0])
    np.testing.assert_allclose(targets.length, [7.0, math.nan, 0.0])


LABEL = st.builds(
    Label,
    st.fixed_dictionaries(
        {}, optional={head: st.sampled_from(names) for head, names in LABELS.items()}
    ),
    st.none() | st.booleans(),
    st.none() | st.floats(0.01, 1e6),
)


@settings(deadline=None)
@given(labels=st.lists(st.lists(LABEL, max_size=4), max_size=4))
def test_shares_are_distributions_or_nothing(labels: list[list[Label]]) -> None:
    prompts = [prompt(*held) for held in labels]
    targets = targets_of(prompts)
    assert targets.shares.shape == (len(prompts), CLASSES)
    for row, held in enumerate(prompts):
        for head, where in SLICES.items():
            said = any(head in given.heads for given in held.labels)
            assert targets.shares[row, where].sum() == pytest.approx(1.0 if said else 0.0)
            agreed = held.agreed(head)
            if agreed is not None:
                share = targets.shares[row, where.start + LABELS[head].index(agreed)]
                assert share == pytest.approx(1.0)


@settings(deadline=None)
@given(fields=st.fixed_dictionaries({}, optional={k: st.just(v) for k, v in FULL.items()}))
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    (single,) = read_prompts(write(folder / "single.jsonl", {"text": "a", **fields}))
    (listed,) = read_prompts(write(folder / "listed.jsonl", {"text": "a", "labels": [fields]}))
    assert single.labels == listed.labels
    (held,) = single.labels
    assert held.heads == {head: fields[head] for head in HEADS if head in fields}
    assert held.multi_step == fields.get("multi_step")
    assert held.output_tokens == fields.get("output_tokens")


def test_the_output_row_has_a_place_for_everything_and_no_two_overlap() -> None:
    places = [place for where in SLICES.values() for place in range(where.start, where.stop)]
    places += [OUTPUTS + MULTI_STEP_COLUMN, OUTPUTS + LENGTH_COLUMN]
    assert places == list(range(OUTPUTS))
    assert [len(LABELS[head]) for head in HEADS] == [w.stop - w.start for w in SLICES.values()]
