"""Reads prompts: the project's own, and, where a folder is given, public ones.

A public prompt carries labels for some heads only; a head without a label takes no part in the
loss. Licences and counts go into the manifest through :data:`PUBLIC_SOURCES`.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

LABELS: Final[dict[str, tuple[str, ...]]] = {
    "task_type": ("simple_qa", "long_form", "code", "analysis", "multi_step"),
    "complexity": ("low", "medium", "high"),
    "urgency": ("low", "normal", "high"),
    "domain": (
        "code",
        "math",
        "science",
        "medical",
        "legal",
        "finance",
        "humanities",
        "general",
    ),
    "tone": ("neutral", "formal", "casual", "frustrated"),
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt and what is known of it.

    Attributes:
        text: the prompt.
        source: the author's style for the project's own prompts, else the public source's name.
        labels: head -> label, for the heads that have one.
    """

    text: str
    source: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PublicSource:
    """A public collection: how many of its prompts are used, and under which licence."""

    licence: str
    rows: int
    origin: str


PUBLIC_SOURCES: Final[dict[str, PublicSource]] = {
    "dolly_instr": PublicSource("CC-BY-SA-3.0", 1800, "databricks-dolly-15k, instructions only"),
    "mmlu_routellm": PublicSource("MIT", 1400, "MMLU, questions only"),
    "selfinstruct_seed": PublicSource("Apache-2.0", 175, "Self-Instruct seed tasks"),
    "ifeval": PublicSource("Apache-2.0", 526, "IFEval, prompts only"),
    "humaneval": PublicSource("MIT", 164, "HumanEval, prompts only"),
    "bbh": PublicSource("MIT", 300, "BIG-Bench-Hard, questions only"),
    "pubmedqa": PublicSource("MIT", 150, "PubMedQA, questions only"),
    "clinc150": PublicSource("CC-BY-3.0", 700, "CLINC150 (OOS), utterances only"),
    "banking77": PublicSource("CC-BY-4.0", 250, "Banking77, utterances only"),
}
"""What training may draw on; the rows are the most that are taken."""

UNSEEN_SOURCES: Final = ("mt_bench", "vicuna_bench", "arena_hard_v2", "vllm_sr_domain_cases")
"""Never trained on: metrics only."""

_TASK_OF_FINE_TASK: Final = {
    "qa_open": "simple_qa",
    "generate": "long_form",
    "brainstorm": "long_form",
    "extract": "analysis",
    "code": "code",
    "math_reason": "analysis",
}
_LEVELS: Final = {1: "low", 2: "medium", 3: "high"}
_SOURCES_WITH_TASK: Final = ("dolly_instr", "humaneval", "bbh", "mmlu_routellm", *UNSEEN_SOURCES)


def read_original(folder: Path) -> list[Prompt]:
    """The project's own prompts: every ``*.jsonl`` in ``folder``, in the order of names.

    Raises:
        ValueError: a line lacks a head, or carries a label that is not in :data:`LABELS`.
    """
    return [prompt for path in sorted(folder.glob("*.jsonl")) for prompt in read_labelled(path)]


def read_labelled(path: Path) -> list[Prompt]:
    """One file of the project's own format. Raises as :func:`read_original` does."""
    prompts = []
    for number, row in enumerate(_read_lines(path), 1):
        labels = {head: row.get(head) for head in LABELS}
        for head, label in labels.items():
            if label not in LABELS[head]:
                raise ValueError(f"{path}:{number}: {head} is {label!r}, not of {LABELS[head]}")
        prompts.append(Prompt(row["text"], row["style"], labels))
    return prompts


def read_public(folder: Path, seed: int) -> list[Prompt]:
    """A fixed sample of the public sources found in ``folder``, partly labelled."""
    prompts = []
    for name, source in PUBLIC_SOURCES.items():
        path = folder / f"{name}.jsonl.gz"
        if not path.exists():
            continue
        rows = list(_read_lines(path))
        random.Random(f"{seed}-{name}").shuffle(rows)
        prompts += [_public_prompt(name, row) for row in rows[: source.rows]]
    return [prompt for prompt in prompts if prompt.text.strip()]


def read_unseen(folder: Path) -> dict[str, list[Prompt]]:
    """The four sources that are only measured on; those missing from ``folder`` are left out."""
    paths = {name: folder / f"{name}.jsonl.gz" for name in UNSEEN_SOURCES}
    return {
        name: [_public_prompt(name, row) for row in _read_lines(path)]
        for name, path in paths.items()
        if path.exists()
    }


def without_duplicates(prompts: Iterable[Prompt], of: Iterable[Prompt]) -> list[Prompt]:
    """``prompts`` less those whose text, spaces and case aside, also stands in ``of``."""
    taken = {_key(prompt.text) for prompt in of}
    return [prompt for prompt in prompts if _key(prompt.text) not in taken]


def _key(text: str) -> str:
    return " ".join(text.lower().split())


def _public_prompt(source: str, row: dict[str, Any]) -> Prompt:
    labels: dict[str, str] = {}
    if row.get("domain") in LABELS["domain"]:
        labels["domain"] = row["domain"]
    task = _TASK_OF_FINE_TASK.get(row.get("task") or "")
    if task and source in _SOURCES_WITH_TASK:
        labels["task_type"] = task
    # A multiple choice's level says how hard the exam is; of the rest only arena-hard's means
    # what our guide calls complexity.
    if source in ("arena_hard_v2", "mmlu_routellm") and row.get("complexity"):
        labels["complexity"] = _LEVELS[row["complexity"]]
    return Prompt(row["text"], source, labels)


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)
