"""Makes texts for the teacher to read, out of the prompts that were written.

Nobody has labelled them and nobody need to: the student learns from what the teacher says of them.
Crops, joins of two prompts and words thrown together carry it into corners that no author filled.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_PART = re.compile(r"(?<=[.!?])\s+|\n+")
_SHORTEST = 8
_LONGEST = 1400
_JOINTS = (" ", "\n", "\n\n")
_CROPS, _JOINS = 0.35, 0.4
"""Shares of crops and of joins; the rest are words thrown together."""
_NEIGHBOURS = 40
_LONGEST_ASK = 300
"""Characters of a text that can be the ask of a document: it has to fit what is read of it."""
_DOCUMENT = (500, 1500)
"""Characters of a document, at least and at most wanted."""
_ASK_FIRST = 0.4
_LEAST_PROSE = 30


def mix(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """``count`` new texts, from 8 to 1,400 characters; the same for the same seed."""
    rng = random.Random(seed)
    parts = [[part for part in _PART.split(text) if part.strip()] for text in texts]
    parts = [held for held in parts if held]
    mixed: list[str] = []
    while len(mixed) < count:
        held, kind = rng.choice(parts), rng.random()
        if kind < _CROPS:
            made = _crop(held, rng)
        elif kind < _CROPS + _JOINS:
            made = _join(held, rng.choice(parts), rng)
        else:
            made = _throw(" ".join(held).split(), rng.choice(texts).split(), rng)
        made = made.strip()[:_LONGEST]
        if len(made) >= _SHORTEST:
            mixed.append(made)
    return mixed


def documents(texts: Sequence[str], count: int, seed: int) -> list[tuple[str, int]]:
    """``count`` texts of which most is a document and a part is one of ``texts``: what it asks.

    A document is made of sentences from the middle of one or several texts, without questions. It
    stands before what is asked, or after. Teaches the reader to look for the ask where only the
    beginning and the end of a long text are seen.

    Returns:
        Each text, and the index of the one in ``texts`` that it asks.
    """
    rng = random.Random(seed)
    middles = [[part for part in _PART.split(text)[1:-1] if _is_prose(part)] for text in texts]
    middles = [held for held in middles if held]
    asks = [row for row, text in enumerate(texts) if _SHORTEST <= len(text) <= _LONGEST_ASK]
    if not middles or not asks:
        return []
    made = []
    for _ in range(count):
        row, length = rng.choice(asks), rng.randint(*_DOCUMENT)
        parts: list[str] = []
        while sum(len(part) for part in parts) < length:
            parts += rng.choice(middles)
        joint = rng.choice((" ", "\n"))
        halves = [joint.join(parts), texts[row]]
        if rng.random() < _ASK_FIRST:
            halves.reverse()
        made.append(("\n\n".join(halves), row))
    return made


def bags(words: Sequence[str], vectors: NDArray[np.float32], count: int, seed: int) -> list[str]:
    """``count`` handfuls of words that lie near each other, with a few strangers among them.

    They hold no sentence, only a field; so they carry what the teacher knows of rare words, which
    no prompt holds.

    Args:
        words: any.
        vectors: float32 of shape (words, dimensions).
        count: how many.
        seed: the same gives the same bags.
    """
    rng = np.random.default_rng(seed)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True).clip(min=1e-6)
    standard = vectors / lengths
    made = []
    for _ in range(count):
        likeness = standard @ standard[rng.integers(len(words))]
        near = np.argpartition(-likeness, _NEIGHBOURS)[:_NEIGHBOURS]
        alike = rng.choice(near, rng.integers(3, 10), replace=False)
        strange = rng.integers(len(words), size=rng.integers(0, 3))
        chosen = rng.permutation(np.concatenate([alike, strange]))
        made.append(" ".join(words[row] for row in chosen))
    return made


def _is_prose(part: str) -> bool:
    return len(part) >= _LEAST_PROSE and "?" not in part


def _crop(parts: list[str], rng: random.Random) -> str:
    """A run of sentences."""
    first = rng.randrange(len(parts))
    return " ".join(parts[first : first + rng.randint(1, max(1, len(parts) - 1))])


def _join(parts: list[str], others: list[str], rng: random.Random) -> str:
    """The beginning or the end of one prompt with that of another."""
    pieces = []
    for held in (parts, others):
        count = rng.randint(1, min(3, len(held)))
        pieces.append(" ".join(held[:count] if rng.random() < 0.6 else held[-count:]))
    rng.shuffle(pieces)
    return rng.choice(_JOINTS).join(pieces)


def _throw(words: list[str], others: list[str], rng: random.Random) -> str:
    """A prompt of which some words are lost and some are another's."""
    share = rng.uniform(0.08, 0.35)
    kept = []
    for word in words:
        if rng.random() > share:
            kept.append(word)
        elif others and rng.random() < 0.6:
            kept.append(rng.choice(others))
    return " ".join(kept)
