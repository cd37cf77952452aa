"""Reads prompts: the project's own, and, where a folder is given, public ones.

A public prompt carries labels for some heads only; a head without a label takes no part in the
loss. Licences and counts go into the manifest through :data:`PUBLIC_SOURCES`.
"""

from __future__ import annotations

import gzip
import json
import random
import re
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
    "dolly_instr": PublicSource("CC-BY-SA-3.0", 6000, "databricks-dolly-15k, instructions only"),
    "mmlu_routellm": PublicSource("MIT", 2500, "MMLU, questions only"),
    "selfinstruct_seed": PublicSource("Apache-2.0", 200, "Self-Instruct seed tasks"),
    "ifeval": PublicSource("Apache-2.0", 600, "IFEval, prompts only"),
    "humaneval": PublicSource("MIT", 200, "HumanEval, prompts only"),
    "bbh": PublicSource("MIT", 400, "BIG-Bench-Hard, questions only"),
    "pubmedqa": PublicSource("MIT", 300, "PubMedQA, questions with their abstracts"),
    "clinc150": PublicSource("CC-BY-3.0", 2000, "CLINC150 (OOS), utterances only"),
    "banking77": PublicSource("CC-BY-4.0", 800, "Banking77, utterances only"),
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
_GOLD_DOMAIN: Final = ("mmlu_routellm",)
"""Sources of training whose domain was given by people, prompt by prompt."""

_CHOICES = re.compile(r"\nA\. .*", re.DOTALL)


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
        labels: dict[str, str] = {head: row.get(head, "") for head in LABELS}
        for head, label in labels.items():
            if label not in LABELS[head]:
                raise ValueError(f"{path}:{number}: {head} is {label!r}, not of {LABELS[head]}")
        prompts.append(Prompt(row["text"], row["style"], labels))
    return prompts


def read_public(folder: Path, seed: int) -> list[Prompt]:
    """A fixed sample of the public sources found in ``folder``, with a domain where it is known."""
    prompts = []
    for name, source in PUBLIC_SOURCES.items():
        path = folder / f"{name}.jsonl.gz"
        if not path.exists():
            continue
        rows = list(_read_lines(path))
        random.Random(f"{seed}-{name}").shuffle(rows)
        for number, row in enumerate(rows[: source.rows]):
            text = row["text"]
            # Nobody but an examiner writes choices under a question: half go without.
            if name == "mmlu_routellm" and number % 2:
                text = _CHOICES.sub("", text)
            known = name in _GOLD_DOMAIN and row.get("domain") in LABELS["domain"]
            prompts.append(Prompt(text, name, {"domain": row["domain"]} if known else {}))
    return [prompt for prompt in prompts if prompt.text.strip()]


def read_unseen(folder: Path) -> dict[str, list[Prompt]]:
    """The four sources that are only measured on; those missing from ``folder`` are left out."""
    paths = {name: folder / f"{name}.jsonl.gz" for name in UNSEEN_SOURCES}
    return {
        name: [_unseen_prompt(name, row) for row in _read_lines(path)]
        for name, path in paths.items()
        if path.exists()
    }


def without_duplicates(prompts: Iterable[Prompt], of: Iterable[Prompt]) -> list[Prompt]:
    """``prompts`` less those whose text, spaces and case aside, also stands in ``of``."""
    taken = {_key(prompt.text) for prompt in of}
    return [prompt for prompt in prompts if _key(prompt.text) not in taken]


def _key(text: str) -> str:
    return " ".join(text.lower().split())


def _unseen_prompt(source: str, row: dict[str, Any]) -> Prompt:
    labels: dict[str, str] = {}
    if row.get("domain") in LABELS["domain"]:
        labels["domain"] = row["domain"]
    task = _TASK_OF_FINE_TASK.get(row.get("task") or "")
    if task:
        labels["task_type"] = task
    if row.get("complexity"):
        labels["complexity"] = LABELS["complexity"][row["complexity"] - 1]
    return Prompt(row["text"], source, labels)


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)
