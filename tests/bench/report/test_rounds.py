"""Several systems in interleaved rounds."""

from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.report.page import page
from pointsman_bench.report.rounds import (
    Better,
    Cell,
    Metric,
    RoundsError,
    RoundsTable,
    best,
    cell,
    rounds_as_dict,
)
from pointsman_bench.report.rounds_html import rounds_html
from pointsman_bench.report.rounds_text import print_rounds, rounds_markdown
from pointsman_bench.report.units import Unit
from rich.console import Console

TTFT = Metric("ttft", "First token", Unit.SECONDS, Better.LOWER, "From due to first text.")
RATE = Metric("rate", "Requests", Unit.PER_SECOND, Better.HIGHER)


def table(**changes: object) -> RoundsTable:
    fields: dict[str, object] = {
        "title": "Routers",
        "metrics": (TTFT, RATE),
        "systems": ("ours", "theirs"),
        "values": {
            "ours": {"ttft": [0.001, 0.010, 0.002], "rate": [100.0, 50.0, 90.0]},
            "theirs": {"ttft": [0.002, 0.020, 0.004], "rate": [50.0, None, 30.0]},
        },
        "reference": "ours",
        "notes": ("Two cores.",),
    }
    return RoundsTable(**(fields | changes))  # type: ignore[arg-type]


def shown(made: RoundsTable, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_rounds(made, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_ratios_are_taken_within_a_round() -> None:
    """A round that was slow for both changes no ratio, however slow it was."""
    assert cell(table(), "theirs", "ttft") == Cell(3, 0.004, 0.002, 0.020, 2.0, 2.0, 2.0)


def test_rounds_without_a_value_are_left_out() -> None:
    """Of a system that failed in one round the others still count."""
    found = cell(table(), "theirs", "rate")
    assert (found.rounds, found.median) == (2, 40.0)
    assert found.ratio == pytest.approx((0.5 + 1 / 3) / 2)
    assert cell(table(values={"ours": {"ttft": [1.0]}}), "theirs", "ttft") == Cell(0)


def test_there_is_no_ratio_to_nothing() -> None:
    """Against a zero there is none, and the median is there all the same."""
    values = {"ours": {"ttft": [0.0, 1.0]}, "theirs": {"ttft": [1.0, 2.0]}}
    found = cell(table(values=values), "theirs", "ttft")
    assert (found.median, found.ratio) == (1.5, None)


@given(st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)), min_size=1, max_size=9))
def test_the_middle_lies_within_its_range(pairs: list[tuple[float, float]]) -> None:
    """Whatever was measured, a median is between the lowest and the highest round."""
    values = {"ours": {"ttft": [a for a, _ in pairs]}, "theirs": {"ttft": [b for _, b in pairs]}}
    found = cell(table(values=values), "theirs", "ttft")
    assert found.ratio is not None
    assert found.ratio_low is not None
    assert found.ratio_high is not None
    assert found.ratio_low <= found.ratio <= found.ratio_high
    assert shown(table(values=values))


def test_the_best_is_the_lowest_or_the_highest_as_the_metric_says() -> None:
    """And there is none of a metric that is neither, or of a system alone."""
    assert best(table(), "ttft") == "ours"
    assert best(table(), "rate") == "ours"
    neutral = Metric("ttft", "x", Unit.SECONDS)
    assert best(table(metrics=(neutral, RATE)), "ttft") is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "nobody"}, "reference: 'nobody' is none of ours, theirs"),
        ({"systems": ()}, "systems: none; give at least one"),
        ({"systems": ("ours", "ours")}, "systems: a name comes twice"),
        ({"systems": tuple(map(str, range(65)))}, "systems: 65; at most 64"),
        ({"metrics": (TTFT, TTFT)}, "metrics: a name comes twice"),
        ({"values": {"other": {}}}, "values: 'other' is none of"),
        ({"values": {"ours": {"other": [1.0]}}}, r"values\[ours\]\[other\]: no such metric"),
        (
            {"values": {"ours": {"ttft": [1.0]}, "theirs": {"ttft": [1.0, 2.0]}}},
            r"values\[theirs\]\[ttft\]: 2 values where others have 1; put None",
        ),
        ({"values": {"ours": {"ttft": [float("nan")]}}}, "not finite; put None"),
        ({"values": {"ours": {"ttft": [1.0] * 1001}}}, "1001 rounds; at most 1000"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    """A typed error that says which field, and how to mend it."""
    with pytest.raises(RoundsError, match=message):
        table(**changes)


def test_the_text_says_values_ranges_and_ratios() -> None:
    """With units, and with what a ratio means."""
    text = shown(table())
    assert re.search(r"theirs +4\.00 ms +2\.00 ms – 20\.0 ms +×2\.00 \(2\.00–2\.00\)", text)
    assert re.search(r"ours +2\.00 ms .* reference", text)
    assert "lower is better" in text
    assert "Medians of 3 interleaved rounds" in text
    assert "Two cores." in text


@pytest.mark.parametrize("width", [44, 60, 71, 90])
def test_narrow_terminals_lose_the_range_first(width: int) -> None:
    """No line is longer than the terminal, and the ratio is always there."""
    text = shown(table(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "×2.00" in text
    assert ("2.00 ms – 20.0 ms" in text) == (width >= 72)


def test_markdown_shows_text_as_it_stands() -> None:
    """Names cannot break out of their cell, nor become markup."""
    odd = "a|b*c<d>`e`\nf"
    values = {"ours": {"ttft": [1.0]}, odd: {"ttft": [2.0]}}
    made = rounds_markdown(table(systems=("ours", odd), values=values, title="# x"))
    rows = [line for line in made.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}
    assert r"a\|b\*c&lt;d&gt;\`e\` f" in made
    assert "**1.00 s**" in made
    assert "2.00 s<br>×2.00" in made
    assert made.startswith("### \\# x")


def test_the_page_has_a_picture_and_a_table_of_each_metric() -> None:
    """Escaped, with every number also in a table."""
    odd = "<script>"
    values = {"ours": {"ttft": [1.0, 2.0], "rate": [1.0, 1.0]}, odd: {"ttft": [2.0, 2.0]}}
    html = page("x", [rounds_html(table(systems=("ours", odd), values=values))])
    assert "<script>" not in html
    assert html.count('role="img"') == 1
    assert "×1.50 (1.00–2.00)" in html
    assert html.count("<table") == 3


def test_machines_get_every_value() -> None:
    """As JSON, in base units."""
    made = json.loads(json.dumps(rounds_as_dict(table())))
    theirs = made["systems"]["theirs"]["rate"]
    assert theirs["values"] == [50.0, None, 30.0]
    assert theirs["median"] == 40.0
    assert made["metrics"]["ttft"] == {
        "title": "First token",
        "unit": "seconds",
        "better": "lower",
    }
