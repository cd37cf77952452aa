"""The stationary bootstrap over slices of time: how far chance alone may have moved a figure.

Requests that follow each other share queues, breakers and neighbours, so single requests must not
be resampled as if they were independent. Whole slices are, in blocks of random length:

- Stationary bootstrap: Politis & Romano, "The Stationary Bootstrap", JASA 89 (1994).
- Mean block length: Politis & White, "Automatic Block-Length Selection for the Dependent
  Bootstrap", Econometric Reviews 23 (2004), as corrected by Patton, Politis & White, ibid. 28
  (2009).
- Interval: the percentile interval, widened for small samples as in Hesterberg, "What Teachers
  Should Know About the Bootstrap", The American Statistician 69 (2015), section 5.

Everything is exact for a given seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REPLICATES = 2000
CHUNK = 256
"""Replicates that are worked on at once, so that memory stays bounded."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``low`` to ``high``; either may be infinite."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def block_length(series: Floats) -> float:
    """The mean block length, in slices, that suits a series of one value a slice; 1 or more.

    Politis & White's rule with the flat-top lag window and the stationary bootstrap's constant,
    2 (sum of autocovariances)^2, of the 2009 correction.
    """
    n = len(series)
    centred = series - series.mean()
    variance = float(centred @ centred) / n
    if n < 8 or variance <= 0:
        return 1.0
    run = max(5, math.ceil(math.sqrt(math.log10(n))))
    most = min(math.ceil(math.sqrt(n)) + run, n - 1)
    lags = np.array([float(centred[k:] @ centred[: n - k]) / n for k in range(most + 1)])
    small = np.abs(lags[1:] / variance) < 2.0 * math.sqrt(math.log10(n) / n)
    window = min(2 * _last_lag(small, run), most)
    k = np.arange(1, window + 1)
    taper = np.clip(2.0 * (1.0 - k / window), 0.0, 1.0)
    covariances = taper * lags[1 : window + 1]
    slope = 2.0 * float((k * covariances).sum())
    spectrum = lags[0] + 2.0 * float(covariances.sum())
    if spectrum <= 0:
        return 1.0
    length = (2.0 * slope**2 / (2.0 * spectrum**2)) ** (1 / 3) * n ** (1 / 3)
    return float(min(max(length, 1.0), math.ceil(min(3.0 * math.sqrt(n), n / 3.0))))


def _last_lag(small: NDArray[np.bool_], run: int) -> int:
    """The lag, from 1, from which on ``run`` autocorrelations in a row are small.

    Where none is followed by so many, the last that is not small.
    """
    for lag in range(len(small) - run + 1):
        if small[lag : lag + run].all():
            return lag + 1
    large = np.flatnonzero(~small)
    return int(large[-1]) + 1 if len(large) else 1


def weights(
    random: np.random.Generator, strata: Sequence[int], length: float, replicates: int
) -> Floats:
    """How often each replicate takes each slice: an array (replicates, slices) that sums to slices.

    ``strata`` are the numbers of slices of stretches that differ by design, such as before, in and
    after an outage: each is resampled within itself, so every replicate has all of them.
    ``length`` is the mean of the blocks' geometric lengths, in slices.
    """
    return np.concatenate([_stratum(random, n, length, replicates) for n in strata], axis=1)


def _stratum(random: np.random.Generator, n: int, length: float, replicates: int) -> Floats:
    at = np.arange(n)
    fresh = random.random((replicates, n)) < 1.0 / min(length, n)
    begun = np.maximum.accumulate(np.where(fresh, at, 0), axis=1)
    starts = random.integers(0, n, (replicates, n))
    taken = (np.take_along_axis(starts, begun, axis=1) + at - begun) % n
    flat = (taken + np.arange(replicates)[:, None] * n).ravel()
    counted = np.bincount(flat, minlength=replicates * n)
    return counted.reshape(replicates, n).astype(np.float64)


def quantiles(drawn: Floats, counts: Floats, values: Floats, shares: Sequence[float]) -> Floats:
    """Quantiles of merged histograms: an array (replicates, shares); NaN of nothing.

    ``drawn`` (replicates, slices) says how often each slice's histogram is taken, ``counts``
    (slices, buckets) are the histograms, ``values`` rise with the buckets. A quantile is the
    smallest value that at least that share of the observations keep to.

    Merging every replicate would cost replicates * slices * buckets; as counts below a value only
    rise with it, bisection needs but the logarithm of the buckets.
    """
    below = np.ascontiguousarray(np.cumsum(counts, axis=1).T)
    found = np.empty((len(drawn), len(shares)))
    for start in range(0, len(drawn), CHUNK):
        taken = drawn[start : start + CHUNK]
        for column, share in enumerate(shares):
            found[start : start + CHUNK, column] = _bisected(taken, below, values, share)
    return found


def _bisected(taken: Floats, below: Floats, values: Floats, share: float) -> Floats:
    """A quantile of each replicate; ``below`` (buckets, slices) are cumulative counts."""
    total = _sums(taken, np.broadcast_to(below[-1], taken.shape))
    rank = np.maximum(1.0, np.ceil(share * total - 1e-9))
    low = np.zeros(len(taken), dtype=np.int64)
    high = np.full(len(taken), len(values) - 1, dtype=np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        enough = _sums(taken, below[middle]) >= rank
        high = np.where(enough, middle, high)
        low = np.where(enough, low, np.minimum(middle + 1, high))
    return np.where(total > 0, values[low], np.nan)


def _sums(a: Floats, b: Floats) -> Floats:
    """The sums over slices of products, without a library's threads: they are not worth it here."""
    return np.asarray(np.einsum("rt,rt->r", a, b))


def interval(replicates: Floats, level: float, effective: float) -> Interval | None:
    """The percentile interval of ``replicates`` at ``level``, widened for few samples.

    ``effective`` is how many independent samples there are in effect: slices by block length. The
    tails are those of a normal distribution at t * sqrt(n / (n - 1)), t being Student's quantile.
    None where more than a hundredth of the replicates have no value.
    """
    known = replicates[~np.isnan(replicates)]
    if len(known) < 0.99 * len(replicates) or not len(known):
        return None
    n = max(effective, 3.0)
    reach = student_quantile(1 - (1 - level) / 2, n - 1) * math.sqrt(n / (n - 1))
    tail = NormalDist().cdf(-reach)
    low, high = np.quantile(known, [tail, 1 - tail], method="inverted_cdf")
    return Interval(float(low), float(high))


def student_quantile(share: float, freedom: float) -> float:
    """Student's t quantile for 2 or more degrees of freedom.

    Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.5; within 1 % at 2 degrees and a
    share of 0.975, and within 0.1 % from 5 degrees on.
    """
    x = NormalDist().inv_cdf(share)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + math.fsum(term / freedom ** (k + 1) for k, term in enumerate(terms))
