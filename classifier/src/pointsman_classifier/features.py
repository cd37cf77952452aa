"""Hand-made features: what a bag of word vectors cannot see, or would need much data to learn.

They are of three kinds: how much text there is (over its whole length), what its characters look
like, and how many cues of each family it holds (both over the excerpt). Counts go through log1p,
so that no text, however odd, sends the network far from what it was trained on.
"""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman_classifier.cues import FAMILIES, FAMILIES_BY_WORD, PHRASES, QUESTION_WORDS, STAGES

_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_UPPER_WORD = re.compile(r"\b[A-Z]{2,}\b")
_LOWER_START = re.compile(r"(?:^|[.!?]\s+)[a-z]")
_LIST_ITEM = re.compile(r"^[ \t]*(?:[-*•]|\(?\d{1,2}[.)]|\(?[a-h]\))\s", re.MULTILINE)
_INLINE_ITEM = re.compile(r"(?:^|[\s;,:])\(?(?:\d|[a-e]|i{1,3}|iv)\)\s")
_CHOICE = re.compile(r"^[ \t]*\(?[A-E][.):]\s", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_SOON = re.compile(
    r"\b(?:in|within|next|under|only|have|got|by|before|at|until|till)\s+(?:the\s+next\s+|about\s+)?"
    r"(?:\d{1,2}(?::\d\d)?\s?(?:m|min|mins|minutes?|h|hrs?|hours?|am|pm|o'clock)\b"
    r"|(?:an|one|two|half\s+an|forty|thirty|twenty|ten|five)\s+(?:hours?|minutes)\b"
    r"|(?:eod|cob|noon|tonight|midnight|today)\b)"
)
_CODE_LINE = re.compile(
    r"^[ \t]*(?:def |class |import |from \w+ import|return\b|if \(|for \(|while \(|func |fn |let "
    r"|const |var |public |private |#include|select\b|update\b|insert\b|create\b|with \w+ as|\$ "
    r"|@\w+|at \S+\(|traceback|file \"|<\w+|\}|\{)",
    re.MULTILINE,
)
_CODE_NAME = re.compile(
    r"\w\(\)|\w_\w|[a-z][A-Z]|\w\.\w+\(|--\w|\w\.(?:py|js|ts|go|rs|sql|ya?ml|json|sh|java)\b"
)
_MATHS = re.compile(
    r"\\(?:frac|int|sum|sqrt|lim|mathbb|le|ge)|[∫∑√≤≥∈∀∃π^]"
    r"|\b[a-z]\s?=\s?[-\d(a-z]|\bmod\b|\d\s?[+*/]\s?\d"
)
_MONEY = re.compile(r"[$€£¥]\s?\d|\d\s?(?:usd|eur|gbp|dollars|euros|%)")
_ASKED_LENGTH = re.compile(
    r"\d[\d,.]{0,6}[- ]?(?:words?|pages?|paragraphs?|sentences?)\b"
    r"|\b(?:one|two|three|half an?|a) (?:page|paragraph|pages|paragraphs)\b"
)
_STRETCHED = re.compile(r"([a-z!?.])\1\1")
_LONE_I = re.compile(r"\bi\b(?!\.)")
_UPPER = re.compile(r"[A-Z]")
_DIGIT = re.compile(r"\d")
_PUNCTUATION = re.compile(r"[.,:;!?'\"-]")
_BRACKET = re.compile(r"[{}()\[\]<>;=]")
_LONG_WORD = 9
"""Letters that make a word long."""

_PHRASE_WORTH = 2.0

SHAPE_NAMES: Final = (
    "log_chars",
    "log_words",
    "log_lines",
    "log_sentences",
    "mean_word_length",
    "mean_sentence_length",
    "digit_share",
    "upper_share",
    "punctuation_share",
    "non_ascii_share",
    "question_marks",
    "ends_with_question",
    "exclamation_marks",
    "shouted_words",
    "lower_case_starts",
    "no_capital_at_all",
    "ends_without_stop",
    "backticks",
    "bracket_share",
    "code_lines",
    "code_names",
    "maths",
    "money",
    "numbers",
    "list_items",
    "choices",
    "commas",
    "colons",
    "paragraphs",
    "soon_patterns",
    "first_word_asks",
    "distinct_share",
    "long_word_share",
    "asked_lengths",
    "stretched_letters",
    "lone_lower_case_i",
    "stages",
)
FEATURE_NAMES: Final = SHAPE_NAMES + tuple(f"cue_{family}" for family in FAMILIES)
"""What each number in the vector means, in order."""


def compute_features(text: str, excerpt: str) -> NDArray[np.float32]:
    """The features of a text as a float32 vector of shape ``(len(FEATURE_NAMES),)``.

    Never raises, for any two strings.

    Args:
        text: the whole text, of which only the length is used.
        excerpt: what :func:`pointsman_classifier.excerpt.cut_text` left of it.
    """
    lowered = excerpt.lower()
    words = _WORD.findall(lowered)
    counts = _count_cues(lowered, words)
    stages = sum(counts[family] > 0 for family in STAGES)
    values = [
        *_measure_size(text, excerpt, words),
        *_measure_characters(excerpt),
        *_measure_patterns(excerpt, lowered),
        *_measure_words(excerpt, lowered, words),
        float(stages),
        *map(math.log1p, counts),
    ]
    return np.array(values, dtype=np.float32)


def _measure_size(text: str, excerpt: str, words: list[str]) -> list[float]:
    # What was cut away is taken to be like what was kept.
    scale = max(len(text) / max(len(excerpt), 1), 1.0)
    sentences = len(_SENTENCE_END.findall(excerpt))
    return [
        math.log1p(len(text)),
        math.log1p(len(words) * scale),
        math.log1p(excerpt.count("\n") * scale),
        math.log1p(sentences * scale),
        sum(map(len, words)) / max(len(words), 1),
        math.log1p(len(words) / max(sentences, 1)),
    ]


def _measure_characters(excerpt: str) -> list[float]:
    chars = max(len(excerpt), 1)
    upper = len(_UPPER.findall(excerpt))
    foreign = 0 if excerpt.isascii() else sum(char > "\x7f" for char in excerpt)
    stripped = excerpt.rstrip()
    return [
        len(_DIGIT.findall(excerpt)) / chars,
        upper / chars,
        len(_PUNCTUATION.findall(excerpt)) / chars,
        foreign / chars,
        math.log1p(excerpt.count("?")),
        float(stripped.endswith("?")),
        math.log1p(excerpt.count("!")),
        math.log1p(len(_UPPER_WORD.findall(excerpt))),
        math.log1p(len(_LOWER_START.findall(excerpt))),
        float(upper == 0),
        float(not stripped.endswith((".", "?", "!"))),
        math.log1p(excerpt.count("`")),
        len(_BRACKET.findall(excerpt)) / chars,
    ]


def _measure_patterns(excerpt: str, lowered: str) -> list[float]:
    items = len(_LIST_ITEM.findall(excerpt)) + len(_INLINE_ITEM.findall(excerpt))
    return [
        math.log1p(len(_CODE_LINE.findall(lowered))),
        math.log1p(len(_CODE_NAME.findall(excerpt))),
        math.log1p(len(_MATHS.findall(lowered))),
        math.log1p(len(_MONEY.findall(lowered))),
        math.log1p(len(_NUMBER.findall(excerpt))),
        math.log1p(items),
        math.log1p(len(_CHOICE.findall(excerpt))),
        math.log1p(excerpt.count(",")),
        math.log1p(excerpt.count(":")),
        math.log1p(excerpt.count("\n\n")),
        math.log1p(len(_SOON.findall(lowered))),
    ]


def _measure_words(excerpt: str, lowered: str, words: list[str]) -> list[float]:
    count = max(len(words), 1)
    return [
        float(bool(words) and words[0] in QUESTION_WORDS),
        len(set(words)) / count,
        sum(len(word) >= _LONG_WORD for word in words) / count,
        math.log1p(len(_ASKED_LENGTH.findall(lowered))),
        math.log1p(len(_STRETCHED.findall(lowered))),
        math.log1p(len(_LONE_I.findall(excerpt))),
    ]


def _count_cues(lowered: str, words: list[str]) -> list[float]:
    """How often each family is hinted at; a phrase says more than a word."""
    counts = [0.0] * len(FAMILIES)
    for word in words:
        for family in FAMILIES_BY_WORD.get(word, ()):
            counts[family] += 1.0
    for family, phrases in PHRASES:
        counts[family] += _PHRASE_WORTH * sum(phrase in lowered for phrase in phrases)
    return counts
