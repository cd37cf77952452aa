"""Reads labelled prompts, one JSON object a line, and turns labels into what a fit takes."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman_classifier.errors import DataError
from pointsman_classifier.model_file import HEADS
from pointsman_classifier.training.labels import (
    CLASSES,
    LABELS,
    SLICES,
    Label,
    LabelError,
    parse_label,
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt and what its annotators say of it.

    Attributes:
        id: unique in its file, or "" where the file gives none.
        text: the prompt.
        style: which group of authors, or which public source, it comes from.
        lang: ISO 639-1 code of its main language.
        labels: one by each annotator, the author's own first.
    """

    id: str
    text: str
    style: str
    lang: str
    labels: tuple[Label, ...]

    def agreed(self, head: str) -> str | None:
        """The head's label where every annotator who gave one gave the same, else ``None``."""
        given = {label.heads[head] for label in self.labels if head in label.heads}
        return given.pop() if len(given) == 1 else None


@dataclass(frozen=True, slots=True)
class Targets:
    """Labels as numbers, one row a prompt.

    Attributes:
        shares: float32 (prompts, CLASSES): in each head the share of annotators for each label;
            all zeros where nobody spoke of the head.
        steps: float32 (prompts,): share of annotators who see several steps; NaN where unknown.
        length: float32 (prompts,): mean log2 of the answer's tokens; NaN where unknown.
    """

    shares: NDArray[np.float32]
    steps: NDArray[np.float32]
    length: NDArray[np.float32]


def read_folder(folder: Path) -> list[Prompt]:
    """Every ``*.jsonl`` in ``folder``, in the order of names. Raises as :func:`read_prompts`."""
    return [prompt for path in sorted(folder.glob("*.jsonl")) for prompt in read_prompts(path)]


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts in one file.

    A line is an object with ``text``, optionally ``id``, ``style`` and ``lang``, and either
    ``labels``, a list with one object an annotator, or the fields of a single label themselves.

    Raises:
        DataError: the file cannot be read, or a line is not such an object.
    """
    return [_prompt(path, number, row) for number, row in read_lines(path)]


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and object of each line that is not blank; ``.gz`` is unpacked.

    Raises:
        DataError: the file cannot be read, or a line is not a JSON object.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _object(path, number, line)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(path, None, f"it cannot be read: {error}") from error


def targets_of(prompts: Sequence[Prompt]) -> Targets:
    """The labels of prompts as numbers; annotators who differ share the weight between them."""
    shares = np.zeros((len(prompts), CLASSES), np.float32)
    steps = np.full(len(prompts), np.nan, np.float32)
    length = np.full(len(prompts), np.nan, np.float32)
    for row, prompt in enumerate(prompts):
        for head in HEADS:
            given = [label.heads[head] for label in prompt.labels if head in label.heads]
            for name in given:
                shares[row, SLICES[head].start + LABELS[head].index(name)] += 1 / len(given)
        said = [label.multi_step for label in prompt.labels if label.multi_step is not None]
        if said:
            steps[row] = np.mean(said)
        lengths = [x for x in (label.log2_tokens() for label in prompt.labels) if x is not None]
        if lengths:
            length[row] = np.mean(lengths)
    return Targets(shares, steps, length)


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(path, number, f"it is not valid JSON: {error}") from error
    if not isinstance(row, dict):
        raise DataError(path, number, "it is not a JSON object")
    return row


def _prompt(path: Path, number: int, row: dict[str, Any]) -> Prompt:
    text = row.get("text")
    if not isinstance(text, str) or not text.strip():
        raise DataError(path, number, "text: it is missing, empty or not a string")
    given = row.get("labels", [row])
    if not isinstance(given, list) or not all(isinstance(label, dict) for label in given):
        raise DataError(path, number, "labels: it is not a list of objects")
    try:
        labels = tuple(parse_label(label) for label in given)
    except LabelError as error:
        raise DataError(path, number, str(error)) from error
    style = str(row.get("style", path.stem))
    return Prompt(str(row.get("id", "")), text, style, str(row.get("lang", "en")), labels)
