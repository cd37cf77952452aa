"""Arrival processes: when requests are due. Pure: seeded randomness in, seconds out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pointsman_bench.load.errors import UsageError

Arrival = Literal["poisson", "constant"]

MAX_REQUESTS = 5_000_000
"""The most that a run may send: every process holds the whole schedule."""

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Step:
    """From ``start_s`` on the rate is ``factor`` times the base rate, until the next step."""

    start_s: float
    factor: float


@dataclass(frozen=True, slots=True)
class RateProfile:
    """A rate (a second) that changes in steps. Steps lie in order and after 0."""

    rate: float
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise UsageError(f"--rate: {self.rate:g} requests a second; give a number over 0")
        starts = [0.0, *(step.start_s for step in self.steps)]
        if any(b <= a for a, b in pairwise(starts)):
            raise UsageError("rate steps: each begins after the one before it, and after 0")
        if any(not 0 < step.factor < math.inf for step in self.steps):
            raise UsageError("rate steps: a factor is a number over 0")

    def expected(self, duration_s: float) -> float:
        """How many requests are due in ``duration_s``, on average."""
        knots, counts = self._integral(duration_s)
        return float(np.interp(duration_s, knots, counts))

    def times(self, counts: Times, duration_s: float) -> Times:
        """When the integral of the rate reaches each of ``counts``: the inverse of `expected`."""
        knots, integral = self._integral(duration_s)
        return np.interp(counts, integral, knots)

    def _integral(self, duration_s: float) -> tuple[list[float], list[float]]:
        """The knots of the integral of the rate, which is linear between them."""
        steps = [Step(0.0, 1.0), *(s for s in self.steps if s.start_s < duration_s)]
        knots = [step.start_s for step in steps] + [duration_s]
        counts = [0.0]
        for step, end in zip(steps, knots[1:], strict=True):
            counts.append(counts[-1] + (end - step.start_s) * self.rate * step.factor)
        return knots, counts


def due_times(
    arrival: Arrival, profile: RateProfile, duration_s: float, rng: np.random.Generator
) -> Times:
    """When requests are due, in rising order within [0, ``duration_s``).

    "poisson" is a Poisson process whose rate is the profile's: given how many arrivals there are,
    they lie independently, by the integral of the rate (order statistics; Lewis and Shedler,
    "Simulation of nonhomogeneous Poisson processes by thinning", 1979, section 1). "constant"
    lays them at equal distances of that integral.

    Raises:
        UsageError: more than `MAX_REQUESTS` would be due.
    """
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise UsageError(f"--duration: {duration_s:g} s; give a length over 0")
    total = profile.expected(duration_s)
    if total > MAX_REQUESTS:
        raise UsageError(
            f"--rate and --duration: {total:.0f} requests would be due, and a run sends at most "
            f"{MAX_REQUESTS}; lower one of the two"
        )
    if arrival == "poisson":
        counts = np.sort(rng.uniform(0.0, total, rng.poisson(total)))
    else:
        counts = np.arange(0.0, total, 1.0)
    times = profile.times(counts, duration_s)
    return times[times < duration_s]  # rounding may reach the end


def bursts(
    duration_s: float, spells: Sequence[tuple[float, float]], factor: float
) -> tuple[Step, ...]:
    """Steps for spells of ``factor`` times the rate, each (start, end) as shares of the time."""
    steps: list[Step] = []
    for start, end in spells:
        steps += [Step(start * duration_s, factor), Step(end * duration_s, 1.0)]
    return tuple(steps)
