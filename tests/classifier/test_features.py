"""Each feature moves as its name says, and none is ever anything but a finite number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pointsman_classifier.excerpt import cut_text
from pointsman_classifier.features import FEATURE_NAMES, compute_features
from pointsman_classifier.pieces import split_words
from pointsman_classifier.training.view import WINDOW

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=2000)
"""Lone surrogates and control characters too."""

SIGNS = st.text(alphabet="aA19 .,:?!$€%`(){}[]=+*/^\\_-\n\tiI'•≤é🙂", max_size=400)


def compute(text: str) -> dict[str, float]:
    excerpt = cut_text(text, WINDOW)
    lowered = excerpt.lower()
    values = compute_features(text, excerpt, lowered, split_words(lowered))
    assert values.dtype == np.float32
    assert values.shape == (len(FEATURE_NAMES),)
    return dict(zip(FEATURE_NAMES, values.tolist(), strict=True))


def count(text: str, name: str) -> int:
    """What a feature counted, its logarithm undone."""
    return round(math.expm1(compute(text)[name]))


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT | SIGNS)
@example("")
@example(" ")
@example("\ud800\udfff")
@example("\x00")
@example("İ" * 1000)
def test_features_are_finite_and_bounded_for_any_text(text: str) -> None:
    for name, value in compute(text).items():
        assert math.isfinite(value), name
        assert value >= 0, name
        if name.endswith("_share") and name != "non_ascii_share":
            assert value <= 1, name
        # The counts go through log1p, and a word is no longer than what is read.
        assert value <= WINDOW.chars, name


@settings(deadline=None)
@given(text=ANY_TEXT)
def test_nothing_but_its_length_is_used_of_what_was_not_read(text: str) -> None:
    head, tail = "h" * WINDOW.head_chars, "t" * WINDOW.tail_chars
    filler = "x" * len(text)
    assert compute(head + " " + text + tail) == compute(head + " " + filler + tail)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("one two three", "log_chars", 13),
        ("one two, three", "log_words", 3),
        ("a\nb\nc", "log_lines", 2),
        ("One. Two! Three? 3.5 is no end", "log_sentences", 3),
        ("Really? Yes??", "question_marks", 3),
        ("Stop!!", "exclamation_marks", 2),
        ("I have asked THREE times and it STILL fails", "shouted_words", 2),
        ("I asked A man", "shouted_words", 0),
        ("no idea. but ok. Fine. so?", "lower_case_starts", 3),
        ("run `ls` and ``cd``", "backticks", 6),
        ("def f(x):\n    return x", "code_lines", 2),
        ("SELECT name\nFROM users", "code_lines", 1),
        ('Traceback (most recent call last):\n  File "a.py", line 3', "code_lines", 2),
        ("if (x) {\n}\n#include <stdio.h>", "code_lines", 3),
        ("They import goods in a class of its own; let us return to it", "code_lines", 0),
        ("call parseInt and getElementById", "code_names", 4),
        ("open main.py with --verbose", "code_names", 2),
        ("my_name = get_value()", "code_names", 3),
        ("We met in Paris. Then we left.", "code_names", 0),
        ("x = 3 and y = (2)", "maths", 2),
        ("2 + 3, then 3 * 4", "maths", 2),
        ("\\frac{1}{2} \\sqrt{x}", "maths", 2),
        ("∫ x ≤ π", "maths", 3),
        ("three and four make seven", "maths", 0),
        ("it costs $45 or €30, or 20 dollars", "money", 3),
        ("up 4% to £ 9", "money", 2),
        ("the $ sign and the % sign", "money", 0),
        ("3 apples, 4.5 pears and 1,000 plums", "numbers", 3),
        ("- one\n- two\n* three\n1. four\n • five", "list_items", 5),
        ("first (a) this and 2) that and iii) those", "list_items", 3),
        ("well-known - and so on", "list_items", 0),
        ("Pick one:\nA. red\nB) blue\n(C) green\nD: none", "choices", 4),
        ("A red house and B blue", "choices", 0),
        ("red, green, blue", "commas", 2),
        ("note: this: that", "colons", 2),
        ("one\n\ntwo\n\nthree", "paragraphs", 2),
        ("I need it in 20 minutes", "soon_patterns", 1),
        ("due by noon, or before 5pm", "soon_patterns", 2),
        ("within the next two hours; only half an hour", "soon_patterns", 2),
        ("in two years, by the river", "soon_patterns", 0),
        ("Write 800 words, or a page; at most 3-paragraph texts", "asked_lengths", 3),
        ("two pages of a 1,200-word essay", "asked_lengths", 2),
        ("mark my words on that page", "asked_lengths", 0),
        ("sooo goood!!! wait...", "stretched_letters", 4),
        ("see the good book", "stretched_letters", 0),
        ("i think i'm late and i know", "lone_lower_case_i", 3),
        ("I think so", "lone_lower_case_i", 0),
    ],
)
def test_counts_are_of_what_their_names_say(text: str, name: str, expected: int) -> None:
    assert count(text, name) == expected


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("abcd ef", "mean_word_length", 3.0),
        ("a1b2", "digit_share", 0.5),
        ("aBcD", "upper_share", 0.5),
        ("ab.,", "punctuation_share", 0.5),
        ("abé漢", "non_ascii_share", 0.5),
        ("f(x)[0]", "bracket_share", 4 / 7),
        ("Is it so?  ", "ends_with_question", 1.0),
        ("Is it so? Yes", "ends_with_question", 0.0),
        ("hello there", "no_capital_at_all", 1.0),
        ("Hello there", "no_capital_at_all", 0.0),
        ("fix this", "ends_without_stop", 1.0),
        ("fix this!\n", "ends_without_stop", 0.0),
        ("How many are left", "first_word_asks", 1.0),
        ("Tell me how many", "first_word_asks", 0.0),
        ("the cat the dog", "distinct_share", 0.75),
        ("incomprehensible word", "long_word_share", 0.5),
    ],
)
def test_shares_and_signs_are_what_their_names_say(text: str, name: str, expected: float) -> None:
    assert compute(text)[name] == pytest.approx(expected)


def test_mean_sentence_length_is_in_words() -> None:
    assert count("One two three. Four five six.", "mean_sentence_length") == 3


def test_every_feature_has_its_own_name_and_some_text_that_moves_it() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
    plain = compute("a")
    rich = compute(
        "Why is X?! it's THE 3rd $5 café `f()` in 10 minutes:\n\nA. x = 2\n- 20 words, sooo "
        "extraordinary... i think\nimport my_name\nif (x) { y } tell me"
    )
    unmoved = {name for name in FEATURE_NAMES if rich[name] == plain[name]}
    assert unmoved == {"ends_with_question", "ends_without_stop"}
    assert compute("a?")["ends_with_question"] != plain["ends_with_question"]
    assert compute("a.")["ends_without_stop"] != plain["ends_without_stop"]


def test_a_long_text_is_taken_to_go_on_as_it_was_where_it_was_read() -> None:
    text = "Nobody knows what it was. " * 4000
    assert count(text, "log_chars") == pytest.approx(len(text), rel=1e-3)
    assert count(text, "log_words") == pytest.approx(20_000, rel=0.05)
    assert count(text, "log_sentences") == pytest.approx(4000, rel=0.05)
