"""Texts that are made of others: as many as asked for, of a size, and the same for a seed."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_classifier.training.mixing import bags, documents, mix

TEXTS = [
    "Write a haiku. Make it sad! Then, translate it into German?",
    "Why does this fail?\n\ndef f(x):\n    return x\n\nI need it today.",
    "Compare these two offers and say which is better.",
]

SOURCES = st.lists(
    st.text(alphabet="abc .!?\n", max_size=60).map(lambda text: text + " long enough words here"),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(texts=SOURCES, count=st.integers(0, 40), seed=st.integers(0, 5))
def test_as_many_as_asked_for_and_of_a_size(texts: list[str], count: int, seed: int) -> None:
    made = mix(texts, count, seed)
    assert len(made) == count
    assert all(8 <= len(text) <= 1400 for text in made)
    assert all(text == text.strip() for text in made)
    assert mix(texts, count, seed) == made


def test_another_seed_gives_other_texts() -> None:
    assert mix(TEXTS, 50, 1) != mix(TEXTS, 50, 2)


def test_no_word_is_made_up() -> None:
    words = {word for text in TEXTS for word in text.split()}
    assert {word for text in mix(TEXTS, 300, 0) for word in text.split()} <= words


def test_there_are_crops_joins_and_words_thrown_together() -> None:
    sentences = [re.split(r"(?<=[.!?])\s+|\n+", text) for text in TEXTS]
    kinds: Counter[str] = Counter()
    for made in mix(TEXTS, 400, 0):
        sources = [sum(part in made for part in held) for held in sentences]
        left = made
        for part in (part for held in sentences for part in held):
            left = left.replace(part, "")
        if left.strip():
            kinds["thrown"] += 1
        else:
            kinds["joined" if sum(count > 0 for count in sources) > 1 else "cropped"] += 1
    assert min(kinds[kind] for kind in ("cropped", "joined", "thrown")) > 60


def test_words_thrown_together_are_partly_another_s() -> None:
    texts = [" ".join(f"{name}{n}" for n in range(30)) for name in ("left", "right")]
    lost = strange = 0
    for made in mix(texts, 200, 0):
        words = made.split()
        if len(words) in (30, 60) and made in (*texts, " ".join(texts), " ".join(texts[::-1])):
            continue
        sides = Counter(word.rstrip("0123456789") for word in words)
        lost += len(words) < 30
        # A join has both sides in full; among thrown words the other side's are few.
        strange += 0 < min(sides["left"], sides["right"]) < 15
    assert lost > 10
    assert strange > 10


def test_long_texts_are_cut() -> None:
    made = mix([". ".join(f"sentence number {n}" for n in range(500))], 30, 0)
    assert max(map(len, made)) == pytest.approx(1400, abs=5)


def test_bags_hold_words_that_lie_near_each_other_and_few_strangers() -> None:
    rng = np.random.default_rng(0)
    words = [f"{'left' if row < 60 else 'right'}{row}" for row in range(120)]
    middles = np.array([[5.0, 0, 0]] * 60 + [[-5.0, 0, 0]] * 60)
    vectors = (middles + rng.normal(0, 1, (120, 3))).astype(np.float32)
    made = bags(words, vectors, 200, 0)
    assert len(made) == 200
    assert made == bags(words, vectors, 200, 0)
    assert made != bags(words, vectors, 200, 1)
    strangers = []
    for bag in made:
        held = bag.split()
        assert set(held) <= set(words)
        assert 3 <= len(held) <= 11
        lefts = sum(word.startswith("left") for word in held)
        strangers.append(min(lefts, len(held) - lefts))
    assert max(strangers) <= 2
    assert 0 < sum(strangers) < 200


def test_bags_go_by_angle_and_not_by_length() -> None:
    words = [f"w{row}" for row in range(100)]
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    stretched = circle * np.linspace(1, 50, 100, dtype=np.float32)[:, None]
    assert bags(words, circle, 30, 3) == bags(words, stretched, 30, 3)


LONG = [
    "Here is the report. The pump was replaced in the spring of last year. The valve was left as "
    "it was for the time being. Is it tight? Say what remains to be done.",
    "Short ask, please.",
    "x" * 400,
]


@given(seed=st.integers(0, 50))
def test_a_document_stands_before_or_after_the_text_that_it_asks(seed: int) -> None:
    for made, row in documents(LONG, 20, seed):
        ask = LONG[row]
        assert len(ask) <= 300
        assert made.startswith(f"{ask}\n\n") or made.endswith(f"\n\n{ask}")
        context = made.removeprefix(f"{ask}\n\n").removesuffix(f"\n\n{ask}")
        assert len(context) >= 500
        assert "pump" in context
        assert "?" not in context
        assert "Say what remains" not in context


def test_documents_are_the_same_for_a_seed_and_come_on_either_side() -> None:
    made = documents(LONG, 50, 3)
    assert made == documents(LONG, 50, 3)
    assert made != documents(LONG, 50, 4)
    assert 0 < sum(text.endswith(LONG[row]) for text, row in made) < 50


@pytest.mark.parametrize("texts", [[], ["No middle here."], ["x" * 400]])
def test_without_a_document_or_an_ask_nothing_is_made(texts: list[str]) -> None:
    assert documents(texts, 5, 0) == []
