"""Figures of two series, and how their slices are resampled."""

from __future__ import annotations

import numpy as np
import pytest
from pointsman_bench.compare.estimate import (
    FEWEST_BLOCKS,
    Design,
    Method,
    _exceeding,
    quantile_estimates,
    ratio_estimate,
)
from pointsman_bench.compare.slices import Histograms

METHOD = Method(replicates=300)


def test_a_stretch_that_differs_by_design_is_no_dependence() -> None:
    """An outage that makes a third of the slices fail does not ask for long blocks."""
    random = np.random.default_rng(1)
    failed = random.poisson(np.repeat([1.0, 30.0, 1.0], 20)).astype(np.float64)
    asked = np.full(60, 50.0)
    whole, apart = (
        ratio_estimate("x", (failed, failed), (asked, asked), Design((s, s), True, METHOD))
        for s in ((60,), (20, 20, 20))
    )
    assert whole.length > 2 * apart.length


def test_what_exceeds_a_quantile_adds_up_to_nothing() -> None:
    """Of all observations just the share beyond it lies beyond it."""
    random = np.random.default_rng(2)
    counts = random.poisson(5.0, (30, 200)).astype(np.float64)
    h = Histograms(np.arange(1.0, 201.0), counts)
    for share in (0.5, 0.9, 0.99):
        value = quantile_estimates("x", (h, h), [share], Design(((30,), (30,)), True, METHOD))[0].a
        assert abs(_exceeding(h, value, share).sum()) <= counts.sum(axis=0).max()


def test_a_short_series_has_a_few_blocks_at_least() -> None:
    """Else there would be nothing to resample."""
    trend = np.arange(20.0)
    design = Design(((20,), (20,)), False, METHOD)
    assert design.length([trend]) == 20 / FEWEST_BLOCKS
    assert design.effective(4.0) == 5.0


def test_paired_slices_are_drawn_alike_and_others_are_not() -> None:
    """What two runs have in common cancels out only where it belongs together."""
    strata = (30,), (30,)
    a, b = Design(strata, True, METHOD).draw("x", 2.0)
    assert np.array_equal(a, b)
    a, b = Design(strata, False, METHOD).draw("x", 2.0)
    assert not np.array_equal(a, b)


def test_what_is_drawn_for_a_figure_depends_on_nothing_else() -> None:
    """Adding a metric changes no other metric's interval."""
    design = Design(((30,), (30,)), True, METHOD)
    first = design.draw("ttft", 2.0)[0]
    design.draw("other", 3.0)
    assert np.array_equal(design.draw("ttft", 2.0)[0], first)
    assert not np.array_equal(design.draw("gap", 2.0)[0], first)


def test_a_ratio_to_nothing_is_none_and_a_difference_is_there() -> None:
    """From no failures to some there is a difference, and no factor."""
    none, some, asked = np.zeros(40), np.full(40, 3.0), np.full(40, 50.0)
    design = Design(((40,), (40,)), False, METHOD)
    made = ratio_estimate("failed", (none, some), (asked, asked), design)
    assert (made.a, made.b, made.ratio) == (0.0, 0.06, None)
    assert made.difference is not None
    assert made.difference.low == pytest.approx(0.06)
