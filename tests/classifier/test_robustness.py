"""Any text at all, from any number of threads, at a bounded cost."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_classifier import Classifier, Profile
from pointsman_classifier.excerpt import Window, cut_text, cut_tokens
from pointsman_classifier.features import FEATURE_NAMES, compute_features

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=2000)
"""Lone surrogates and control characters too."""


def untimed(profile: Profile) -> Profile:
    return replace(profile, duration_s=0.0)


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT)
def test_no_text_makes_it_raise(classifier: Classifier, text: str) -> None:
    profile = classifier.classify(text)
    assert 0.0 < profile.confidence < 1.0
    assert profile.tokens >= 0


@settings(max_examples=200, deadline=None)
@given(text=ANY_TEXT)
def test_features_are_finite_and_as_many_as_their_names(text: str) -> None:
    features = compute_features(text, text)
    assert features.shape == (len(FEATURE_NAMES),)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n" * 10_000,
        "\x00" * 1000,
        "\ud800",
        "\udc00\ud800 broken \udfff",
        "a" * 1_000_000,
        "word " * 200_000,
        "🙂" * 250_000,
        "漢字" * 100_000,
        "Z̴̡͇̈́̓" * 5_000,
        "((((" * 50_000,
        "9" * 100_000,
        "\u202e\u200b\ufeff",
    ],
    ids=lambda text: f"{text[:4]!r}x{len(text)}",
)
def test_odd_texts_are_read(classifier: Classifier, text: str) -> None:
    assert classifier.classify(text).task_type.value in classifier.labels["task_type"]


def test_threads_get_the_answers_that_one_gets(classifier: Classifier) -> None:
    texts = [f"Question {n}: why does step {n % 7} fail?" + " again" * (n % 50) for n in range(200)]
    alone = [untimed(classifier.classify(text)) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = [untimed(profile) for profile in pool.map(classifier.classify, texts * 4)]
    assert together == alone * 4


def test_a_classifier_opened_twice_gives_the_same_answers(classifier: Classifier) -> None:
    text = "Compare these two offers and draft a reply."
    assert untimed(Classifier.load().classify(text)) == untimed(classifier.classify(text))


class _CountingSession:
    """Stands before the network and notes how many tokens it is given."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.lengths: list[int] = []

    def run(self, outputs: None, inputs: dict[str, Any]) -> Any:
        self.lengths.append(inputs["ids"].shape[1])
        return self.session.run(outputs, inputs)


@pytest.mark.parametrize("length", [10_000, 100_000, 1_000_000])
@pytest.mark.parametrize("unit", ["word ", "x", "漢", "{}", "\n"])
def test_the_network_is_never_given_more_than_the_window(unit: str, length: int) -> None:
    classifier = Classifier.load()
    counting = _CountingSession(classifier._session)
    classifier._session = counting
    classifier.classify(unit * (length // len(unit)))
    assert len(counting.lengths) == 1
    assert 1 <= counting.lengths[0] <= classifier._window.tokens


WINDOW = Window(head_chars=20, tail_chars=10, head_tokens=4, tail_tokens=2)


@given(text=ANY_TEXT)
def test_a_cut_keeps_the_head_the_tail_and_the_bound(text: str) -> None:
    cut = cut_text(text, WINDOW)
    assert len(cut) <= WINDOW.chars
    cut.encode("utf-8")
    if len(text) <= WINDOW.chars:
        assert len(cut) == len(text)
    elif text.isascii():
        assert cut == text[:20] + "\n" + text[-10:]


def test_tokens_are_cut_in_the_middle() -> None:
    assert cut_tokens([1, 2, 3, 4, 5, 6], WINDOW) == [1, 2, 3, 4, 5, 6]
    assert cut_tokens([1, 2, 3, 4, 5, 6, 7, 8], WINDOW) == [1, 2, 3, 4, 7, 8]
    assert cut_tokens([], WINDOW) == []


def test_nothing_is_reported_to_anybody(tmp_path: Path) -> None:
    """onnxruntime keeps a queue of usage events for its maker, unless it is told not to."""
    code = (
        "from pointsman_classifier import Classifier\n"
        "import os\n"
        "Classifier.load().classify('hello')\n"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'\n"
    )
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    kept = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], env=kept | home, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []
