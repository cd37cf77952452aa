"""Public collections are read where there are any, and what is measured on is never taught."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_classifier.errors import DataError
from pointsman_classifier.training import public
from pointsman_classifier.training.labels import Label
from pointsman_classifier.training.public import (
    FIELDS_ROWS,
    FIELDS_SOURCE,
    SOURCES,
    UNSEEN_SOURCES,
    text_key,
)

LABEL = {"tone": "casual", "multi_step": False}


def pack(folder: Path, name: str, *texts: str) -> None:
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))


def write_labels(folder: Path, *rows: object) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_what_is_trained_on_is_not_what_is_kept_unseen() -> None:
    assert not set(SOURCES) & set(UNSEEN_SOURCES)
    assert all(source.licence and source.origin and source.rows > 0 for source in SOURCES.values())


def test_a_key_is_the_beginning_of_the_sha256() -> None:
    assert text_key("hello") == "2cf24dba5fb0a30e"
    assert len(text_key("\ud800")) == 16


def test_a_text_gets_what_its_label_says(tmp_path: Path) -> None:
    pack(tmp_path, "banking77", "where is my card", "no label of this one")
    rows = [
        {"source": "banking77", "sha256": text_key("where is my card"), "labels": [LABEL, LABEL]},
        {"source": "banking77", "sha256": text_key("not in the folder"), "labels": [LABEL]},
        {"source": "mt_bench", "sha256": text_key("nor is the collection"), "labels": [LABEL]},
    ]
    (read,) = public.read_labelled(tmp_path, write_labels(tmp_path, *rows))
    assert read.id == f"banking77-{text_key('where is my card')}"
    assert (read.text, read.style) == ("where is my card", "banking77")
    assert read.labels == (Label({"tone": "casual"}, False),) * 2


@pytest.mark.parametrize(
    "row",
    [
        {"sha256": "00", "labels": [LABEL]},
        {"source": "bbh", "labels": [LABEL]},
        {"source": "bbh", "sha256": "00"},
        {"source": "bbh", "sha256": "00", "labels": None},
        {"source": "bbh", "sha256": "00", "labels": ["casual"]},
        {"source": "bbh", "sha256": "00", "labels": [{"tone": "rude"}]},
    ],
)
def test_a_wrong_label_is_named_by_file_and_line(tmp_path: Path, row: object) -> None:
    good = {"source": "bbh", "sha256": "00", "labels": [LABEL]}
    labels = write_labels(tmp_path, good, row)
    with pytest.raises(DataError, match="it is not a label of a text") as caught:
        public.read_labelled(tmp_path, labels)
    assert (caught.value.path, caught.value.line) == (labels, 2)


@pytest.mark.parametrize("row", ["{}", '{"text": null}', '{"text": 3}'])
def test_a_wrong_line_of_a_collection_is_named(tmp_path: Path, row: str) -> None:
    path = tmp_path / "mt_bench.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "good"}\n' + row.encode()))
    with pytest.raises(DataError, match="text: it is missing or not a string") as caught:
        public.read_unseen_texts(tmp_path)
    assert (caught.value.path, caught.value.line) == (path, 2)


def test_texts_are_a_fixed_sample_without_repetition(tmp_path: Path) -> None:
    pack(tmp_path, "humaneval", *(f"task {n}" for n in range(400)), "task 3", " ")
    pack(tmp_path, "ifeval", "a", "b", "a")
    pack(tmp_path, "mt_bench", "never to be trained on")
    texts = public.read_texts(tmp_path, seed=0)
    assert texts == public.read_texts(tmp_path, seed=0)
    assert len(texts) == len(set(texts)) == SOURCES["humaneval"].rows + 2
    assert "never to be trained on" not in texts
    assert {"a", "b"} < set(texts)
    assert set(texts) != set(public.read_texts(tmp_path, seed=1))


def test_without_a_folder_there_are_no_texts(tmp_path: Path) -> None:
    assert public.read_texts(tmp_path / "missing", seed=0) == []
    assert public.read_unseen_texts(tmp_path / "missing") == []


def test_all_that_is_unseen_is_read(tmp_path: Path) -> None:
    for name in UNSEEN_SOURCES:
        pack(tmp_path, name, f"{name} 1", f"{name} 2")
    assert set(public.read_unseen_texts(tmp_path)) == {
        f"{name} {n}" for name in UNSEEN_SOURCES for n in (1, 2)
    }


def test_spaces_and_case_do_not_hide_a_text() -> None:
    texts = ["What is  this?", "And this?", "WHAT IS\nTHIS?"]
    assert public.without(texts, ["what is this?"]) == ["And this?"]


def pack_fields(folder: Path, *rows: object) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / f"{FIELDS_SOURCE}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))


def test_examination_questions_bring_their_domain_and_half_of_them_their_choices(
    tmp_path: Path,
) -> None:
    rows = [
        {"text": f"Question {n}?\nA. this\nB. that", "domain": "legal" if n % 3 else "math"}
        for n in range(FIELDS_ROWS + 50)
    ]
    pack_fields(tmp_path, *rows, {"text": "no field"}, {"text": "none of ours", "domain": "chess"})
    prompts = public.read_fields(tmp_path, seed=0)
    assert prompts == public.read_fields(tmp_path, seed=0)
    assert prompts != public.read_fields(tmp_path, seed=1)
    assert len(prompts) == len({p.id for p in prompts}) == FIELDS_ROWS
    assert sum("\nA. this" in p.text for p in prompts) == FIELDS_ROWS // 2
    known = {row["text"].split("\n")[0]: row["domain"] for row in rows}
    for prompt in prompts:
        assert prompt.labels == (Label({"domain": known[prompt.text.split("\n")[0]]}),)


def test_a_question_without_a_text_is_named(tmp_path: Path) -> None:
    pack_fields(tmp_path, {"text": "good", "domain": "legal"}, {"domain": "legal"})
    with pytest.raises(DataError, match="text: it is missing or not a string") as caught:
        public.read_fields(tmp_path, seed=0)
    assert caught.value.line == 2


def test_without_the_examination_there_are_no_questions(tmp_path: Path) -> None:
    assert public.read_fields(tmp_path, seed=0) == []
    assert FIELDS_SOURCE in SOURCES


TEXTS = st.lists(st.text(alphabet="aB \n", max_size=5))


@settings(deadline=None)
@given(texts=TEXTS, others=TEXTS)
def test_what_is_left_is_in_order_and_none_of_the_others(
    texts: list[str], others: list[str]
) -> None:
    left = public.without(texts, others)
    assert not set(left) & set(others)
    assert public.without(left, others) == left
    assert [text for text in texts if text in left] == left
    assert public.without(texts, []) == texts


def test_the_labels_that_are_committed_name_only_collections_of_their_kind(
    data_folder: Path,
) -> None:
    named = {}
    for name in ("train", "unseen"):
        lines = (data_folder / "public" / f"{name}.jsonl").read_text("utf-8").splitlines()
        named[name] = {json.loads(line)["source"] for line in lines}
    assert named["train"] <= set(SOURCES)
    assert named["unseen"] <= set(UNSEEN_SOURCES)
