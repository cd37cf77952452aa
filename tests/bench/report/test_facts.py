"""What a report says, as numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from load_results import Side, result
from pointsman_bench import results
from pointsman_bench.report.facts import OTHERS, facts, largest, names, of_name
from pointsman_bench.results import Counts


def test_rates_and_shares_are_those_of_the_measured_time() -> None:
    """Goodput is by second of measured time; shares are of what was really asked."""
    whole = result(seconds=10, rate=20)
    counts = Counts(
        sent=100, answered=80, failed=10, cancelled=10, good=60, cost=5, baseline_cost=20
    )
    arm = facts(replace(whole, arms=(replace(whole.arms[0], counts=counts),))).arms[0]
    assert (arm.asked, arm.good_rate, arm.cost_of_baseline) == (90, 6.0, 0.25)
    assert arm.good_share == pytest.approx(60 / 90)
    assert arm.failed_share == pytest.approx(1 / 9)


def test_nothing_measured_is_no_division_by_zero() -> None:
    """An arm that sent nothing has no shares."""
    whole = result(seconds=3, rate=5)
    empty = replace(whole.arms[0], counts=Counts(), histograms={}, slices=())
    run = replace(whole.run, measured_s=0.0)
    arm = facts(replace(whole, run=run, arms=(empty,))).arms[0]
    assert (arm.good_rate, arm.good_share, arm.cost_of_baseline) == (None, None, None)
    assert arm.latencies == ()


def test_latencies_have_every_quantile_and_say_which_are_steady() -> None:
    """Of some 400 requests p99 is steady for none, p90 for all."""
    arm = facts(result(Side(failing=0.0), seconds=10, rate=40)).arms[0]
    found = arm.latency(results.TTFT)
    assert found is not None
    assert found.steady == (True, True, False, False)
    known = [value for value in found.quantiles if value is not None]
    assert len(known) == 4
    assert known == sorted(known)
    assert arm.latency("no such metric") is None


def test_names_without_end_are_added_up() -> None:
    """A file with a thousand models makes a dozen rows, and no count is lost."""
    counts = {f"model-{n:04}": n for n in range(1000)}
    listed = largest(counts)
    assert len(listed) == 12
    assert listed[0] == ("model-0999", 999)
    assert listed[-1][0] == OTHERS
    assert sum(count for _, count in listed) == sum(counts.values())
    rows = names([counts])
    assert sum(of_name(counts, name, rows) for name in rows) == sum(counts.values())


def test_names_that_never_came_are_not_listed() -> None:
    """A count of zero is no row."""
    assert largest({"a": 0, "b": 2}) == [("b", 2)]
