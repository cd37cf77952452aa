"""One side of a comparison, by slices of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pointsman_bench.compare.bootstrap import Floats
from pointsman_bench.report.histograms import MICRO, Distribution, merged, of
from pointsman_bench.results import Arm, Counts, LoadResult, ResultFileError, Slice

MAX_SLICES = 600
"""Of longer runs, neighbouring slices are put together, so that work and memory stay bounded."""

Group = tuple[Slice, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """An arm of a run. ``groups`` are its slices, put together where they are very many.

    ``strata`` are the numbers of groups of the stretches between the run's phases.
    """

    label: str
    result: LoadResult
    arm: Arm
    groups: tuple[Group, ...]
    strata: tuple[int, ...]

    def sums(self, of_counts: Callable[[Counts], float] | None) -> Floats:
        """A figure of each group: the sum over its slices; of None, their length in seconds."""
        if of_counts is None:
            each = (sum(s.length_s for s in group) for group in self.groups)
        else:
            each = (sum(of_counts(s.counts) for s in group) for group in self.groups)
        return np.fromiter(each, np.float64, len(self.groups))

    def histograms(self, metric: str) -> Histograms:
        """The groups' histograms of a metric, over common buckets.

        Raises:
            ResultFileError: one is damaged.
        """
        try:
            parts = [merged(of(s.histograms, metric) for s in group) for group in self.groups]
        except ResultFileError as error:
            raise ResultFileError(f"{self.label}: {metric}: {error}") from None
        return aligned(parts)


@dataclass(frozen=True, slots=True)
class Histograms:
    """``counts`` (slices, buckets) and what the buckets stand for, in rising seconds."""

    values: Floats
    counts: Floats

    @property
    def total(self) -> int:
        """How many observations there are."""
        return int(self.counts.sum())


def aligned(parts: Sequence[Distribution]) -> Histograms:
    """Histograms over the buckets that any of them has."""
    whole = merged(parts)
    counts = np.zeros((len(parts), len(whole.values)))
    for row, part in enumerate(parts):
        counts[row, np.searchsorted(whole.values, part.values)] = part.counts
    return Histograms(whole.values.astype(np.float64) * MICRO, counts)


def side(label: str, result: LoadResult, arm: Arm) -> Side:
    """Prepare an arm for comparison."""
    strata = _strata(result, arm.slices)
    size = -(-len(arm.slices) // MAX_SLICES) if arm.slices else 1
    groups: list[Group] = []
    counts: list[int] = []
    for start, end in pairwise([0, *np.cumsum(strata).tolist()]):
        within = [arm.slices[n : min(n + size, end)] for n in range(start, end, size)]
        groups += within
        counts.append(len(within))
    return Side(label, result, arm, tuple(groups), tuple(counts))


def _strata(result: LoadResult, slices: Sequence[Slice]) -> list[int]:
    """How many slices lie between each two of the times at which a phase begins or ends."""
    edges = sorted({t for phase in result.run.phases for t in (phase.start_s, phase.end_s)})
    middles = [one.start_s + one.length_s / 2 for one in slices]
    stretch = np.searchsorted(np.asarray(edges), np.asarray(middles), side="right")
    lengths = np.bincount(stretch.astype(np.int64), minlength=1).tolist() if middles else []
    return [int(length) for length in lengths if length]


def paired(a: Side, b: Side) -> bool:
    """Whether the sides' slices belong together one by one.

    They do where both had the same arrivals at the same times: as arms of one run, or as runs of
    one scenario with one seed. Then both are resampled alike, and what is common cancels out.
    """
    if a.strata != b.strata or not np.array_equal(a.sums(None), b.sums(None)):
        return False
    first, second = a.result.run, b.result.run
    if first is second:
        return True
    same = (first.scenario, first.arrival, first.rate, first.seed, first.slice_s)
    return same == (second.scenario, second.arrival, second.rate, second.seed, second.slice_s)
