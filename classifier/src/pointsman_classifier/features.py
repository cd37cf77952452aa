"""Hand-made features: what a bag of word vectors cannot see, or would need much data to learn.

They say how much text there is (over its whole length), what its characters look like, and which
patterns of code, mathematics, money, time and demand stand in the excerpt. Counts go through
log1p, so that no text, however odd, sends the network far from what it was trained on.

A pattern is only searched for where a sign that it cannot do without is there: the regular
expressions cost more than all the rest, and most texts hold few of the signs.
"""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

_LOWER_START = re.compile(r"(?:^|[.!?]\s+)[a-z]")
_LIST_ITEM = re.compile(r"^[ \t]*(?:[-*•]|\(?\d{1,2}[.)]|\(?[a-h]\))\s", re.MULTILINE)
_INLINE_ITEM = re.compile(r"(?<![\w)\n])(?!^)\(?(?:\d|[a-e]|i{1,3}|iv)\)\s")
_CHOICE = re.compile(r"^[ \t]*\(?[A-E][.):]\s", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_SHOUTED = re.compile(r"\b[A-Z]{2,}\b")
_SOON = re.compile(
    r"\b(?:in|within|next|under|only|have|got|by|before|at|until|till)\s+(?:the\s+next\s+|about\s+)?"
    r"(?:\d{1,2}(?::\d\d)?\s?(?:m|min|mins|minutes?|h|hrs?|hours?|am|pm|o'clock)\b"
    r"|(?:an|one|two|half\s+an|forty|thirty|twenty|ten|five)\s+(?:hours?|minutes)\b"
    r"|(?:eod|cob|noon|tonight|midnight|today)\b)"
)
_CODE_LINE = re.compile(
    r"^[ \t]*(?:def |class |import \w+(?:$|[.;,]| as )|from \w+ import|return\b|if \(|for \("
    r"|while \(|func |fn |let |const |var |public |private |#include|select\b|update\b|insert\b"
    r"|create\b|with \w+ as|\$ "
    r"|@\w+|at \S+\(|traceback|file \"|<\w+|\}|\{)",
    re.MULTILINE,
)
_CODE_NAME = re.compile(
    r"\(\)|_\w|\.\w+\(|--\w|\.(?:py|js|ts|go|rs|sql|ya?ml|json|sh|java|cpp|html|css)\b"
)
_EQUATION = re.compile(r"\b[a-z]\s?=\s?[-\d(a-z]")
_OPERATION = re.compile(r"\d\s?[+*/^]\s?\d")
_MATHS_SIGN = re.compile(r"\\(?:frac|int|sum|sqrt|lim|mathbb|le|ge)|[∫∑√≤≥∈∀∃π^]")
_MONEY = re.compile(r"[$€£¥]\s?\d|\d\s?(?:usd|eur|gbp|dollars|euros|%)")
_ASKED_LENGTH = re.compile(
    r"\d[\d,.]{0,6}[- ]?(?:words?|pages?|paragraphs?|sentences?)\b"
    r"|\b(?:one|two|three|half an?|a) (?:page|paragraph|pages|paragraphs)\b"
)
_STRETCHED = re.compile(r"([a-z!?.])\1\1")

_UNITS_OF_TEXT: Final = ("word", "page", "paragraph", "sentence")
_QUESTION_WORDS: Final = frozenset(
    [
        *("what", "who", "when", "where", "which", "how", "why"),
        *("is", "are", "was", "were", "do", "does", "did", "can", "should"),
    ]
)
_LONG_WORD: Final = 9
"""Letters that make a word long."""

_COUNTED: Final = ("?", "!", ",", ":", "`", "\n", "%")
_CLASSES: Final = {
    "digit": "0123456789",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "lower": "abcdefghijklmnopqrstuvwxyz",
    "punctuation": ".,:;!?'\"-",
    "bracket": "{}()[]<>;=",
    "operator": "+*/^",
    "money": "$%",
    **{sign: sign for sign in _COUNTED},
}


def _class_table() -> NDArray[np.float32]:
    """Which byte is of which class, 0/1 of shape (256, classes + 1).

    The last column is of what starts a character beyond ASCII in UTF-8.
    """
    table = np.zeros((256, len(_CLASSES) + 1), np.float32)
    for column, signs in enumerate(_CLASSES.values()):
        table[list(signs.encode()), column] = 1
    table[0xC0:, -1] = 1
    return table


_CLASS_TABLE: Final = _class_table()

FEATURE_NAMES: Final = (
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
)
"""What each number in the vector means, in order."""


def compute_features(
    text: str, excerpt: str, lowered: str, words: list[str]
) -> NDArray[np.float32]:
    """The features of a text as a float32 vector of shape ``(len(FEATURE_NAMES),)``.

    Never raises, for any strings that belong together.

    Args:
        text: the whole text, of which only the length is used.
        excerpt: what :func:`pointsman_classifier.excerpt.cut_text` left of it.
        lowered: the excerpt in lower case.
        words: its words and signs, by :func:`pointsman_classifier.pieces.split_words`.
    """
    content = excerpt.encode("utf-8", "surrogatepass")
    held = np.bincount(np.frombuffer(content, np.uint8), minlength=256) @ _CLASS_TABLE
    signs = dict(zip((*_CLASSES, "beyond"), held.tolist(), strict=True))
    real = [word for word in words if len(word) > 1 or word.isalnum()]
    chars = max(len(excerpt), 1)
    count = max(len(real), 1)
    # What was cut away is taken to be like what was kept.
    scale = max(len(text) / chars, 1.0)
    sentences = len(_SENTENCE_END.findall(excerpt))
    stripped = excerpt.rstrip()
    letters = sum(map(len, real))
    values = (
        math.log1p(len(text)),
        math.log1p(len(real) * scale),
        math.log1p(signs["\n"] * scale),
        math.log1p(sentences * scale),
        letters / count,
        math.log1p(len(real) / max(sentences, 1)),
        signs["digit"] / chars,
        signs["upper"] / chars,
        signs["punctuation"] / chars,
        signs["beyond"] / chars,
        math.log1p(signs["?"]),
        float(stripped.endswith("?")),
        math.log1p(signs["!"]),
        math.log1p(len(_SHOUTED.findall(excerpt)) if signs["upper"] > 1 else 0),
        math.log1p(len(_LOWER_START.findall(excerpt))),
        float(signs["upper"] == 0),
        float(not stripped.endswith((".", "?", "!"))),
        math.log1p(signs["`"]),
        signs["bracket"] / chars,
        math.log1p(len(_CODE_LINE.findall(lowered))),
        math.log1p(len(_CODE_NAME.findall(lowered)) + _count_camels(content)),
        math.log1p(_count_maths(lowered, signs)),
        math.log1p(_count_money(lowered, signs)),
        math.log1p(len(_NUMBER.findall(excerpt)) if signs["digit"] else 0),
        math.log1p(_count_items(excerpt, lowered)),
        math.log1p(len(_CHOICE.findall(excerpt))),
        math.log1p(signs[","]),
        math.log1p(signs[":"]),
        math.log1p(excerpt.count("\n\n")),
        math.log1p(len(_SOON.findall(lowered))),
        float(bool(real) and real[0] in _QUESTION_WORDS),
        len(set(real)) / count,
        sum(len(word) >= _LONG_WORD for word in real) / count,
        math.log1p(_count_asked_lengths(lowered)),
        math.log1p(len(_STRETCHED.findall(lowered))),
        math.log1p(_count_lone_i(excerpt)),
    )
    return np.array(values, dtype=np.float32)


def _count_camels(content: bytes) -> int:
    """How often a capital follows a small letter, as in ``camelCase``."""
    codes = np.frombuffer(content, np.uint8)
    small = (codes >= 97) & (codes <= 122)
    capital = (codes >= 65) & (codes <= 90)
    return int(np.count_nonzero(small[:-1] & capital[1:]))


def _count_maths(lowered: str, signs: dict[str, float]) -> int:
    found = len(_EQUATION.findall(lowered)) if "=" in lowered else 0
    if signs["operator"]:
        found += len(_OPERATION.findall(lowered))
    if signs["beyond"] or "\\" in lowered or "^" in lowered:
        found += len(_MATHS_SIGN.findall(lowered))
    return found


def _count_money(lowered: str, signs: dict[str, float]) -> int:
    return len(_MONEY.findall(lowered)) if signs["digit"] else 0


def _count_items(excerpt: str, lowered: str) -> int:
    found = len(_LIST_ITEM.findall(excerpt))
    return found + len(_INLINE_ITEM.findall(lowered)) if ")" in excerpt else found


def _count_asked_lengths(lowered: str) -> int:
    if not any(unit in lowered for unit in _UNITS_OF_TEXT):
        return 0
    return len(_ASKED_LENGTH.findall(lowered))


def _count_lone_i(excerpt: str) -> int:
    return excerpt.count(" i ") + excerpt.count(" i'") + excerpt.startswith(("i ", "i'"))
