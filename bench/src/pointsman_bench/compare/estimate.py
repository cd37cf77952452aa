"""Two series of slices: a figure of each, the change, and how far chance could have moved it.

Pure arithmetic on arrays; `judge` names the figures and puts verdicts on them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pointsman_bench.compare.bootstrap import (
    REPLICATES,
    Floats,
    Interval,
    block_length,
    interval,
    quantiles,
    weights,
)
from pointsman_bench.compare.slices import Histograms

Strata = tuple[int, ...]

LONGER = 3.0
"""Blocks are so many times as long as the rule says. The rule balances the bias of a variance
against its noise; an interval suffers more from the bias, which makes it too short where slices
depend on each other. In simulated runs of one to five minutes (see the tests) 94 to 99 % of the
intervals so hold the true change where slices depend on each other little, 90 to 95 % where they
do much; with blocks as the rule says it was 83 to 92 %."""
FEWEST_BLOCKS = 5
"""A series has at least so many blocks: shorter ones then, and a wider interval."""


@dataclass(frozen=True, slots=True)
class Method:
    """How the intervals are made: see `bootstrap`."""

    level: float = 0.95
    replicates: int = REPLICATES
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Design:
    """How the slices of two sides are resampled: within ``strata``, alike where ``paired``."""

    strata: tuple[Strata, Strata]
    paired: bool
    method: Method

    def draw(self, name: str, length: float) -> tuple[Floats, Floats]:
        """Weights of both sides' slices; the same for the same ``name``, whatever else is drawn."""
        key, count = zlib.crc32(name.encode()), self.method.replicates
        random = np.random.default_rng([self.method.seed, key])
        first = weights(random, self.strata[0], length, count)
        if self.paired:
            return first, first
        random = np.random.default_rng([self.method.seed, key, 1])
        return first, weights(random, self.strata[1], length, count)

    def length(self, series: Iterable[Floats]) -> float:
        """The mean block length in slices: what the most dependent of ``series`` asks for."""
        most = max(1.0, min(sum(side) for side in self.strata) / FEWEST_BLOCKS)
        return min(LONGER * max(block_length(one) for one in series), most)

    def effective(self, length: float) -> float:
        """How many independent blocks the shorter side has."""
        return min(sum(side) for side in self.strata) / length


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure of A and of B (NaN where there is none) and the intervals of the change.

    ``length`` is the mean block length in slices. An interval is None where too many replicates
    had no value; that of the ratio also where A is 0.
    """

    a: float
    b: float
    difference: Interval | None
    ratio: Interval | None
    length: float


def quantile_estimates(
    name: str, sides: tuple[Histograms, Histograms], shares: Sequence[float], design: Design
) -> list[Estimate]:
    """Quantiles of the merged histograms of all slices, one estimate for each of ``shares``."""
    measured = [_quantiles(h, np.ones((1, len(h.counts))), shares) for h in sides]
    length = design.length(
        _centred(_exceeding(h, float(value), share), strata)
        for h, row, strata in zip(sides, measured, design.strata, strict=True)
        for value, share in zip(row[0], shares, strict=True)
    )
    drawn = design.draw(name, length)
    of_a, of_b = (_quantiles(h, w, shares) for h, w in zip(sides, drawn, strict=True))
    return [
        _estimate(
            float(measured[0][0, n]),
            float(measured[1][0, n]),
            of_a[:, n],
            of_b[:, n],
            length,
            design,
        )
        for n in range(len(shares))
    ]


def ratio_estimate(
    name: str, above: tuple[Floats, Floats], below: tuple[Floats, Floats], design: Design
) -> Estimate:
    """Sums over all slices by other sums, such as failures by requests."""
    a, b = (float(by(x.sum(), y.sum())) for x, y in zip(above, below, strict=True))
    length = design.length(
        _centred(x - (0.0 if math.isnan(value) else value) * y, strata)
        for value, x, y, strata in zip((a, b), above, below, design.strata, strict=True)
    )
    drawn = design.draw(name, length)
    of_a, of_b = (by(w @ x, w @ y) for w, x, y in zip(drawn, above, below, strict=True))
    return _estimate(a, b, of_a, of_b, length, design)


def _estimate(
    a: float, b: float, of_a: Floats, of_b: Floats, length: float, design: Design
) -> Estimate:
    effective, level = design.effective(length), design.method.level
    difference = interval(of_b - of_a, level, effective)
    ratio = interval(by(of_b, of_a), level, effective) if a else None
    return Estimate(a, b, difference, ratio, length)


def _quantiles(h: Histograms, drawn: Floats, shares: Sequence[float]) -> Floats:
    if not h.total:
        return np.full((len(drawn), len(shares)), np.nan)
    return quantiles(drawn, h.counts, h.values, shares)


def _exceeding(h: Histograms, value: float, share: float) -> Floats:
    """By how much more of each slice's observations exceed a quantile than should.

    The quantile's linearisation (its influence function, up to a factor): what depends on time in
    it depends on time in the quantile.
    """
    above = h.counts[:, h.values > value].sum(axis=1)
    every = h.counts.sum(axis=1)
    return np.asarray(above - (1 - share) * every, dtype=np.float64)


def _centred(series: Floats, strata: Strata) -> Floats:
    """The series less the mean of each stratum, whose difference is no chance."""
    parts = np.split(series, np.cumsum(strata)[:-1])
    return np.concatenate([part - part.mean() for part in parts])


def by(above: Floats, below: Floats) -> Floats:
    """Above by below, NaN where there is nothing below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(below) > 0, np.divide(above, below), np.nan)
