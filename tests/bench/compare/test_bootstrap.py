"""The stationary bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.compare.bootstrap import (
    Floats,
    block_length,
    interval,
    quantiles,
    student_quantile,
    weights,
)


def autoregressive(random: np.random.Generator, size: int, memory: float) -> Floats:
    """A series in which each value remembers a share of the one before."""
    series = np.zeros(size)
    for n in range(1, size):
        series[n] = memory * series[n - 1] + random.standard_normal()
    return series


@pytest.mark.parametrize("memory", [0.5, 0.8])
def test_block_lengths_are_those_of_the_theory(memory: float) -> None:
    """For an autoregression of order one, Politis & White's optimum is known in closed form.

    With the sums over all lags of |k| R(k) and R(k), the length is (G²/S²)^(1/3) n^(1/3).
    """
    random = np.random.default_rng(3)
    size = 600
    found = np.mean([block_length(autoregressive(random, size, memory)) for _ in range(60)])
    moment, spectrum = 2 * memory / (1 - memory) ** 2, (1 + memory) / (1 - memory)
    known = (moment / spectrum) ** (2 / 3) * size ** (1 / 3)
    assert found == pytest.approx(known, rel=0.2)


def test_independent_slices_need_no_blocks() -> None:
    """Noise is resampled nearly one by one, and what never changes exactly so."""
    random = np.random.default_rng(4)
    found = [block_length(random.standard_normal(300)) for _ in range(50)]
    assert np.median(found) < 2
    assert block_length(np.ones(300)) == 1.0
    assert block_length(np.zeros(2)) == 1.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80))
def test_a_block_length_is_always_usable(series: list[float]) -> None:
    """At least one slice, and never so long that there is but one block."""
    length = block_length(np.array(series))
    assert 1.0 <= length <= max(1.0, np.ceil(len(series) / 3))


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.floats(1.0, 30.0))
def test_every_stretch_keeps_its_length(strata: list[int], length: float) -> None:
    """A replicate has as many slices before, in and after an outage as the run had."""
    drawn = weights(np.random.default_rng(1), strata, length, 20)
    parts = np.split(drawn, np.cumsum(strata)[:-1], axis=1)
    for part, size in zip(parts, strata, strict=True):
        assert (part.sum(axis=1) == size).all()


def test_blocks_follow_each_other_in_time() -> None:
    """Long blocks take neighbours together, single slices do not."""
    random = np.random.default_rng(2)

    def together(length: float) -> float:
        drawn = weights(random, [200], length, 400)
        return float(np.corrcoef(drawn[:, 50], drawn[:, 51])[0, 1])

    assert abs(together(1.0)) < 0.15
    assert together(10.0) == pytest.approx(0.9, abs=0.1)


def test_every_slice_is_as_likely_as_the_next() -> None:
    """Blocks run around the end, so the last slices are not taken less often."""
    drawn = weights(np.random.default_rng(5), [40], 6.0, 4000)
    assert np.allclose(drawn.mean(axis=0), 1.0, atol=0.12)


@given(st.data())
def test_quantiles_of_replicates_are_those_of_the_repeated_observations(
    data: st.DataObject,
) -> None:
    """Weighting histograms gives what sorting all the observations would."""
    slices, buckets = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
    row = st.lists(st.integers(0, 4), min_size=buckets, max_size=buckets)
    counts = np.array(data.draw(st.lists(row, min_size=slices, max_size=slices)), dtype=np.float64)
    drawn = np.array(
        [data.draw(st.lists(st.integers(0, 3), min_size=slices, max_size=slices))], dtype=np.float64
    )
    values = np.arange(1.0, buckets + 1)
    share = data.draw(st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
    times = (drawn[0] @ counts).astype(int)
    everything = np.repeat(values, times)
    found = quantiles(drawn, counts, values, [share])[0, 0]
    if not len(everything):
        assert np.isnan(found)
    else:
        rank = max(1, int(np.ceil(share * len(everything) - 1e-9)))
        assert found == everything[rank - 1]


@pytest.mark.parametrize(
    ("freedom", "known"), [(3, 3.182446), (5, 2.570582), (10, 2.228139), (100, 1.983972)]
)
def test_students_quantiles_are_those_of_the_tables(freedom: int, known: float) -> None:
    """97.5 % points, as printed in any table."""
    assert student_quantile(0.975, freedom) == pytest.approx(known, rel=0.002)


def test_few_samples_widen_an_interval() -> None:
    """Five blocks know less than five hundred, whatever their replicates look like."""
    replicates = np.random.default_rng(1).standard_normal(20_000)
    few, many = interval(replicates, 0.95, 5), interval(replicates, 0.95, 500)
    assert few is not None
    assert many is not None
    assert many.high == pytest.approx(1.96, abs=0.06)
    assert few.high == pytest.approx(2.776 * np.sqrt(5 / 4), abs=0.2)
    assert few.low < many.low


def test_an_interval_of_next_to_nothing_is_none() -> None:
    """Replicates without a value are not quietly left out."""
    replicates = np.array([np.nan] * 5 + [1.0] * 95)
    assert interval(replicates, 0.95, 50) is None
    assert interval(np.array([np.nan]), 0.95, 50) is None
