"""Verdicts on two runs whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from load_results import Side as Behaviour
from load_results import result
from pointsman_bench.compare.estimate import Method
from pointsman_bench.compare.judge import Finding, Outcome, judge
from pointsman_bench.compare.metrics import METRICS, Single, metric, names
from pointsman_bench.compare.slices import MAX_SLICES, paired, side
from pointsman_bench.results import Counts, LoadResult, Phase

METHOD = Method(replicates=400)


@cache
def run_of(behaviour: Behaviour, seed: int = 1, seconds: int = 30) -> LoadResult:
    return result(behaviour, seconds=seconds, rate=40, seed=seed)


def found(a: LoadResult, b: LoadResult, method: Method = METHOD) -> dict[str, Finding]:
    said: list[str] = []
    findings = judge(side("a", a, a.arms[0]), side("b", b, b.arms[0]), method, said.append)
    assert "ttft" in said
    return {one.metric.name: one for one in findings}


def test_a_run_against_itself_shows_no_difference() -> None:
    """Not in any metric, and with intervals that are no wider than nothing."""
    made = found(run_of(Behaviour()), run_of(Behaviour()))
    told = [one for one in made.values() if one.difference_interval is not None]
    assert len(told) > 20
    assert all(one.outcome is Outcome.SAME and one.difference == 0 for one in told)


def test_slower_is_worse_and_the_other_way_round_better() -> None:
    """A median that rose by half is shown, with an interval that holds what was done."""
    slow = run_of(Behaviour(ttft_median=0.18), seed=2)
    made = found(run_of(Behaviour()), slow)["ttft_p50"]
    assert made.outcome is Outcome.WORSE
    assert made.ratio_interval is not None
    assert 1.5 in made.ratio_interval
    back = found(slow, run_of(Behaviour()))["ttft_p50"]
    assert back.outcome is Outcome.BETTER
    assert back.difference == pytest.approx(-(made.difference or 0))


def test_what_is_neither_good_nor_bad_is_higher_or_lower() -> None:
    """Hedging more is a fact, not a fault; its cost is judged by itself."""
    without = run_of(Behaviour(hedged=False, slow_share=0.1))
    made = found(without, run_of(Behaviour(slow_share=0.1), seed=2))
    assert made["hedged_share"].outcome is Outcome.HIGHER
    assert made["hedged_share"].ratio is None  # from nothing there is no ratio
    assert made["lost_hedge_cost"].outcome is Outcome.WORSE
    assert made["hedge_win_share"].outcome is Outcome.UNKNOWN
    assert made["hedge_win_share"].why == "A has none"


def test_more_is_better_where_it_is() -> None:
    """Goodput that fell is worse."""
    made = found(run_of(Behaviour(failing=0.0)), run_of(Behaviour(failing=0.3), seed=2))
    assert made["good_share"].outcome is Outcome.WORSE
    assert made["failed_share"].outcome is Outcome.WORSE


def test_too_little_is_no_verdict() -> None:
    """Fewer than ten observations beyond a quantile, or fewer than ten slices."""
    made = found(run_of(Behaviour()), run_of(Behaviour(ttft_median=0.5), seed=2))
    assert made["ttft_p99.9"].outcome is Outcome.UNKNOWN
    assert made["ttft_p99.9"].why.startswith("too few: 1,")
    assert made["ttft_p99.9"].why.endswith("of the 10,000 it needs")
    short = found(run_of(Behaviour(), seconds=9), run_of(Behaviour(ttft_median=0.5), seed=2))
    assert short["ttft_p50"].why == "too few slices: 9 of the 10 it needs"
    assert {one.outcome for one in short.values()} == {Outcome.UNKNOWN}
    assert short["ttft_p50"].ratio is not None


def test_a_run_has_but_one_value_of_some_metrics() -> None:
    """They are shown without a verdict; where a side has none, that is said."""
    a = run_of(Behaviour())
    assert a.server is not None
    b = replace(a, server=replace(a.server, peak_rss_bytes=192_000_000), provider=None)
    made = found(a, b)
    memory = made["server_memory"]
    assert (memory.ratio, memory.outcome, memory.why) == (2.0, Outcome.UNKNOWN, "one value a run")
    assert made["provider_calls"].why == "only one side has it"


def test_the_same_seed_gives_the_same_intervals() -> None:
    """Exactly; and another seed others, a little."""
    pair = run_of(Behaviour()), run_of(Behaviour(), seed=2)
    first, again = found(*pair), found(*pair)
    other = found(*pair, Method(replicates=400, seed=2))
    assert first == again
    assert first["ttft_p90"].ratio_interval != other["ttft_p90"].ratio_interval


def test_runs_of_the_same_arrivals_are_compared_slice_by_slice() -> None:
    """What both had in common cancels out, so much smaller changes are seen."""
    a, b = run_of(Behaviour()), run_of(Behaviour(ttft_median=0.126))
    both = side("a", a, a.arms[0]), side("b", b, b.arms[0])
    assert paired(*both)
    assert found(a, b)["ttft_p50"].outcome is Outcome.WORSE
    other = replace(b, run=replace(b.run, seed=99))
    assert not paired(both[0], side("b", other, other.arms[0]))
    assert found(a, other)["ttft_p50"].outcome is Outcome.SAME


def test_an_outage_is_resampled_by_itself() -> None:
    """Slices before, in and after it are strata; without phases there is one."""
    a = result(seconds=20, rate=5, outage=True)
    assert side("a", a, a.arms[0]).strata == (8, 4, 8)
    twice = (Phase("x", 0.0, 10.0), Phase("y", 10.0, 20.0))
    b = replace(a, run=replace(a.run, phases=twice))
    assert side("b", b, b.arms[0]).strata == (10, 10)
    c = replace(a, run=replace(a.run, phases=()))
    assert side("c", c, c.arms[0]).strata == (20,)


def test_very_long_runs_are_put_together_without_losing_anything() -> None:
    """Work is bounded, and sums are what they were; no group crosses an outage's edge."""
    a = run_of(Behaviour(), seconds=9)
    arm = a.arms[0]
    slices = tuple(replace(arm.slices[n % 9], start_s=float(n)) for n in range(2000))
    long = replace(a, run=replace(a.run, phases=(Phase("x", 101.0, 203.0),)))
    made = side("a", long, replace(arm, slices=slices))
    assert len(made.groups) <= MAX_SLICES + 3
    assert sum(made.strata) == len(made.groups)
    sent = made.sums(lambda counts: counts.sent)
    assert sent.sum() == sum(one.counts.sent for one in slices)
    assert made.sums(None).sum() == 2000.0
    starts = np.cumsum([0, *made.strata])[1:3]
    assert [made.groups[n][0].start_s for n in starts] == [101.0, 203.0]


def test_nothing_against_nothing_is_no_failure() -> None:
    """Arms that measured nothing have nothing to compare."""
    a = run_of(Behaviour(), seconds=9)
    empty = replace(a.arms[0], slices=(), histograms={}, counts=Counts())
    bare = replace(a, arms=(empty,), server=None, provider=None)
    both = (side("a", bare, empty), side("b", bare, empty))
    assert judge(*both, METHOD, lambda _: None) == []


def test_every_metric_has_a_name_of_its_own() -> None:
    """By which it can be asked for."""
    assert len(set(names())) == len(METRICS)
    assert metric("ttft_p99").title == "TTFT p99"
    assert any(isinstance(one.source, Single) for one in METRICS)
    with pytest.raises(KeyError):
        metric("nothing")
