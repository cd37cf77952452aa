"""Do 95 % intervals hold the truth in 95 of 100 runs? Simulated, with a seed, in seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

import numpy as np
import pytest
from pointsman_bench.compare.bootstrap import Floats
from pointsman_bench.compare.estimate import Design, Method, quantile_estimates, ratio_estimate
from pointsman_bench.compare.slices import Histograms

SHARES = (0.5, 0.9)
SPREAD = 0.4
STEP = 0.004
"""Buckets are so wide, on a logarithmic scale."""
LIMIT = 0.5
CHANGE = math.log(1.1)
REQUESTS = 30
ROUNDS = 120


def run(
    random: np.random.Generator, slices: int, memory: float, drift: float, median: float
) -> tuple[Histograms, Floats]:
    """Lognormal latencies whose median drifts from slice to slice, and how many exceed a limit.

    Over all time they are lognormal, with the variances added up: so the truth is known.
    """
    level = np.zeros(slices)
    level[0] = random.standard_normal()
    for n in range(1, slices):
        level[n] = memory * level[n - 1] + math.sqrt(1 - memory**2) * random.standard_normal()
    noise = SPREAD * random.standard_normal((slices, REQUESTS))
    logs = median + drift * level[:, None] + noise
    bucket = np.ceil(logs / STEP).astype(np.int64)
    lowest = int(bucket.min())
    counts = np.zeros((slices, int(bucket.max()) - lowest + 1))
    np.add.at(counts, (np.repeat(np.arange(slices), REQUESTS), (bucket - lowest).ravel()), 1.0)
    values = np.exp((np.arange(counts.shape[1]) + lowest) * STEP)
    return Histograms(values, counts), (logs > LIMIT).sum(axis=1).astype(np.float64)


class OneByOne(Design):
    """What one must not do: resample slices as if they knew nothing of each other."""

    __slots__ = ()

    def length(self, series: Iterable[Floats]) -> float:
        return 1.0


def coverage(
    slices: int,
    memory: float,
    drift: float,
    *,
    paired: bool = False,
    kind: type[Design] = Design,
) -> list[float]:
    """In which share of runs the truth is inside: of p50's and p90's ratio, and of a share."""
    random = np.random.default_rng(11)
    held = np.zeros(len(SHARES) + 1)
    spread = math.hypot(SPREAD, drift)
    exceeding = [1 - NormalDist(m, spread).cdf(LIMIT) for m in (0.0, CHANGE)]
    asked = np.full(slices, float(REQUESTS))
    for seed in range(ROUNDS):
        (a, over_a), (b, over_b) = (run(random, slices, memory, drift, m) for m in (0.0, CHANGE))
        design = kind(((slices,), (slices,)), paired, Method(0.95, 600, seed))
        found = quantile_estimates("ttft", (a, b), SHARES, design)
        for n, one in enumerate(found):
            held[n] += one.ratio is not None and math.exp(CHANGE) in one.ratio
        share = ratio_estimate("failed", (over_a, over_b), (asked, asked), design)
        held[-1] += share.difference is not None and exceeding[1] - exceeding[0] in share.difference
    return [float(one) / ROUNDS for one in held]


@pytest.mark.parametrize(
    ("slices", "memory", "drift", "paired"),
    [(40, 0.0, 0.0, False), (60, 0.3, 0.06, False), (120, 0.6, 0.1, False), (60, 0.3, 0.06, True)],
    ids=["independent", "somewhat dependent", "strongly dependent", "paired"],
)
def test_intervals_hold_the_truth_about_as_often_as_they_say(
    slices: int, memory: float, drift: float, paired: bool
) -> None:
    """Also where slices depend on each other, which a bootstrap of single requests gets wrong."""
    found = coverage(slices, memory, drift, paired=paired)
    # 120 rounds know a share of 95 % to within 2 % (one standard error), three shares to some 1.5 %
    assert min(found) >= 0.9, found
    assert 0.93 <= sum(found) / len(found) <= 0.99, found


def test_slices_that_depend_on_each_other_need_their_blocks() -> None:
    """Resampled one by one they look surer than they are: the truth is often outside."""
    blocks, one_by_one = (coverage(120, 0.6, 0.1, kind=kind) for kind in (Design, OneByOne))
    assert sum(one_by_one) / len(one_by_one) < 0.88, one_by_one
    assert sum(blocks) - sum(one_by_one) > 0.15
