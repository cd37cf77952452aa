"""Each metric of two runs: both values, the change with its interval, and a plain verdict.

What the intervals say: how far the change might lie from what was measured, had the same two
systems been measured for as long again under the same conditions. They know of the variation
within the two runs only. What differs from one run to the next, such as where the memory lay or
what else the machine did, is not in them: repeat runs in interleaved rounds to see that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pointsman_bench.compare.bootstrap import Interval
from pointsman_bench.compare.estimate import (
    Design,
    Estimate,
    Method,
    quantile_estimates,
    ratio_estimate,
)
from pointsman_bench.compare.metrics import METRICS, Metric, Quantile, Ratio, Single
from pointsman_bench.compare.slices import Histograms, Side, paired
from pointsman_bench.report.histograms import ENOUGH_BEYOND
from pointsman_bench.report.rounds import Better

MIN_SLICES = 10
"""With fewer, an interval would be a guess."""


class Outcome(StrEnum):
    """What can be said of B against A."""

    BETTER = "better"
    WORSE = "worse"
    HIGHER = "higher"
    LOWER = "lower"
    SAME = "no difference shown"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True, slots=True)
class Finding:
    """A metric of A and of B, in base units. ``why`` says what stands against a verdict.

    ``ratio`` is B by A, None where A is 0. ``block`` is the mean block length in slices.
    """

    metric: Metric
    a: float | None
    b: float | None
    outcome: Outcome
    difference: float | None = None
    difference_interval: Interval | None = None
    ratio: float | None = None
    ratio_interval: Interval | None = None
    block: float | None = None
    why: str = ""


def judge(a: Side, b: Side, method: Method, progress: Callable[[str], None]) -> list[Finding]:
    """Compare B with A in every metric that either of them has.

    ``progress`` is told what is being worked on.

    Raises:
        ResultFileError: a histogram is damaged.
    """
    found: list[Finding] = []
    design = Design((a.strata, b.strata), paired(a, b), method)
    few = _too_few(a, b)
    by_histogram: dict[str, list[tuple[Metric, Quantile]]] = {}
    for metric in METRICS:
        match metric.source:
            case Quantile(histogram=name):
                by_histogram.setdefault(name, []).append((metric, metric.source))
    for name, wanted in by_histogram.items():
        progress(name)
        sides = (a.histograms(name), b.histograms(name))
        if not any(h.total for h in sides) or not all(a.groups and b.groups):
            continue
        estimates = quantile_estimates(name, sides, [q.share for _, q in wanted], design)
        for (metric, source), estimate in zip(wanted, estimates, strict=True):
            found.append(_finding(metric, estimate, few or _too_thin(sides, source.share)))
    progress("counts")
    return [*found, *_counted(a, b, design, few)]


def _counted(a: Side, b: Side, design: Design, few: str) -> Iterator[Finding]:
    """Everything but quantiles."""
    for metric in METRICS:
        match metric.source:
            case Ratio(above, below):
                sums = (a.sums(above), b.sums(above)), (a.sums(below), b.sums(below))
                # where nothing of the kind happened on either side there is nothing to say
                if all(any(one.any() for one in pair) for pair in sums):
                    estimate = ratio_estimate(metric.name, *sums, design)
                    yield _finding(metric, estimate, few)
            case Single(value) if a.result is not b.result:
                yield from _single(metric, value(a.result), value(b.result))


def _too_few(a: Side, b: Side) -> str:
    fewest = min(len(a.groups), len(b.groups))
    return "" if fewest >= MIN_SLICES else f"too few slices: {fewest} of the {MIN_SLICES} it needs"


def _too_thin(sides: tuple[Histograms, Histograms], share: float) -> str:
    fewest = min(h.total for h in sides)
    if fewest * (1 - share) >= ENOUGH_BEYOND - 1e-9:
        return ""
    needed = math.ceil(ENOUGH_BEYOND / (1 - share) - 1e-6)
    return f"too few: {fewest:,} of the {needed:,} it needs"


def _finding(metric: Metric, found: Estimate, against: str) -> Finding:
    """Put a verdict on an estimate, unless something is ``against`` that."""
    first, second = (None if math.isnan(v) else v for v in (found.a, found.b))
    if first is None or second is None:
        lacking = "A" if first is None else "B"
        return Finding(metric, first, second, Outcome.UNKNOWN, why=f"{lacking} has none")
    difference, ratio = second - first, second / first if first else None
    if against or found.difference is None:
        why = against or "too many slices have none"
        return Finding(metric, first, second, Outcome.UNKNOWN, difference, ratio=ratio, why=why)
    return Finding(
        metric,
        first,
        second,
        _outcome(metric.better, found.difference),
        difference,
        found.difference,
        ratio,
        found.ratio,
        found.length,
    )


def _outcome(better: Better, difference: Interval) -> Outcome:
    if 0.0 in difference:
        return Outcome.SAME
    rose = difference.low > 0
    if better is Better.NEITHER:
        return Outcome.HIGHER if rose else Outcome.LOWER
    return Outcome.BETTER if rose == (better is Better.HIGHER) else Outcome.WORSE


def _single(metric: Metric, a: float | None, b: float | None) -> Iterator[Finding]:
    """A metric without an interval: both values and their ratio, and no verdict."""
    if a is not None and b is not None:
        why, ratio = "one value a run", b / a if a else None
        yield Finding(metric, a, b, Outcome.UNKNOWN, b - a, ratio=ratio, why=why)
    elif a is not None or b is not None:
        yield Finding(metric, a, b, Outcome.UNKNOWN, why="only one side has it")
