"""Texts as the student is shown them, made by the very code that serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from pointsman_classifier.excerpt import Window, cut_text, cut_tokens
from pointsman_classifier.features import compute_features
from pointsman_classifier.lexicon import Lexicon
from pointsman_classifier.pieces import PieceReader, split_words

WINDOW = Window(head_chars=440, tail_chars=240, head_tokens=70, tail_tokens=38)
"""How much of a text the student reads."""


def teacher_window(head_pieces: int, tail_pieces: int) -> Window:
    """How much of a text a teacher reads: so many pieces, and six characters for each of them.

    So the pieces are the bound, and not the characters.
    """
    return Window(6 * head_pieces, 6 * tail_pieces, head_pieces, tail_pieces)


@dataclass(frozen=True, slots=True)
class Views:
    """Texts as ids and features.

    Attributes:
        ids: per text its pieces' ids, cut to the window, none empty.
        features: float32 of shape (texts, features), as they come.
    """

    ids: list[list[int]]
    features: NDArray[np.float32]


def look_at(texts: Sequence[str], tokenizer: Tokenizer, lexicon: Lexicon) -> Views:
    """The views of texts."""
    reader = PieceReader(tokenizer, lexicon)
    ids, features = [], []
    for text in texts:
        excerpt = cut_text(text, WINDOW)
        lowered = excerpt.lower()
        words = split_words(lowered)
        ids.append(cut_tokens(reader.read(words), WINDOW) or [0])
        features.append(compute_features(text, excerpt, lowered, words))
    return Views(ids, np.stack(features))


def in_english(
    texts: Sequence[str], tokenizer: Tokenizer, lexicon: Lexicon, window: Window
) -> list[str]:
    """Texts cut to a window, word by word as the lexicon reads them, for another tokenizer.

    Args:
        texts: any.
        tokenizer: whose words are English.
        lexicon: reads the others.
        window: how many characters are kept.
    """
    reader = PieceReader(tokenizer, lexicon)
    return [
        " ".join(reader.read_english(split_words(cut_text(text, window).lower()))) for text in texts
    ]
