"""What is drawn of a run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from load_results import Side, encoded, result
from pointsman_bench import results
from pointsman_bench.report.charts import MAX_POINTS, thinned
from pointsman_bench.report.facts import facts
from pointsman_bench.report.histograms import distribution
from pointsman_bench.report.run_charts import (
    cdf_chart,
    cost_bars,
    hedge_bars,
    model_bars,
    percentile_chart,
    seconds_label,
    timelines,
)
from pointsman_bench.report.svg import draw
from pointsman_bench.results import LoadResult


@pytest.fixture(scope="module")
def whole() -> LoadResult:
    return result(Side("plain", hedged=False), Side("hedging"), seconds=10, rate=30, outage=True)


@settings(max_examples=60)
@given(st.lists(st.floats(0.0, 500.0), min_size=1, max_size=40))
def test_any_distribution_can_be_drawn(seconds: list[float]) -> None:
    """Times of nothing at all, one time alone, six decades of them."""
    seen = {"a": distribution(encoded(seconds)), "b": distribution(encoded([0.0]))}
    drawn = [percentile_chart(results.TPOT, seen), cdf_chart(results.TPOT, seen)]
    assert (drawn[0] is None) == (not seen["a"].highest)  # a curve of nothing but 0 says nothing
    assert drawn[1] is not None
    for chart in filter(None, drawn):
        assert "NaN" not in draw(chart, "x")
        for line in chart.lines:
            places = [chart.x.at(x) for x, _ in line.points]
            assert places == sorted(places)
            heights = [y for _, y in line.points if y is not None]
            assert heights == sorted(heights)


def test_a_percentile_curve_ends_where_observations_do() -> None:
    """With a thousand requests nothing is said of the 99.99th percentile."""
    chart = percentile_chart(results.TTFT, {"a": distribution(encoded([0.1] * 1000))})
    assert chart is not None
    assert chart.x.ticks[-1].label == "99.9 %"
    assert "p99 100 ms" in chart.says
    assert percentile_chart(results.TTFT, {"a": distribution(encoded([]))}) is None


def test_a_distribution_says_which_share_keeps_to_a_time() -> None:
    """Half of the requests within the median."""
    chart = cdf_chart(results.TTFT, {"a": distribution(encoded([0.1] * 50 + [0.4] * 50))})
    assert chart is not None
    between = [y for x, y in chart.lines[0].points if 0.11 < x < 0.39]
    assert between
    assert set(between) == {0.5}


def test_peaks_survive_thinning_out() -> None:
    """What a latency chart must not lose is its peaks."""
    points: list[tuple[float, float | None]] = [(float(n), 1.0) for n in range(50_000)]
    points[31_415] = (31_415.0, 99.0)
    kept = thinned(points)
    assert len(kept) <= MAX_POINTS
    assert max(y for _, y in kept if y is not None) == 99.0
    assert thinned(points[:5]) == points[:5]


def test_time_lines_show_the_run_second_by_second(whole: LoadResult) -> None:
    """Rate, TTFT of each arm, errors and requests in flight, with the outage shaded in all."""
    charts = timelines(facts(whole))
    titles = [chart.title.split(":")[0] for chart in charts]
    assert titles == ["Rate", "TTFT", "Errors", "In flight"]
    assert all(chart.bands[0].name == "outage of vendor" for chart in charts)
    assert [line.name for line in charts[1].lines] == [
        "p50 · plain",
        "p99 · plain",
        "p50 · hedging",
        "p99 · hedging",
    ]
    assert charts[0].lines[0].points[3] == (3.0, whole.moments[3].sent)


def test_bars_add_up(whole: LoadResult) -> None:
    """Shares to one, money to what was charged, hedges to how many there were."""
    found = facts(whole)
    models, cost, hedges = model_bars(found), cost_bars(found), hedge_bars(found)
    assert models is not None
    assert cost is not None
    assert hedges is not None
    assert [bar.total for bar in models.bars] == [pytest.approx(1.0)] * 2
    assert cost.bars[2].total == pytest.approx(found.arms[1].cost_usd)
    assert cost.bars[3].total == pytest.approx(found.arms[1].baseline_usd)
    assert [bar.total for bar in hedges.bars] == [found.arms[1].counts.hedged]


def test_what_did_not_happen_is_not_drawn(whole: LoadResult) -> None:
    """No hedges, no bars of them; no models, no mix."""
    arm = replace(whole.arms[0], counts=type(whole.whole_run)())
    bare = facts(replace(whole, arms=(arm,)))
    assert (model_bars(bare), cost_bars(bare), hedge_bars(bare)) == (None, None, None)


@pytest.mark.parametrize(
    ("seconds", "label"),
    [(0.0, "0"), (0.0005, "500 µs"), (0.25, "250 ms"), (1.0, "1 s"), (120.0, "120 s")],
)
def test_axes_say_times_shortly(seconds: float, label: str) -> None:
    """As short as can be, with the unit."""
    assert seconds_label(seconds) == label
