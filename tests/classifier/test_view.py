"""Training is shown texts exactly as serving is: what is learned is what will be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_classifier import Classifier
from pointsman_classifier.lexicon import Lexicon
from pointsman_classifier.training.prompts import Prompt
from pointsman_classifier.training.view import WINDOW, in_english, look_at
from small_networks import LEXICON_JSON, make_tokenizer

TOKENIZER = make_tokenizer()
LEXICON = Lexicon.from_json(LEXICON_JSON)


@pytest.fixture(scope="module")
def small(small_model: Path) -> Classifier:
    return Classifier.load(small_model)


def check(small: Classifier, texts: Sequence[str]) -> None:
    views = look_at(texts, TOKENIZER, LEXICON)
    for text, ids, features in zip(texts, views.ids, views.features, strict=True):
        inputs = small.view(text).inputs
        assert inputs["ids"].tolist() == [ids]
        np.testing.assert_array_equal(inputs["features"], features[np.newaxis])
        assert 1 <= len(ids) <= WINDOW.tokens


def test_prompts_are_seen_alike(small: Classifier, some_prompts: Sequence[Prompt]) -> None:
    check(small, [prompt.text for prompt in some_prompts])


@settings(deadline=None, max_examples=100)
@given(texts=st.lists(st.text(max_size=1500), min_size=1, max_size=3))
def test_any_texts_are_seen_alike(small: Classifier, texts: list[str]) -> None:
    check(small, texts)


def test_another_tokenizer_is_given_the_words_in_english() -> None:
    texts = ["Bitte SCHREIBE über Forelle!", "何 trout?", "the " * 400 + "Forelle"]
    first, second, third = in_english(texts, TOKENIZER, LEXICON, WINDOW)
    assert first == "please write me über trout !"
    assert second == "what trout ?"
    assert third.endswith("the trout")
    assert len(third) < WINDOW.chars + 10
