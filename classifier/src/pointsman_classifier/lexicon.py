"""Reads words of other languages as English ones.

The network's words are English, and a few thousand prompts in two dozen languages cannot teach it
those of the others. But the words by which one asks for something, and those that name a field, are
few: a small lexicon turns them into English before the network sees them. The rest of a sentence it
leaves as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Final

UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Signs of scripts that put no spaces between words: Thai and Lao, kana, Chinese characters."""

_SPACED = re.compile(f"[^{UNSPACED.pattern[1:-1]}]+")
"""A word of another script amid such signs, as in 用python写: it stays whole."""

_SHORTEST_STEM: Final = 3


class Lexicon:
    """Forms of other languages and their English readings."""

    def __init__(
        self, words: Mapping[str, str], stems: Mapping[str, str], signs: Mapping[str, str]
    ) -> None:
        """Takes what :meth:`from_json` reads.

        Args:
            words: whole words, in lower case.
            stems: beginnings of words.
            signs: words of scripts that put no spaces between them.
        """
        # some hundred readings serve tens of thousands of forms: each is kept once
        read = cache(lambda english: tuple(english.split()))
        self._words = {form: read(english) for form, english in words.items()}
        self._stems = {form: read(english) for form, english in stems.items()}
        self._signs = {form: read(english) for form, english in signs.items()}
        self._longest_stem = max(map(len, stems), default=0)
        self._longest_sign = max(map(len, signs), default=0)

    @classmethod
    def from_json(cls, content: str) -> Lexicon:
        """From an object with ``words``, ``stems`` and ``signs``, each of form -> English."""
        held = json.loads(content)
        return cls(held["words"], held["stems"], held["signs"])

    def knows(self, word: str) -> bool:
        """Whether ``word`` as a whole is read as another."""
        return word in self._words

    def read(self, word: str) -> tuple[str, ...]:
        """The English words for ``word``, which is in lower case; itself where it is not known."""
        known = self._words.get(word)
        if known is not None:
            return known
        if UNSPACED.search(word):
            return self._read_signs(word)
        for length in range(min(len(word), self._longest_stem), _SHORTEST_STEM - 1, -1):
            known = self._stems.get(word[:length])
            if known is not None:
                return known
        return (word,)

    def _read_signs(self, run: str) -> tuple[str, ...]:
        """The longest known word at each place; signs that begin none stand for themselves."""
        read: list[str] = []
        place = 0
        while place < len(run):
            for length in range(min(self._longest_sign, len(run) - place), 0, -1):
                known = self._signs.get(run[place : place + length])
                if known is not None:
                    read += known
                    break
            else:
                spaced = _SPACED.match(run, place)
                length = spaced.end() - place if spaced else 1
                read.append(run[place : place + length])
            place += length
        return tuple(read)
