"""The audit says what it says it says: agreement beyond chance, likeness of texts, gaps."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_classifier.training import audit
from pointsman_classifier.training.labels import LABELS, Label
from pointsman_classifier.training.prompts import Prompt


def prompt(*labels: Label) -> Prompt:
    return Prompt("", "text", "style", "en", labels)


def toned(*names: str | None) -> Prompt:
    return prompt(*(Label({"tone": name} if name else {}) for name in names))


def test_kappa_by_hand() -> None:
    """Of fifty, 20 and 15 alike, 5 and 10 apart: 70 % agree, 50 % would by chance."""
    prompts = (
        [toned("casual", "casual")] * 20
        + [toned("casual", "formal")] * 5
        + [toned("formal", "casual")] * 10
        + [toned("formal", "formal")] * 15
    )
    held = audit.measure_agreement(prompts)["tone"]
    assert held.prompts == 50
    assert held.share == pytest.approx(0.7)
    assert held.kappa == pytest.approx(0.4)


def test_kappa_of_annotators_who_always_say_the_same_one_thing_is_one() -> None:
    assert audit.measure_agreement([toned("formal", "formal")] * 3)["tone"].kappa == 1.0


def test_only_what_both_annotators_said_counts() -> None:
    prompts = [
        toned("casual", "casual"),
        toned("casual", None),
        toned("casual"),
        toned(),
        toned("formal", "casual", "casual"),
    ]
    agreement = audit.measure_agreement(prompts)
    assert set(agreement) == {"tone"}
    assert agreement["tone"].prompts == 2
    assert agreement["tone"].share == 0.5


def test_several_steps_are_agreed_on_too() -> None:
    prompts = [
        prompt(Label({}, True), Label({}, True)),
        prompt(Label({}, False), Label({}, True)),
        prompt(Label({}, False), Label({}, False)),
        prompt(Label({}, False), Label({}, None)),
    ]
    held = audit.measure_agreement(prompts)["multi_step"]
    assert held.prompts == 3
    assert held.share == pytest.approx(2 / 3)


@settings(deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from(LABELS["tone"]), st.sampled_from(LABELS["tone"])), min_size=1
    )
)
def test_agreement_is_the_same_from_either_side(pairs: list[tuple[str, str]]) -> None:
    there = audit.measure_agreement([toned(a, b) for a, b in pairs])["tone"]
    back = audit.measure_agreement([toned(b, a) for a, b in pairs])["tone"]
    assert there.share == back.share
    assert there.kappa == pytest.approx(back.kappa)
    assert -1.0 <= there.kappa <= there.share <= 1.0


WORD = st.sampled_from(["write", "a", "Poem", "about", "the", "sea"])
TEXTS = st.lists(st.lists(WORD, min_size=1, max_size=9).map(" ".join), max_size=12)


def shingles(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    runs = {tuple(words[start : start + 3]) for start in range(len(words) - 2)}
    return runs or {tuple(words)}


@settings(deadline=None)
@given(texts=TEXTS)
def test_near_duplicates_are_all_pairs_that_are_like_enough(texts: list[str]) -> None:
    expected = {}
    for (a, first), (b, second) in combinations(enumerate(map(shingles, texts)), 2):
        likeness = len(first & second) / len(first | second)
        if likeness >= audit.NEAR:
            expected[a, b] = likeness
    found = audit.near_duplicates(texts)
    assert {(a, b): likeness for a, b, likeness in found} == pytest.approx(expected)
    assert len(found) == len(expected)
    likenesses = [likeness for _, _, likeness in found]
    assert likenesses == sorted(likenesses, reverse=True)


def test_case_and_spaces_do_not_make_a_text_another() -> None:
    texts = ["Write me a poem", "write  me a\nPOEM", "write me an ode", "hi", "HI "]
    assert audit.near_duplicates(texts) == [(0, 1, 1.0), (3, 4, 1.0)]


def test_just_alike_enough_is_alike_enough() -> None:
    """Two of four runs of three words are the same."""
    texts = ["a b c d e", "b c d e f"]
    assert audit.NEAR == 0.5
    assert audit.near_duplicates(texts) == [(0, 1, 0.5)]
    assert audit.near_duplicates(["a b c d e f", "b c d z e f"]) == []


def cell(task: str, level: str, field: str) -> Prompt:
    return prompt(Label({"task_type": task, "complexity": level, "domain": field}))


def test_empty_cells_are_those_that_no_annotator_filled() -> None:
    every = audit.empty_cells([])
    # A task of code is always of the domain code; the other four are of any.
    assert len(every) == 4 * 3 * 8 + 3
    held = cell("analysis", "high", "legal")
    rest = audit.empty_cells([held, held])
    assert set(every) - set(rest) == {("analysis", "high", "legal")}
    assert audit.empty_cells([cell(*names) for names in every]) == []


def test_a_second_annotator_fills_a_cell_too() -> None:
    first = Label({"task_type": "code", "complexity": "low", "domain": "code"})
    second = Label({"task_type": "analysis", "complexity": "low", "domain": "code"})
    rest = audit.empty_cells([prompt(first, second)])
    assert ("code", "low", "code") not in rest
    assert ("analysis", "low", "code") not in rest
