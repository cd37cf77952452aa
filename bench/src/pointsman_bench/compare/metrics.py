"""What is compared between two runs, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pointsman_bench import results
from pointsman_bench.report.facts import QUANTILES, TITLES
from pointsman_bench.report.rounds import Better
from pointsman_bench.report.units import Unit
from pointsman_bench.results import Counts, LoadResult

NANO = 1e-9


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of a latency: of the merged histograms of all slices."""

    histogram: str
    share: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """A sum over all slices by another sum. ``below`` of None is the slices' time in seconds."""

    above: Callable[[Counts], float]
    below: Callable[[Counts], float] | None


@dataclass(frozen=True, slots=True)
class Single:
    """A value that a run has only one of, so that nothing is known of its chance."""

    value: Callable[[LoadResult], float | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a run, in base units: seconds, shares of 1, dollars, bytes."""

    name: str
    title: str
    unit: Unit
    better: Better
    source: Quantile | Ratio | Single


def _latencies() -> list[Metric]:
    shown = (results.TTFT, results.GAP, results.TPOT, results.E2E, results.OVERHEAD)
    return [
        Metric(
            f"{metric}_{name}",
            f"{TITLES[metric]} {name}",
            Unit.SECONDS,
            Better.LOWER,
            Quantile(metric, share),
        )
        for metric in shown
        for share, name in QUANTILES
    ]


def _asked(counts: Counts) -> float:
    return counts.sent - counts.cancelled


def _sent(counts: Counts) -> float:
    return counts.sent


def _rates() -> list[Metric]:
    """Per second of time."""
    made: list[tuple[str, str, Better, Callable[[Counts], float]]] = [
        ("goodput", "Goodput", Better.HIGHER, lambda c: c.good),
        ("answered_rate", "Answered", Better.HIGHER, lambda c: c.answered),
        ("token_rate", "Output tokens", Better.HIGHER, lambda c: c.output_tokens),
        ("sent_rate", "Sent", Better.NEITHER, _sent),
    ]
    return [Metric(n, t, Unit.PER_SECOND, better, Ratio(of, None)) for n, t, better, of in made]


def _shares() -> list[Metric]:
    """Parts of a whole."""
    low, high, neither = Better.LOWER, Better.HIGHER, Better.NEITHER
    made: list[tuple[str, str, Better, Ratio]] = [
        ("good_share", "Good", high, Ratio(lambda c: c.good, _asked)),
        ("failed_share", "Failed", low, Ratio(lambda c: c.failed, _asked)),
        ("cut_share", "Cut in mid-answer", low, Ratio(lambda c: c.cut, _asked)),
        ("hedged_share", "Hedged", neither, Ratio(lambda c: c.hedged, _sent)),
        (
            "hedge_win_share",
            "Hedges that won",
            neither,
            Ratio(lambda c: c.hedge_wins, lambda c: c.hedged),
        ),
        (
            "cost_of_strongest",
            "Cost against the strongest",
            low,
            Ratio(lambda c: c.cost, lambda c: c.baseline_cost),
        ),
        (
            "lost_hedge_cost",
            "Cost of hedges that lost",
            low,
            Ratio(lambda c: c.lost_hedge_cost, lambda c: c.cost),
        ),
    ]
    return [Metric(name, title, Unit.SHARE, better, ratio) for name, title, better, ratio in made]


def _others() -> list[Metric]:
    cost = Ratio(lambda c: c.cost * NANO * 1000, lambda c: c.answered)
    attempts = Ratio(lambda c: c.attempts, _sent)
    return [
        Metric("cost_per_1k_answers", "Cost per 1,000 answers", Unit.USD, Better.LOWER, cost),
        Metric("attempts_per_request", "Attempts per request", Unit.PLAIN, Better.LOWER, attempts),
    ]


def _server_cpu(result: LoadResult) -> float | None:
    server = result.server
    if server is None or server.cpu_s is None or not server.requests:
        return None
    return server.cpu_s / server.requests


def _server_memory(result: LoadResult) -> float | None:
    return None if result.server is None else result.server.peak_rss_bytes


def _calls(result: LoadResult) -> float | None:
    return None if result.provider is None else result.provider.calls_per_request


def _singles() -> list[Metric]:
    lower = Better.LOWER
    return [
        Metric("server_cpu", "Server CPU per request", Unit.SECONDS, lower, Single(_server_cpu)),
        Metric("server_memory", "Server peak memory", Unit.BYTES, lower, Single(_server_memory)),
        Metric("provider_calls", "Provider calls per request", Unit.PLAIN, lower, Single(_calls)),
    ]


METRICS: tuple[Metric, ...] = (
    *_latencies(),
    *_rates(),
    *_shares(),
    *_others(),
    *_singles(),
)
"""All there are, in the order in which they are shown."""


def names() -> list[str]:
    """The names of all metrics."""
    return [metric.name for metric in METRICS]


def metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        KeyError: there is none.
    """
    for one in METRICS:
        if one.name == name:
            return one
    raise KeyError(name)
