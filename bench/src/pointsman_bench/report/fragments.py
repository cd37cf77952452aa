"""Pieces of the page: sections, tables, figures with their numbers beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pointsman_bench.report.charts import SERIES, Bars, Line
from pointsman_bench.report.markup import Html, el, join
from pointsman_bench.report.sheets import Cell, Column, Mark, Row, Sheet, shown

MAX_CELL = 500
"""Characters of a cell that are shown."""
SLIM, DENSE = 3, 6
"""Tables of so few columns are no wider than they need be: the eye must find the row's end.
Those of so many are set closer."""


def section(name: str, title: str, *children: str, intro: str = "") -> Html:
    """A section with a heading, to be linked to by ``name``."""
    head = [el("h2", {"id": f"{name}-title"}, title)]
    if intro:
        head.append(el("p", {"class": "intro"}, intro))
    attributes = {"id": name, "aria-labelledby": f"{name}-title"}
    return el("section", attributes, *head, *children)


def table(columns: Sequence[Column], rows: Iterable[Row], *, caption: str = "") -> Html:
    """A table whose first column names the rows."""
    head = [_heading(column) for column in columns]
    body = [
        el("tr", {}, *(_cell(columns[n], cell, n) for n, cell in enumerate(row))) for row in rows
    ]
    parts = [el("caption", {}, caption)] if caption else []
    if any(column.title for column in columns):
        parts.append(el("thead", {}, el("tr", {}, *head)))
    parts.append(el("tbody", {}, *body))
    style = "slim" if len(columns) <= SLIM else "dense" if len(columns) >= DENSE else ""
    return el("div", {"class": "scroll"}, el("table", {"class": style} if style else {}, *parts))


def sheet_table(sheet: Sheet, *, caption: bool = True) -> Html:
    """A sheet as a table with its notes."""
    made = table(sheet.columns, sheet.rows, caption=sheet.title if caption else "")
    return el("div", {}, made, notes(sheet.notes))


def _heading(column: Column) -> Html:
    attributes = {"scope": "col"}
    if column.numeric:
        attributes["class"] = "num"
    if column.explains:
        attributes["title"] = column.explains
    return el("th", attributes, column.title)


def _cell(column: Column, cell: Cell, position: int) -> Html:
    styles = ["num"] if column.numeric else []
    if isinstance(cell, Mark):
        styles.append(cell.style)
    attributes = {"class": " ".join(styles)} if styles else {}
    if position == 0:
        return el("th", {"scope": "row", **attributes}, _bounded(shown(cell)))
    return el("td", attributes, _bounded(shown(cell)))


def _bounded(text: str) -> str:
    return text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}…"


def figure(title: str, drawing: Html, *, legend: Html | None = None, numbers: Html | None) -> Html:
    """A drawing with its caption, its legend, and its numbers as a table that opens."""
    parts = [el("figcaption", {}, title)]
    if legend is not None:
        parts.append(legend)
    parts.append(el("div", {"class": "scroll"}, drawing))
    if numbers is not None:
        parts.append(el("details", {}, el("summary", {}, "The numbers"), numbers))
    return el("figure", {}, *parts)


def legend(lines: Sequence[Line]) -> Html:
    """What each line's colour stands for; nothing for a single line."""
    if len(lines) < 2:
        return Html("")
    return el("ul", {"class": "legend"}, *(_key(line) for line in lines))


def _key(line: Line) -> Html:
    style = f"line s{line.colour % SERIES}" + (" dashed" if line.dashed else "")
    stroke = el("path", {"class": style, "d": "M1 5L21 5"})
    return el(
        "li", {}, el("svg", {"viewBox": "0 0 22 10", "aria-hidden": "true"}, stroke), line.name
    )


def bars_legend(bars: Bars) -> Html:
    """What each segment's colour stands for."""
    names = {segment.name: segment.colour for bar in bars.bars for segment in bar.segments}
    if len(names) < 2:
        return Html("")
    keys = []
    for name, colour in names.items():
        box = el("rect", {"class": f"s{colour % SERIES}", "width": 22, "height": 10, "rx": 2})
        swatch = el("svg", {"viewBox": "0 0 22 10", "aria-hidden": "true"}, box)
        keys.append(el("li", {}, swatch, name))
    return el("ul", {"class": "legend"}, *keys)


def tiles(figures: Iterable[tuple[str, str, str]]) -> Html:
    """Large figures: name, value, and what goes with it in small print."""
    made = []
    for name, value, beside in figures:
        parts = [el("dt", {}, name), el("dd", {}, value)]
        if beside:
            parts.append(el("dd", {"class": "with"}, beside))
        made.append(el("div", {"class": "tile"}, *parts))
    return el("dl", {"class": "tiles"}, *made)


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names and what they are."""
    shown = (join([el("dt", {}, name), el("dd", {}, value)]) for name, value in pairs)
    return el("dl", {"class": "facts"}, *shown)


def banner(kind: str, headline: str, lines: Sequence[str]) -> Html:
    """A message that stands out; ``kind`` is "good", "mind" or "bad"."""
    parts = [el("p", {}, el("strong", {}, headline))]
    if lines:
        parts.append(el("ul", {}, *(el("li", {}, line) for line in lines)))
    role = {"role": "alert"} if kind == "bad" else {}
    return el("div", {"class": f"banner {kind}", **role}, *parts)


def notes(lines: Sequence[str]) -> Html:
    """Remarks in small print."""
    return join(el("p", {"class": "note"}, line) for line in lines)
