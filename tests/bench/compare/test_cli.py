"""`pointsman bench compare` as a command."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from load_results import Side, result
from pointsman_bench import results
from pointsman_bench.compare.cli import compare
from pointsman_bench.compare.estimate import Method
from pointsman_bench.compare.page import comparison_page
from pointsman_bench.compare.run import compared, sides
from pointsman_bench.compare.text import print_comparison
from pointsman_bench.results import Verdict
from rich.console import Console
from typer.testing import CliRunner, Result

QUICK = ("--replicates", "200")
EVIL = '"><script>\x1b[2J'


def run(*arguments: str | Path) -> Result:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(compare)
    return CliRunner().invoke(app, [*(str(argument) for argument in arguments), *QUICK])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs")
    fast = result(Side(), seconds=15, rate=30)
    results.write(fast, made / "fast.json")
    results.write(result(Side(ttft_median=0.2), seconds=15, rate=30), made / "slow.json")
    both = result(Side("plain", hedged=False), Side("hedging"), seconds=15, rate=30)
    results.write(both, made / "both.json")
    results.write(replace(fast, verdict=Verdict(False, ("it lagged",))), made / "invalid.json")
    odd = replace(fast, run=replace(fast.run, scenario=EVIL), versions={EVIL: EVIL})
    odd = replace(odd, arms=(replace(odd.arms[0], name=EVIL),))
    results.write(odd, made / "odd.json")
    return made


def test_a_regression_ends_with_one(folder: Path) -> None:
    """And says which condition failed, and why."""
    done = run(folder / "fast.json", folder / "slow.json", "--fail-if", "ttft_p50 > +10%")
    assert done.exit_code == 1
    assert "FAILED  it changed by +6" in done.stdout
    assert "B is worse in TTFT p50" in done.stdout


def test_what_passes_ends_with_zero(folder: Path) -> None:
    """Also without any condition, whatever was found."""
    assert run(folder / "fast.json", folder / "slow.json").exit_code == 0
    done = run(folder / "slow.json", folder / "fast.json", "--fail-if", "ttft_p50 > +10%")
    assert done.exit_code == 0
    assert "PASSED" in done.stdout


def test_strict_fails_on_doubt(folder: Path) -> None:
    """Some ask for proof that nothing got worse."""
    doubtful = ("--fail-if", "ttft_p99.9 > +1%")
    pair = (folder / "fast.json", folder / "slow.json")
    assert run(*pair, *doubtful).exit_code == 0
    assert "UNCLEAR" in run(*pair, *doubtful).stdout
    assert run(*pair, *doubtful, "--strict").exit_code == 1


def test_bad_conditions_end_with_two(folder: Path) -> None:
    """Before any work is done, with what there is to choose from."""
    done = run(folder / "gone.json", folder / "slow.json", "--fail-if", "latency > +10%")
    assert done.exit_code == 2
    assert "there is no metric 'latency'" in done.stderr
    assert "ttft_p99" in done.stderr
    assert done.stdout == ""


def test_bad_files_end_with_two(folder: Path) -> None:
    """With what to do about it."""
    done = run(folder / "fast.json", folder / "gone.json")
    assert done.exit_code == 2
    assert "give the result.json" in done.stderr


def test_a_damaged_histogram_says_where_it_is(folder: Path, tmp_path: Path) -> None:
    """Of which file and of which metric, without a traceback."""
    text = (folder / "fast.json").read_text()
    start = text.rindex('"tpot": "') + len('"tpot": "')
    damaged = tmp_path / "damaged.json"
    damaged.write_text(text[:start] + "AAAA" + text[start + 4 :])
    done = run(folder / "fast.json", damaged)
    assert done.exit_code == 2
    assert "damaged.json: tpot: a histogram in the file is damaged" in done.stderr


def test_invalid_runs_are_refused_unless_forced(folder: Path) -> None:
    """And a forced comparison says on top that it proves nothing."""
    done = run(folder / "fast.json", folder / "invalid.json")
    assert done.exit_code == 2
    assert "is INVALID (it lagged)" in done.stderr
    assert "--force" in done.stderr
    forced = run(folder / "fast.json", folder / "invalid.json", "--force")
    assert forced.exit_code == 0
    assert "INVALID: compared by force" in forced.stdout


def test_one_result_with_two_arms_is_compared_with_itself(folder: Path) -> None:
    """The second arm against the first, slice by slice."""
    made = json.loads(run(folder / "both.json", "--json").stdout)
    assert made["paired"] is True
    assert made["metrics"]["hedged_share"]["verdict"] == "higher"
    assert "server_memory" not in made["metrics"]  # both arms had the same server
    done = run(folder / "fast.json")
    assert done.exit_code == 2
    assert "has one arm only: give a second result" in done.stderr


def test_an_arm_can_be_chosen_by_name(folder: Path) -> None:
    """Of both results; one that is not there is refused with those there are."""
    pair = (folder / "both.json", folder / "both.json")
    made = json.loads(run(*pair, "--arm", "hedging", "--json").stdout)
    assert made["metrics"]["hedged_share"]["a"] > 0
    done = run(*pair, "--arm", "nobody")
    assert done.exit_code == 2
    assert "it has plain, hedging" in done.stderr
    assert run(folder / "both.json", "--arm", "plain").exit_code == 2


def test_machines_get_intervals_and_conditions(folder: Path) -> None:
    """In base units, with the method, so that it can be done again."""
    limit = "ttft_p50 > 1ms"
    done = run(folder / "fast.json", folder / "slow.json", "--json", "--fail-if", limit)
    made = json.loads(done.stdout)
    assert done.exit_code == 1
    assert made["failed"] is True
    assert made["conditions"][0]["result"] == "failed"
    low, high = made["metrics"]["ttft_p50"]["ratio_interval"]
    assert low < 0.2 / 0.12 < high
    assert (made["confidence"], made["replicates"], made["seed"]) == (0.95, 200, 1)
    assert made["metrics"]["server_memory"]["difference_interval"] is None


def test_runs_that_were_not_measured_alike_are_pointed_out(folder: Path) -> None:
    """Another scenario, rate or machine may be the whole difference."""
    text = run(folder / "fast.json", folder / "odd.json").stdout
    assert "mind: the runs differ in scenario: mixed against" in text
    assert "\x1b" not in text


def test_the_page_is_whole_and_closed(folder: Path, tmp_path: Path) -> None:
    """Pictures with descriptions, every metric in a table, nothing fetched, all escaped."""
    page = tmp_path / "page.html"
    done = run(
        folder / "fast.json", folder / "odd.json", "--html", page, "--fail-if", "goodput > 1"
    )
    html = page.read_text("utf-8")
    assert done.exit_code == 1
    assert "<script" not in html
    assert "\x1b" not in html
    assert "http" not in html.replace("http-equiv", "")
    assert html.index("FAILED") < html.index("TTFT p50")
    assert html.count("<desc") == html.count('role="img"') == 2 + 6 + 1
    assert "no difference shown" in html


@pytest.mark.parametrize("width", [40, 80, 100, 118, 160])
def test_no_terminal_is_too_narrow(folder: Path, width: int) -> None:
    """What there is no room for is left out from its end: the verdict never is."""
    pair = sides(folder / "fast.json", folder / "slow.json", None)
    found = compared(pair, Method(replicates=200), (), lambda _: None)
    console = Console(file=io.StringIO(), width=width)
    print_comparison(found, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "worse" in text
    assert "+66" in text or "+6" in text
    assert ("difference  " in text) == (width >= 118)
    assert comparison_page(found)
