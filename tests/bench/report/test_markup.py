"""Markup that nobody's text can break out of."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.report.markup import Html, el, join, printable, text


class _Reader(HTMLParser):
    """Remembers what a browser would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= dict(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


@given(st.text(), st.text())
def test_any_text_arrives_as_text(child: str, attribute: str) -> None:
    """Whatever a model or a scenario is called, it makes no tag and no attribute."""
    seen = _read(el("p", {"title": attribute}, child))
    assert seen.tags == ["p"]
    assert seen.attributes == {"title": printable(attribute)}
    assert seen.text == printable(child)


def test_control_characters_are_replaced() -> None:
    """They would move a terminal's cursor, or end an XML document; spaces stay."""
    assert printable("a\x1b[2Jb\x00") == "a�[2Jb�"
    assert printable("1\u202f000\n") == "1\u202f000\n"


def test_markup_is_not_escaped_twice_and_attributes_always_are() -> None:
    """`Html` passes as a child; in an attribute it is text like any other."""
    inner = el("b", {}, "<")
    assert inner == "<b>&lt;</b>"
    assert el("p", {}, inner, "&") == "<p><b>&lt;</b>&amp;</p>"
    assert el("p", {"title": Html('"><script>')}) == '<p title="&quot;&gt;&lt;script&gt;"></p>'
    assert text(Html("<i>")) == "<i>"
    assert join([Html("<br/>"), "<"]) == "<br/>&lt;"


def test_numbers_of_drawings_are_short() -> None:
    """Two decimals are finer than any screen."""
    assert el("rect", {"x": 1 / 3, "y": 2.0}) == '<rect x="0.33" y="2"/>'
