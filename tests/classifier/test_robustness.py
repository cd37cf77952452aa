"""Any text at all, from any number of threads, at a bounded cost."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pointsman_classifier import Classifier, Profile
from pointsman_classifier import classifier as classifier_module
from pointsman_classifier.excerpt import Window, cut_text, cut_tokens
from pointsman_classifier.pieces import PieceReader

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=2000)
"""Lone surrogates and control characters too."""

LONG = {
    "ten million of one letter": ("a", 10_000_000),
    "ten million of one letter beyond ASCII": ("é", 10_000_000),
    "two million words": ("word ", 2_000_000),
    "null bytes": ("\x00", 1_000_000),
    "lines": ("\n", 1_000_000),
    "emoji": ("🙂", 1_000_000),
    "emoji joined": ("👩‍👩‍👧‍👦", 100_000),
    "flags": ("🇩🇪", 200_000),
    "Chinese": ("漢字", 500_000),
    "Thai": ("ภาษาไทย", 100_000),
    "accents heaped up": ("Z̴̡͇̈́̓", 100_000),
    "accents alone": ("\u0301", 1_000_000),
    "brackets": ("((((", 250_000),
    "digits": ("9", 1_000_000),
    "points": ("1.", 500_000),
    "quotes": ("'\"`", 300_000),
    "controls": ("".join(map(chr, range(32))), 30_000),
    "marks of direction": ("\u202e\u200b\ufeff\u200f", 250_000),
    "lone surrogates": ("\ud800", 1_000_000),
    "mixed scripts": ("Привет שלום नमस्ते สวัสดี 你好 hello مرحبا γειά 안녕 ", 20_000),
    "deadlines": ("in the next ", 90_000),
    "words that never end": ("a_", 500_000),
}


def make(name: str) -> str:
    unit, count = LONG[name]
    return unit * count


def untimed(profile: Profile) -> Profile:
    return replace(profile, duration_s=0.0)


def check(profile: Profile) -> None:
    for reading in (
        profile.task_type,
        profile.complexity,
        profile.urgency,
        profile.domain,
        profile.tone,
    ):
        assert 0.0 < reading.confidence <= 1.0
        assert math.isclose(sum(score for _, score in reading.scores), 1.0, abs_tol=1e-6)
    assert 0.0 < profile.confidence < 1.0
    assert 0.0 <= profile.complexity_score <= 1.0
    assert 0.0 <= profile.multi_step <= 1.0
    assert 1 <= profile.output_tokens <= 2**15
    assert profile.tokens >= 0


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT)
@example("")
@example(" ")
@example("\ud800")
@example("\udc00\ud800 broken \udfff")
@example("\u202e\u200b\ufeff")
@example("\x00")
@example("İ" * 700)
def test_no_text_makes_it_raise(classifier: Classifier, text: str) -> None:
    check(classifier.classify(text))


@pytest.mark.parametrize("name", LONG)
def test_long_and_odd_texts_are_read(classifier: Classifier, name: str) -> None:
    text = make(name)
    profile = classifier.classify(text)
    check(profile)
    assert profile.truncated
    assert profile.tokens <= len(text) * 2


def test_threads_get_the_answers_that_one_gets(classifier: Classifier) -> None:
    texts = [f"Question {n}: why does step {n % 7} fail?" + " again" * (n % 50) for n in range(200)]
    alone = [untimed(classifier.classify(text)) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = [untimed(profile) for profile in pool.map(classifier.classify, texts * 4)]
    assert together == alone * 4


def test_a_classifier_opened_twice_gives_the_same_answers(classifier: Classifier) -> None:
    text = "Compare these two offers and draft a reply."
    assert untimed(Classifier.load().classify(text)) == untimed(classifier.classify(text))


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(ANY_TEXT, min_size=2, max_size=4))
def test_what_was_read_before_changes_no_answer(classifier: Classifier, texts: list[str]) -> None:
    first = [untimed(classifier.classify(text)) for text in texts]
    again = [untimed(classifier.classify(text)) for text in reversed(texts)]
    assert again == first[::-1]


class _Untouchable(str):
    """A text of which nothing is taken but its length and slices: all else costs by its length."""

    __slots__ = ()


def _refuse(*given: object) -> NoReturn:
    raise AssertionError("the whole text was touched")


for _name in (
    *("__iter__", "__contains__", "__hash__", "__add__", "__eq__", "encode", "lower", "casefold"),
    *("split", "splitlines", "strip", "rstrip", "isascii", "translate", "replace", "count"),
    *("find", "startswith", "endswith"),
):
    setattr(_Untouchable, _name, _refuse)


@pytest.mark.parametrize("name", LONG)
def test_no_more_work_is_done_than_for_the_window(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever the length: neither characters nor pieces beyond the window are looked at."""
    window = classifier._window
    lengths: dict[str, int] = {}

    def note(part: str, whole: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*given: Any) -> Any:
            held = [one for one in given if isinstance(one, str | list) and one is not text]
            lengths[part] = max(len(one) for one in held)
            return whole(*given)

        return noted

    for part in ("split_words", "compute_features"):
        whole = getattr(classifier_module, part)
        monkeypatch.setattr(classifier_module, part, note(part, whole))
    text = _Untouchable(make(name))
    inputs = classifier.view(text).inputs
    # In lower case some letters are two.
    assert lengths["split_words"] <= 2 * window.chars
    assert lengths["compute_features"] <= 2 * window.chars
    assert 1 <= inputs["ids"].shape[1] <= window.tokens
    assert inputs["features"].nbytes < 1000


