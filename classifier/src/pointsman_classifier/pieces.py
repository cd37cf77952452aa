"""Splits a text into words and signs, and these into word pieces.

The vocabulary and the way a word falls into pieces are the tokenizer library's. But to run it on a
whole text costs more than the network does, and people use the same words over and over: so each
word is looked up first, and only the strangers go to the library, all of a text's in one call.
"""

from __future__ import annotations

import re
from typing import Final

from tokenizers import Tokenizer

from pointsman_classifier.lexicon import Lexicon

_MARKS: Final = (
    "\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f"
    "\u0900-\u0963\u0966-\u0dff\u05bf\u05c1-\u05c7\u0670\u200c\u200d\u0eb1-\u0ecd\u0e31-\u0e3a\u0e47-\u0e4e"
)
"""Accents and vowel signs, which belong to the word that they stand in, and are no letters."""
_WORD_OR_SIGN = re.compile(rf"[\w{_MARKS}]+|[^\w\s]")
_LONGEST_KEPT: Final = 24
"""Longer words are not remembered: hardly one is met twice."""
_MOST_KEPT: Final = 1 << 15
"""Words remembered beside the vocabulary's own; then all are forgotten, and learned again."""


def split_words(lowered: str) -> list[str]:
    """Words and single signs, in their order; spaces are dropped.

    Args:
        lowered: the text in lower case.
    """
    return _WORD_OR_SIGN.findall(lowered)


class PieceReader:
    """Words to the ids of their pieces. May be shared by threads."""

    def __init__(self, tokenizer: Tokenizer, lexicon: Lexicon) -> None:
        """Takes what knows the words.

        Args:
            tokenizer: uncased WordPiece; the words of its vocabulary are known at once.
            lexicon: reads words of other languages as words that the tokenizer knows.
        """
        self._tokenizer = tokenizer
        self._lexicon = lexicon
        self._own: dict[str, tuple[int, ...]] = {
            word: (index,)
            for word, index in tokenizer.get_vocab().items()
            if word.isascii()
            and word.isalnum()
            and word == word.lower()
            and not lexicon.knows(word)
        }
        self._met: dict[str, tuple[int, ...]] = {}

    def read(self, words: list[str]) -> list[int]:
        """The ids of all pieces of ``words``, as :func:`split_words` gives them."""
        own, met = self._own, self._met
        found = [own.get(word) or met.get(word) for word in words]
        if None in found:
            strange = list({word for word, ids in zip(words, found, strict=True) if ids is None})
            pieces = self._look_up(strange)
            found = [
                pieces[word] if ids is None else ids for word, ids in zip(words, found, strict=True)
            ]
        return [index for ids in found if ids for index in ids]

    def read_english(self, words: list[str]) -> list[str]:
        """``words`` with those that only the lexicon knows in English."""
        return [
            english
            for word in words
            for english in ((word,) if word in self._own else self._lexicon.read(word))
        ]

    def _look_up(self, strange: list[str]) -> dict[str, tuple[int, ...]]:
        """The ids of words that were not met before."""
        readings = [self._lexicon.read(word) for word in strange]
        flat = [english for reading in readings for english in reading]
        owner = [row for row, reading in enumerate(readings) for _ in reading]
        encoding = self._tokenizer.encode(flat, is_pretokenized=True, add_special_tokens=False)
        gathered: list[list[int]] = [[] for _ in strange]
        for index, place in zip(encoding.ids, encoding.word_ids, strict=True):
            if place is not None:
                gathered[owner[place]].append(index)
        pieces = {word: tuple(ids) for word, ids in zip(strange, gathered, strict=True)}
        if len(self._met) + len(pieces) > _MOST_KEPT:
            self._met.clear()
        self._met.update(
            (word, ids) for word, ids in pieces.items() if ids and len(word) <= _LONGEST_KEPT
        )
        return pieces
