"""What a training leaves behind, and how it is read again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pointsman_classifier.errors import DataError
from pointsman_classifier.excerpt import Window
from pointsman_classifier.training.view import WINDOW, teacher_window

STUDENT: Final = "student.npz"
TOKENIZER: Final = "tokenizer.json"
LEXICON: Final = "lexicon.json"
TEACHER: Final = "teacher.npz"
TEACHER_TOKENIZER: Final = "teacher-tokenizer.json"
RUN: Final = "run.json"
"""Says what went into the run."""


@dataclass(frozen=True, slots=True)
class Learned:
    """One network of a run.

    Attributes:
        weights: by torch's names.
        tokenizer: its JSON.
        lexicon: its JSON.
        window: how much of a text it reads.
        described: what went into the run.
    """

    weights: dict[str, NDArray[np.float32]]
    tokenizer: str
    lexicon: str
    window: Window
    described: dict[str, Any]


def read_run(folder: Path, large: bool) -> Learned:
    """The student that ``folder`` holds; the teacher where ``large``.

    Raises:
        DataError: a file is missing or damaged.
    """
    names = (TEACHER, TEACHER_TOKENIZER) if large else (STUDENT, TOKENIZER)
    try:
        described = json.loads((folder / RUN).read_text("utf-8"))
        tokenizer = (folder / names[1]).read_text("utf-8")
        lexicon = (folder / LEXICON).read_text("utf-8")
        with (folder / names[0]).open("rb") as file, np.load(file) as arrays:
            weights = {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        cause = f"it is not a finished run of `pointsman-classifier train`: {error}"
        raise DataError(folder, None, cause) from error
    window = WINDOW
    if large:
        try:
            recipe = described["recipe"]["teacher"]
        except KeyError as error:
            raise DataError(folder / RUN, None, f"{error}: it is missing") from error
        window = teacher_window(recipe["head_pieces"], recipe["tail_pieces"])
    return Learned(weights, tokenizer, lexicon, window, described)
