"""The prompts that training reads are sound."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pointsman_classifier import Classifier

FIELDS = {
    "id",
    "text",
    "task_type",
    "complexity",
    "urgency",
    "domain",
    "tone",
    "lang",
    "style",
}


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="session")
def files(data_folder: Path) -> dict[str, list[dict[str, Any]]]:
    paths = [*sorted((data_folder / "original").glob("*.jsonl")), data_folder / "heldout.jsonl"]
    return {path.stem: read_rows(path) for path in paths}


def test_every_author_is_there(files: dict[str, list[dict[str, Any]]]) -> None:
    assert {"desk", "engineer", "street", "system", "mixed", "heldout"} <= set(files)


def test_rows_have_all_fields_and_allowed_labels(
    files: dict[str, list[dict[str, Any]]], classifier: Classifier
) -> None:
    for style, rows in files.items():
        for row in rows:
            assert set(row) == FIELDS, row["id"]
            assert row["style"] == style, row["id"]
            assert row["text"].strip(), row["id"]
            for head, labels in classifier.labels.items():
                assert row[head] in labels, row["id"]


def test_ids_are_unique(files: dict[str, list[dict[str, Any]]]) -> None:
    ids = [row["id"] for rows in files.values() for row in rows]
    assert len(ids) == len(set(ids))


def test_no_text_occurs_twice_nor_in_the_held_out_file(
    files: dict[str, list[dict[str, Any]]],
) -> None:
    texts = [" ".join(row["text"].lower().split()) for rows in files.values() for row in rows]
    assert len(texts) == len(set(texts))


def test_the_manifest_counts_the_prompts_that_are_there(
    files: dict[str, list[dict[str, Any]]], model_folder: Path
) -> None:
    manifest = json.loads((model_folder / "manifest.json").read_text("utf-8"))
    counted = manifest["training"]["data"]["original"]["prompts"]
    assert counted == {style: len(rows) for style, rows in files.items() if style != "heldout"}
