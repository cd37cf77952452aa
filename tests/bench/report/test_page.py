"""The page: whole, quiet, readable by everybody, and closed to what a file may hold."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from load_results import Side, result
from pointsman_bench.report.facts import facts
from pointsman_bench.report.page import page
from pointsman_bench.report.run_page import report_page
from pointsman_bench.results import (
    Check,
    LoadResult,
    Machine,
    Phase,
    SlowRequest,
    Verdict,
)

EVIL = """"><script>alert(1)</script><img src=x onerror=alert(1)>'&\x1b[2J"""


class Outline(HTMLParser):
    """Every element of a page, and whether each was closed where it should be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data + "\n"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def whole() -> LoadResult:
    return result(Side("plain", hedged=False), Side("hedging"), seconds=12, rate=30, outage=True)


@pytest.fixture(scope="module")
def outline(whole: LoadResult) -> Outline:
    return Outline(report_page(facts(whole)))


def test_the_page_is_well_formed(outline: Outline) -> None:
    """Every element is closed where it should be, and no id comes twice."""
    assert outline.open == []
    ids = [a["id"] for _, a in outline.elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = [a["href"] for a in outline.all("a")]
    assert links
    assert all(link is not None and link[1:] in ids for link in links)


def test_the_page_fetches_and_runs_nothing(whole: LoadResult, outline: Outline) -> None:
    """No script, no link out, no picture; and a policy that forbids a browser all of them."""
    names = {name for name, _ in outline.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    html = report_page(facts(whole))
    assert "url(" not in html
    assert "@import" not in html
    assert not re.search(r"https?://", html)
    policy = outline.all("meta")[1]
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_every_drawing_says_what_it_shows(outline: Outline, whole: LoadResult) -> None:
    """Whoever cannot see it gets a title, a description with numbers, and a table."""
    drawings = [a for a in outline.all("svg") if "aria-hidden" not in a]
    assert len(drawings) == 6 + 4 + 3
    assert all(a["role"] == "img" and a["aria-labelledby"] for a in drawings)
    html = report_page(facts(whole))
    for svg in re.findall(r"<svg viewBox=\"0 0 \d+ \d+\" role.*?</svg>", html, re.DOTALL):
        root = ElementTree.fromstring(svg)
        title, description = root.find("title"), root.find("desc")
        assert title is not None
        assert description is not None
        assert re.search(r"\d", description.text or "")
    assert html.count("<summary>The numbers</summary>") == 6 + 4
    assert all(a.get("lang") == "en" for a in outline.all("html"))


def test_light_and_dark_and_paper_have_their_colours() -> None:
    """The reader's system decides, without a script."""
    html = page("x", [])
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_an_invalid_run_says_so_first_and_large(whole: LoadResult) -> None:
    """Before any number: an alert with the reasons."""
    bad = replace(whole, verdict=Verdict(False, ("it lagged",), ("few requests",)))
    html = report_page(facts(bad))
    assert html.index("INVALID") < html.index("TTFT")
    assert 'role="alert"' in html
    assert "it lagged" in html
    assert "few requests" in html
    assert "INVALID" not in report_page(facts(whole))


def hostile(whole: LoadResult) -> LoadResult:
    """A result in which every string wants to be markup."""
    arms = tuple(
        replace(
            arm,
            name=EVIL + str(n),
            counts=replace(arm.counts, models={EVIL: 5}, statuses={EVIL: 5}, kinds={EVIL: 1}),
            slowest=(SlowRequest(EVIL, 1.0, None, None, EVIL, 1, EVIL),),
        )
        for n, arm in enumerate(whole.arms)
    )
    run = replace(
        whole.run,
        scenario=EVIL,
        description=EVIL,
        arrival=EVIL,
        started_at=EVIL,
        target=EVIL,
        phases=(Phase(EVIL, 1.0, 2.0),),
        notes=(EVIL,),
    )
    return replace(
        whole,
        run=run,
        arms=arms,
        machine=Machine(EVIL, 1, 1, EVIL, EVIL),
        verdict=Verdict(False, (EVIL,), (EVIL,)),
        checks=(Check(EVIL, False, EVIL),),
        versions={EVIL: EVIL},
    )


def test_no_string_of_a_file_becomes_markup(whole: LoadResult, outline: Outline) -> None:
    """Names of models, scenarios and machines come from anywhere."""
    html = report_page(facts(hostile(whole)))
    seen = Outline(html)
    assert seen.open == []
    assert {name for name, _ in seen.elements} == {name for name, _ in outline.elements}
    assert not any(key.startswith("on") for _, a in seen.elements for key in a)
    assert "\x1b" not in html
    assert "<script>alert(1)</script>" in seen.text


def test_a_page_of_a_huge_run_stays_small(whole: LoadResult) -> None:
    """Hours of seconds and hundreds of models are thinned out: what is drawn is bounded."""
    arm, moment = whole.arms[0], whole.moments[0]
    slices = tuple(replace(arm.slices[0], start_s=float(n)) for n in range(4000))
    many = {f"model-{n}": n + 1 for n in range(800)}
    long = replace(
        whole,
        arms=(replace(arm, slices=slices, counts=replace(arm.counts, models=many)),),
        moments=tuple(replace(moment, start_s=float(n)) for n in range(20_000)),
    )
    assert len(report_page(facts(long))) < 300_000


def test_a_run_without_optional_parts_has_a_page(whole: LoadResult) -> None:
    """A running target, a real upstream, nothing answered: no part is needed."""
    nothing = replace(
        whole.arms[0], histograms={}, slices=(), slowest=(), counts=type(whole.whole_run)()
    )
    bare = replace(
        whole, arms=(nothing,), moments=(), provider=None, server=None, checks=(), versions={}
    )
    seen = Outline(report_page(facts(bare)))
    assert seen.open == []
    assert "The server named no models and no prices." in seen.text
