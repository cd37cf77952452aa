"""The card and the page say what was measured, and nothing that they do not hold."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pointsman_classifier import Classifier
from pointsman_classifier.model_file import HEADS
from pointsman_classifier.training.card import write_card
from pointsman_classifier.training.evaluation import evaluate
from pointsman_classifier.training.labels import LABELS, Label
from pointsman_classifier.training.prompts import Prompt
from pointsman_classifier.training.public import SOURCES
from pointsman_classifier.training.report import draw

EVIL = "<script>alert('1')</script>&\""


@pytest.fixture(scope="module")
def manifest(small_model: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads((small_model / "manifest.json").read_text("utf-8"))
    return held


@pytest.fixture(scope="module")
def figures(small_model: Path, some_prompts: Sequence[Prompt]) -> dict[str, Any]:
    return evaluate(Classifier.load(small_model), some_prompts)


def write(tmp_path: Path, manifest: dict[str, Any]) -> str:
    write_card(tmp_path / "card.md", manifest)
    return (tmp_path / "card.md").read_text("utf-8")


def test_the_card_in_the_folder_is_made_of_the_manifest_alone(
    small_model: Path, manifest: dict[str, Any], tmp_path: Path
) -> None:
    card = write(tmp_path, manifest)
    assert card == (small_model / "README.md").read_text("utf-8")
    assert card == write(tmp_path, copy.deepcopy(manifest))


def test_the_card_says_what_the_manifest_says(manifest: dict[str, Any], tmp_path: Path) -> None:
    card = write(tmp_path, manifest)
    test, errors = manifest["metrics"]["test"], manifest["metrics"]["cross_fitted_ece"]
    assert card.startswith(f"# {test['model']}\n")
    assert f"On {test['prompts']} prompts" in card
    for head in HEADS:
        held = test["heads"][head]
        figures = f"{held['prompts']} | {held['accuracy']} | {held['macro_f1']} | {errors[head]}"
        assert f"| {head} | {figures} |" in card
    for style, held in test["by_style"].items():
        scores = " | ".join(str(held[head]["macro_f1"]) for head in HEADS)
        assert f"| {style} | {held['prompts']} | {scores} |" in card
    assert f"{manifest['window']['head_chars']} characters" in card
    assert "320 labelled prompts and 4,321 unlabelled" in card
    assert "| desk | 260 | Apache-2.0" in card
    assert f"| banking77 | 60 | {SOURCES['banking77'].licence} |" in card


def test_the_card_s_tables_are_whole(manifest: dict[str, Any], tmp_path: Path) -> None:
    lines = write(tmp_path, manifest).splitlines()
    tables = "\n".join(line if line.startswith("|") else "" for line in lines)
    for table in re.split(r"\n{2,}", tables.strip()):
        assert len({line.count("|") for line in table.splitlines()}) == 1
        assert re.fullmatch(r"\|(---\|)+", table.splitlines()[1])


def test_another_figure_gives_another_card(manifest: dict[str, Any], tmp_path: Path) -> None:
    other = copy.deepcopy(manifest)
    other["metrics"]["test"]["heads"]["tone"]["macro_f1"] = 0.98765
    assert "| 0.98765 |" in write(tmp_path, other)
    assert "| 0.98765 |" not in write(tmp_path, manifest)


class Page(HTMLParser):
    """Gathers text, and whatever refers to something else; fails on a tag that is not closed."""

    VOID = frozenset({"meta", "line", "polyline", "!doctype", "html"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self._open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data", "xlink:href"):
                self.references.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_needs_nothing_else(figures: dict[str, Any]) -> None:
    drawn = draw(figures)
    page = Page(drawn)
    assert page.references == []
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?:|//|url\(|@import", drawn)


def test_the_page_says_what_was_measured(figures: dict[str, Any]) -> None:
    page = Page(draw(figures))
    words = page.text
    assert f"{figures['model']}: {figures['prompts']:,} prompts" in words
    for head in HEADS:
        held = figures["heads"][head]
        at = words.index(head)
        assert words[at : at + 5] == [
            head,
            *(str(held[name]) for name in ("prompts", "accuracy", "macro_f1", "ece")),
        ]
    for group in ("by_style", "by_lang"):
        for name, held in figures[group].items():
            assert name in words
            assert str(held["prompts"]) in words
    for head in HEADS:
        for error in figures["wrong"][head][:5]:
            assert error["id"] in words
    assert page.tags.count("polyline") == len(HEADS)


def test_the_page_draws_each_confusion(figures: dict[str, Any]) -> None:
    drawn = draw(figures)
    for head in HEADS:
        for name, counts in zip(LABELS[head], figures["heads"][head]["confusion"], strict=True):
            cells = re.search(rf"<h3>{head}</h3>.*?<tr><td>{name}</td>(.*?)</tr>", drawn)
            assert cells is not None
            assert [int(n) for n in re.findall(r">(\d+)</td>", cells[1])] == counts


def test_names_from_files_are_escaped(small_model: Path, some_prompts: Sequence[Prompt]) -> None:
    odd = [
        Prompt(f"{EVIL}{number}", held.text, EVIL, EVIL, held.labels)
        for number, held in enumerate(some_prompts[:40])
    ]
    drawn = draw(evaluate(Classifier.load(small_model), odd) | {"model": EVIL})
    page = Page(drawn)
    assert EVIL in page.text
    assert f"{EVIL}: 40 prompts" in page.text
    assert any(re.fullmatch(re.escape(EVIL) + r"\d+", text) for text in page.text)
    assert "script" not in page.tags
    assert EVIL not in drawn


def test_a_head_without_labels_has_no_figures(
    small_model: Path, some_prompts: Sequence[Prompt]
) -> None:
    classifier = Classifier.load(small_model)
    toned = [
        Prompt(p.id, p.text, p.style, p.lang, (Label({"tone": p.labels[0].heads["tone"]}),))
        for p in some_prompts
    ]
    figures = evaluate(classifier, toned)
    for name in ("joint", "complexity_rank", "multi_step", "output_tokens"):
        assert figures[name] == {"prompts": 0}
    for head in HEADS:
        assert (figures["heads"][head]["prompts"] == 0) == (head != "tone")
    page = Page(draw(figures))
    assert "tone" in page.text
    assert page.tags.count("polyline") == 1


def test_groups_of_few_prompts_are_measured_together(
    small_model: Path, some_prompts: Sequence[Prompt]
) -> None:
    figures = evaluate(Classifier.load(small_model), some_prompts[:74])
    assert set(figures["by_style"]) == {"archive", "others"}
    assert figures["by_style"]["others"]["prompts"] == 14
    figures = evaluate(Classifier.load(small_model), some_prompts[:75])
    assert set(figures["by_style"]) == {"archive", "helpdesk"}


def test_the_errors_listed_are_those_it_was_most_confident_of(
    small_model: Path, some_prompts: Sequence[Prompt], figures: dict[str, Any]
) -> None:
    classifier = Classifier.load(small_model)
    wrong = []
    for prompt in some_prompts:
        reading, agreed = classifier.classify(prompt.text).domain, prompt.agreed("domain")
        if agreed is not None and agreed != reading.value:
            wrong.append(reading.confidence)
    listed = [error["confidence"] for error in figures["wrong"]["domain"]]
    assert listed == pytest.approx(sorted(wrong, reverse=True)[:10], abs=6e-4)
    assert len(listed) == 10
