"""Says what a set of labelled prompts is worth: agreement, near-duplicates, coverage."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import product

from pointsman_classifier.model_file import HEADS
from pointsman_classifier.training.labels import LABELS, STEPS
from pointsman_classifier.training.prompts import Prompt

NEAR = 0.5
"""Two texts are near-duplicates when their shingles' Jaccard likeness reaches this."""

_SHINGLE_WORDS = 3
_COMMON = 200
"""A shingle that so many texts share ("write me a") brings no candidates: too many pairs."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two annotators say the same of the prompts that both labelled.

    Attributes:
        prompts: how many both labelled.
        share: of these, the share with the same label.
        kappa: Cohen's kappa: the share beyond chance (Cohen 1960).
    """

    prompts: int
    share: float
    kappa: float


def measure_agreement(prompts: Sequence[Prompt]) -> dict[str, Agreement]:
    """First against second label, by head and for ``multi_step``."""
    pairs: dict[str, list[tuple[Hashable, Hashable]]] = {name: [] for name in (*HEADS, STEPS)}
    for prompt in prompts:
        if len(prompt.labels) < 2:
            continue
        first, second = prompt.labels[:2]
        for head in HEADS:
            if head in first.heads and head in second.heads:
                pairs[head].append((first.heads[head], second.heads[head]))
        if first.multi_step is not None and second.multi_step is not None:
            pairs[STEPS].append((first.multi_step, second.multi_step))
    return {name: _agreement(both) for name, both in pairs.items() if both}


def near_duplicates(texts: Sequence[str]) -> list[tuple[int, int, float]]:
    """Pairs of texts that are nearly the same, each with its likeness; computed, not sampled.

    Shingles are runs of three words; texts of fewer words are one shingle. One that more than 200
    texts hold brings no pair by itself.
    """
    shingles = [_shingles(text) for text in texts]
    holders: dict[str, list[int]] = defaultdict(list)
    for row, held in enumerate(shingles):
        for shingle in held:
            holders[shingle].append(row)
    shared: Counter[tuple[int, int]] = Counter()
    for rows in holders.values():
        if len(rows) <= _COMMON:
            shared.update((a, b) for index, b in enumerate(rows) for a in rows[:index])
    pairs = []
    for (a, b), count in shared.items():
        likeness = count / (len(shingles[a]) + len(shingles[b]) - count)
        if likeness >= NEAR:
            pairs.append((a, b, likeness))
    return sorted(pairs, key=lambda pair: -pair[2])


def empty_cells(prompts: Sequence[Prompt]) -> list[tuple[str, str, str]]:
    """Combinations of task type, complexity and domain that no prompt has."""
    heads = ("task_type", "complexity", "domain")
    held = {
        tuple(label.heads.get(head) for head in heads)
        for prompt in prompts
        for label in prompt.labels
    }
    # A task of code is of the domain code, by the guide.
    return [
        (task, level, field)
        for task, level, field in product(*(LABELS[head] for head in heads))
        if (task, level, field) not in held and (task != "code" or field == "code")
    ]


def _agreement(pairs: list[tuple[Hashable, Hashable]]) -> Agreement:
    count = len(pairs)
    same = sum(a == b for a, b in pairs) / count
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(first[name] * second[name] for name in first) / count**2
    return Agreement(count, same, 1.0 if chance == 1.0 else (same - chance) / (1 - chance))


def _shingles(text: str) -> set[str]:
    words = text.lower().split()
    last = max(len(words) - _SHINGLE_WORDS + 1, 1)
    return {" ".join(words[start : start + _SHINGLE_WORDS]) for start in range(last)}
