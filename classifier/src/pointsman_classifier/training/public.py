"""Reads public collections of prompts where a folder of them is given.

Their texts are never part of this project. What is, are this project's own labels of some of them,
which name a text by its collection and the beginning of its sha256.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pointsman_classifier.errors import DataError
from pointsman_classifier.training.labels import LABELS, LabelError, parse_label
from pointsman_classifier.training.prompts import Prompt, read_lines


@dataclass(frozen=True, slots=True)
class PublicSource:
    """A public collection.

    Attributes:
        licence: of its texts.
        origin: what it is and which part of it is read.
        rows: how many of its texts the teacher reads to the student, at most.
    """

    licence: str
    origin: str
    rows: int


SOURCES: Final[dict[str, PublicSource]] = {
    "dolly_instr": PublicSource("CC-BY-SA-3.0", "databricks-dolly-15k, instructions", 2000),
    "t0_p3": PublicSource("Apache-2.0", "P3, prompts of the T0 templates", 1000),
    "mmlu_routellm": PublicSource("MIT", "MMLU, questions", 700),
    "llmrouter_bench": PublicSource("MIT", "LLMRouter, prompts", 700),
    "bbh": PublicSource("MIT", "BIG-Bench-Hard, questions", 300),
    "humaneval": PublicSource("MIT", "HumanEval, prompts", 164),
    "selfinstruct_seed": PublicSource("Apache-2.0", "Self-Instruct, seed tasks", 175),
    "ifeval": PublicSource("Apache-2.0", "IFEval, prompts", 300),
    "legalbench": PublicSource("CC-BY-4.0 (most tasks)", "LegalBench, prompts", 300),
    "pubmedqa": PublicSource("MIT", "PubMedQA, questions with their abstracts", 200),
    "clinc150": PublicSource("CC-BY-3.0", "CLINC150 (OOS), utterances", 900),
    "banking77": PublicSource("CC-BY-4.0", "Banking77, utterances", 400),
}
"""What training may draw on."""

UNSEEN_SOURCES: Final = ("mt_bench", "vicuna_bench", "arena_hard_v2", "vllm_sr_domain_cases")
"""Collections that are never trained on: to measure with."""

FIELDS_SOURCE: Final = "mmlu_routellm"
FIELDS_ROWS: Final = 600

_CHOICES = re.compile(r"\nA\. .*", re.DOTALL)
_DIGITS = 16


def text_key(text: str) -> str:
    """By which a text is named without being shown: the first 16 hex digits of its sha256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def read_texts(folder: Path, seed: int) -> list[str]:
    """A fixed sample of what :data:`SOURCES` names; those missing from ``folder`` are left out."""
    texts: list[str] = []
    for name, source in SOURCES.items():
        own = list(dict.fromkeys(_texts(folder, name)))
        random.Random(f"{seed}-{name}").shuffle(own)
        texts += own[: source.rows]
    return texts


def read_fields(folder: Path, seed: int) -> list[Prompt]:
    """Examination questions of which their authors say the domain, and nothing else is known.

    Nobody but an examiner writes choices under a question: half go without.
    """
    path = folder / f"{FIELDS_SOURCE}.jsonl.gz"
    if not path.exists():
        return []
    rows = [
        (_text(path, number, row), row["domain"])
        for number, row in read_lines(path)
        if row.get("domain") in LABELS["domain"]
    ]
    random.Random(f"{seed}-fields").shuffle(rows)
    prompts = []
    for number, (whole, domain) in enumerate(rows[:FIELDS_ROWS]):
        text = _CHOICES.sub("", whole) if number % 2 else whole
        label = parse_label({"domain": domain})
        prompts.append(Prompt(f"{FIELDS_SOURCE}-{number}", text, FIELDS_SOURCE, "en", (label,)))
    return prompts


def read_labelled(folder: Path, labels: Path) -> list[Prompt]:
    """The texts in ``folder`` that ``labels`` speaks of, with what it says.

    Texts that ``folder`` does not hold are left out. The style is the collection's name.

    Raises:
        DataError: a file cannot be read, or a line is not what it should be.
    """
    known: dict[str, dict[str, str]] = {}
    prompts = []
    for number, row in read_lines(labels):
        try:
            name, key = str(row["source"]), str(row["sha256"])
            given = tuple(parse_label(label) for label in row["labels"])
        except (KeyError, TypeError, AttributeError, LabelError) as error:
            raise DataError(labels, number, f"it is not a label of a text: {error!r}") from error
        if name not in known:
            known[name] = {text_key(text): text for text in _texts(folder, name)}
        text = known[name].get(key)
        if text is not None:
            prompts.append(Prompt(f"{name}-{key}", text, name, "en", given))
    return prompts


def read_unseen_texts(folder: Path) -> list[str]:
    """Every text of the collections that are never trained on."""
    return [text for name in UNSEEN_SOURCES for text in _texts(folder, name)]


def without(texts: Sequence[str], others: Sequence[str]) -> list[str]:
    """``texts`` less those that, spaces and case aside, also stand in ``others``."""
    taken = {_plain(text) for text in others}
    return [text for text in texts if _plain(text) not in taken]


def _texts(folder: Path, name: str) -> list[str]:
    path = folder / f"{name}.jsonl.gz"
    if not path.exists():
        return []
    texts = [_text(path, number, row) for number, row in read_lines(path)]
    return [text for text in texts if text.strip()]


def _text(path: Path, number: int, row: dict[str, Any]) -> str:
    text = row.get("text")
    if not isinstance(text, str):
        raise DataError(path, number, "text: it is missing or not a string")
    return text


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