def test_the_network_runs_once_a_prompt(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting:
        """Stands before the network and notes how many pieces it is given."""

        def __init__(self) -> None:
            self.lengths: list[int] = []

        def run(self, outputs: list[str] | None, inputs: dict[str, Any]) -> Any:
            self.lengths.append(inputs["ids"].shape[1])
            return session.run(outputs, inputs)

    session, counting = classifier._session, Counting()
    monkeypatch.setattr(classifier, "_session", counting)
    for text in ("", "hello", "word " * 100_000):
        classifier.classify(text)
    assert counting.lengths == [1, 1, classifier._window.tokens]


def test_words_met_do_not_fill_the_memory(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman_classifier.pieces._MOST_KEPT", 500)
    reader: PieceReader = classifier._pieces
    monkeypatch.setattr(reader, "_met", {})
    for start in range(0, 4000, 50):
        classifier.classify(" ".join(f"qz{n}" for n in range(start, start + 50)))
    assert 400 < len(reader._met) <= 500


WINDOW = Window(head_chars=20, tail_chars=10, head_tokens=4, tail_tokens=2)


@settings(deadline=None)
@given(text=ANY_TEXT)
def test_a_cut_keeps_the_head_the_tail_and_the_bound(text: str) -> None:
    cut = cut_text(text, WINDOW)
    assert len(cut) <= WINDOW.chars
    cut.encode("utf-8")
    if len(text) <= WINDOW.chars:
        assert len(cut) == len(text)
    elif text.isascii():
        assert cut == text[:20] + "\n" + text[-10:]


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    assert cut_text("a\ud800b\udfff🙂", WINDOW) == "a\ufffdb\ufffd🙂"


def test_tokens_are_cut_in_the_middle() -> None:
    assert cut_tokens([1, 2, 3, 4, 5, 6], WINDOW) == [1, 2, 3, 4, 5, 6]
    assert cut_tokens([1, 2, 3, 4, 5, 6, 7, 8], WINDOW) == [1, 2, 3, 4, 7, 8]
    assert cut_tokens([], WINDOW) == []


def test_what_the_network_gives_is_finite_for_the_oddest_inputs(classifier: Classifier) -> None:
    inputs = classifier.view("hello").inputs
    for factor in (0.0, -1e6, 1e6):
        inputs["features"] = np.full_like(inputs["features"], factor)
        assert np.isfinite(classifier.run(inputs, "outputs")).all()


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
