"""The report in a terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from load_results import Side, result
from pointsman_bench.report.facts import facts
from pointsman_bench.report.sheets import Column, Mark, Sheet
from pointsman_bench.report.sheets_text import print_sheet
from pointsman_bench.report.terminal import out
from pointsman_bench.report.text import print_report
from pointsman_bench.results import LoadResult, Verdict
from rich.console import Console


@pytest.fixture(scope="module")
def whole() -> LoadResult:
    return result(Side("plain", hedged=False), Side("hedging"), seconds=8, rate=30)


def shown(whole: LoadResult, width: int = 120, *, colour: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=colour, highlight=False)
    print_report(facts(whole), console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_everything_that_matters_is_there(whole: LoadResult) -> None:
    """Latency of each arm, goodput, errors, hedges, models, money, lag, the provider's account."""
    text = shown(whole)
    for part in (
        "VALID", "TTFT · plain", "TTFT · hedging", "Gap ·", "TPOT ·", "End to end ·", "p99.9",
        "goodput", "status ", "won by the hedge", "open/small-8b", "saved", "Generator lag",
        "What the provider saw", "Do the accounts agree?", "Good: answered with TTFT ≤ 500 ms",
    ):  # fmt: skip
        assert part in text, part
    assert "INVALID" not in text


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 200])
def test_no_terminal_is_too_narrow(whole: LoadResult, width: int) -> None:
    """No line is longer than the terminal, and no number is cut."""
    text = shown(whole, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    assert "4.11 %" in text or "%" in text


def test_narrow_tables_become_lists_with_every_cell() -> None:
    """Where a table does not fit, each row is listed with its columns' names."""
    columns = (Column("", numeric=False), Column("first"), Column("second"))
    sheet = Sheet("x", "Title", columns, (["row name", "1,000 ms", Mark("2,000 ms", "bad-text")],))
    console = Console(file=io.StringIO(), width=24)
    print_sheet(sheet, console)
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines == ["", "Title", "row name", "  first   1,000 ms", "  second  2,000 ms"]


def test_tables_of_two_columns_wrap_and_lose_nothing() -> None:
    """There is no narrower form of them, so even names and numbers go on in the next line."""
    columns = (Column("", numeric=False), Column(""))
    sheet = Sheet("x", "Title", columns, (["a rather long name", "1,234,567,890 (100 %)"],))
    console = Console(file=io.StringIO(), width=20)
    print_sheet(sheet, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert all(word in text for word in ("rather", "long", "name", "1,234,567", "100"))


def test_an_invalid_run_says_so_first_and_last(whole: LoadResult) -> None:
    """A long report is read from its end: the verdict is there too, with the reasons on top."""
    reason = "the generator was late for 3 % of the requests"
    lines = shown(replace(whole, verdict=Verdict(False, (reason,)))).strip().splitlines()
    assert any("INVALID: Do not use these numbers." in line for line in lines[:8])
    assert any(reason in line for line in lines[:10])
    assert "INVALID" in lines[-1]


def test_no_string_of_a_file_moves_the_cursor(whole: LoadResult) -> None:
    """Escape sequences and rich's markup are shown, not obeyed."""
    run = replace(whole.run, scenario="a\x1b[2Jb[red]c", notes=())
    arm = replace(whole.arms[0], counts=replace(whole.arms[0].counts, models={"m\x1b[1A": 3}))
    verdict = Verdict(False, ("why\x07",), ("mind\r",))
    text = shown(replace(whole, run=run, arms=(arm,), verdict=verdict))
    assert not set(text) & {"\x1b", "\x07", "\r"}
    assert "a�[2Jb[red]c" in text


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch, whole: LoadResult) -> None:
    """Whoever sets NO_COLOR gets no colour, and still every verdict in words."""
    monkeypatch.setenv("NO_COLOR", "1")
    coloured = shown(whole, colour=True)
    assert "\x1b[3" not in coloured
    assert "VALID" in coloured


def test_without_a_terminal_there_is_no_colour(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], whole: LoadResult
) -> None:
    """A file or a pipe gets plain text."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    print_report(facts(whole), out())
    text = capsys.readouterr().out
    assert "TTFT" in text
    assert "\x1b" not in text


def test_an_interrupted_run_says_how_much_it_measured(whole: LoadResult) -> None:
    """Less than was planned is no secret."""
    run = replace(whole.run, interrupted=True, duration_s=60.0, measured_s=8.0)
    assert "interrupted: measured 8.00 s of the planned 60.0 s" in shown(replace(whole, run=run))
