"""What a report says of a run, as plain numbers in base units (seconds, dollars, shares of 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pointsman_bench import results
from pointsman_bench.report.histograms import Distribution, of
from pointsman_bench.results import Arm, Counts, LoadResult

QUANTILES = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"))
MAX_NAMES = 12
"""Models, statuses and the like that are listed; the rest are added up as `OTHERS`."""
OTHERS = "all others"
NANO = 1e-9

TITLES = {
    results.TTFT: "TTFT",
    results.GAP: "Gap",
    results.TPOT: "TPOT",
    results.E2E: "End to end",
    results.FAILURE: "Time to error",
    results.LAG: "Generator lag",
    results.OVERHEAD: "Server overhead",
}
MEANINGS = {
    results.TTFT: "Time to first text, from the moment a request was due.",
    results.GAP: "Between two messages with text of one stream: how long a reader saw nothing new.",
    results.TPOT: "Time per output token: (last text − first text) / (output tokens − 1).",
    results.E2E: "From the moment a request was due to the end of its whole answer.",
    results.FAILURE: "From the moment a request was due to its error.",
    results.LAG: "From due to really sent: the generator's own fault, and part of the times above.",
    results.OVERHEAD: "Reading the prompt and deciding, as the server states it.",
}
SHOWN = (results.TTFT, results.GAP, results.TPOT, results.E2E, results.OVERHEAD, results.FAILURE)


@dataclass(frozen=True, slots=True)
class Latency:
    """A metric's quantiles in seconds, in the order of `QUANTILES`, and its maximum.

    ``steady`` says of each quantile whether enough observations lie beyond it to be relied upon.
    """

    metric: str
    count: int
    quantiles: tuple[float | None, ...]
    steady: tuple[bool, ...]
    highest: float | None


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """One side of a run. Rates are per second of measured time; a share is None of nothing.

    ``asked`` are the requests that the generator did not leave by itself: sent less cancelled.
    """

    name: str
    offered_rate: float
    counts: Counts
    latencies: tuple[Latency, ...]
    asked: int
    sent_rate: float | None
    answered_rate: float | None
    good_rate: float | None
    token_rate: float | None
    answered_share: float | None
    good_share: float | None
    failed_share: float | None
    cut_share: float | None
    hedged_share: float | None
    hedge_win_share: float | None
    attempts_per_request: float | None
    cost_usd: float
    baseline_usd: float
    cost_of_baseline: float | None
    cost_per_1k_answers_usd: float | None
    lost_hedge_share: float | None

    def latency(self, metric: str) -> Latency | None:
        """A metric's quantiles; None where it has no value."""
        return next((row for row in self.latencies if row.metric == metric), None)


@dataclass(frozen=True, slots=True)
class Facts:
    """A whole run. ``provider_late`` is how late the simulated upstream was; None if unknown."""

    result: LoadResult
    arms: tuple[ArmFacts, ...]
    lag: Latency
    provider_late: Latency | None


def facts(result: LoadResult) -> Facts:
    """Work out what a report says.

    Raises:
        ResultFileError: a histogram is damaged.
    """
    arms = tuple(_arm(arm, result.run.measured_s) for arm in result.arms)
    lag = latency(results.LAG, of({results.LAG: result.generator.lag}, results.LAG))
    late = result.provider.late if result.provider is not None else ""
    provider = latency("", of({"": late}, "")) if late else None
    return Facts(result, arms, lag, provider)


def _arm(arm: Arm, seconds: float) -> ArmFacts:
    counts = arm.counts
    found = ((metric, of(arm.histograms, metric)) for metric in SHOWN)
    asked = counts.sent - counts.cancelled
    return ArmFacts(
        name=arm.name,
        offered_rate=arm.offered_rate,
        counts=counts,
        latencies=tuple(latency(metric, seen) for metric, seen in found if seen.total),
        asked=asked,
        sent_rate=share(counts.sent, seconds),
        answered_rate=share(counts.answered, seconds),
        good_rate=share(counts.good, seconds),
        token_rate=share(counts.output_tokens, seconds),
        answered_share=share(counts.answered, asked),
        good_share=share(counts.good, asked),
        failed_share=share(counts.failed, asked),
        cut_share=share(counts.cut, asked),
        hedged_share=share(counts.hedged, counts.sent),
        hedge_win_share=share(counts.hedge_wins, counts.hedged),
        attempts_per_request=share(counts.attempts, counts.sent),
        cost_usd=counts.cost * NANO,
        baseline_usd=counts.baseline_cost * NANO,
        cost_of_baseline=share(counts.cost, counts.baseline_cost),
        cost_per_1k_answers_usd=share(counts.cost * NANO * 1000, counts.answered),
        lost_hedge_share=share(counts.lost_hedge_cost, counts.cost),
    )


def latency(metric: str, seen: Distribution) -> Latency:
    """A distribution's quantiles."""
    return Latency(
        metric,
        seen.total,
        tuple(seen.quantile(q) for q, _ in QUANTILES),
        tuple(seen.steady(q) for q, _ in QUANTILES),
        seen.highest,
    )


def share(part: float, whole: float) -> float | None:
    """``part`` of ``whole``; None of nothing."""
    return part / whole if whole else None


def largest(counts: Mapping[str, int], most: int = MAX_NAMES) -> list[tuple[str, int]]:
    """Names by falling count, the rest added up, so that no file can make a page without end."""
    seen = [item for item in counts.items() if item[1]]
    ordered = sorted(seen, key=lambda item: (-item[1], item[0]))
    if len(ordered) <= most:
        return ordered
    rest = sum(count for _, count in ordered[most - 1 :])
    return [*ordered[: most - 1], (OTHERS, rest)]


def names(mixes: list[Mapping[str, int]], most: int = MAX_NAMES) -> list[str]:
    """Names that several mixes share a list of, the most frequent over all first."""
    total: dict[str, int] = {}
    for mix in mixes:
        for name, count in mix.items():
            total[name] = total.get(name, 0) + count
    return [name for name, _ in largest(total, most)]


def of_name(mix: Mapping[str, int], name: str, listed: list[str]) -> int:
    """A name's count; of `OTHERS`, that of all that are not listed."""
    if name != OTHERS or name in mix:
        return mix.get(name, 0)
    return sum(count for other, count in mix.items() if other not in listed)
