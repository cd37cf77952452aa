"""Makes texts for the encoder to learn from out of nothing but a vocabulary.

Each is a handful of words that MiniLM holds to be alike, with a few strangers among them. They
teach the encoder how words of one field lie together, for every word of the vocabulary, also where
no prompt of training holds it; and they carry nobody's licence.
"""

from __future__ import annotations

import numpy as np
from minilm import MiniLM
from numpy.typing import NDArray

_NEIGHBOURS = 60
_BAGS_A_WORD = 2


def make_texts(
    pieces: list[str], minilm: MiniLM, seed: int
) -> tuple[list[str], NDArray[np.float32]]:
    """Single words and bags of words, with MiniLM's vectors, of shape (texts, 384)."""
    words = [p for p in pieces if p.isascii() and p.isalpha() and len(p) > 2]
    vectors = minilm.embed(words, batch_size=128)
    bags = _make_bags(words, vectors, np.random.default_rng(seed))
    return words + bags, np.concatenate([vectors, minilm.embed(bags, batch_size=64)])


def _make_bags(
    words: list[str], vectors: NDArray[np.float32], rng: np.random.Generator
) -> list[str]:
    bags = []
    for row in range(len(words)):
        likeness = vectors @ vectors[row]
        near = np.argpartition(-likeness, _NEIGHBOURS)[:_NEIGHBOURS]
        for _ in range(_BAGS_A_WORD):
            alike = rng.choice(near, rng.integers(4, 13), replace=False)
            strange = rng.choice(len(words), rng.integers(0, 4))
            chosen = np.concatenate([alike, strange])
            bags.append(" ".join(words[index] for index in rng.permutation(chosen)))
    return bags
