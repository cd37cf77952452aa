"""A run in short: for a terminal, and as small JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pointsman_bench.results import (
    E2E,
    GAP,
    LAG,
    METRICS,
    OVERHEAD,
    TPOT,
    TTFT,
    Arm,
    Check,
    Counts,
    LoadResult,
    Verdict,
    histogram,
)

QUANTILES = (50.0, 90.0, 99.0, 99.9)
NANOS_PER_USD = 1e9
_SHOWN = (
    (TTFT, "first token, from due"),
    (E2E, "whole answer, from due"),
    (TPOT, "per output token"),
    (GAP, "between messages"),
    (OVERHEAD, "routing overhead"),
    (LAG, "generator's lag"),
)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Milliseconds of one metric."""

    count: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p99_9_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One side of the run in short. Rates are a second; shares lie between 0 and 1."""

    name: str
    counts: Counts
    latencies: Mapping[str, Quantiles]
    requests_per_s: float
    answers_per_s: float
    goodput_per_s: float
    goodput_share: float
    error_share: float
    output_tokens_per_s: float
    hedge_rate: float
    hedge_win_rate: float
    lost_hedge_cost_share: float
    cost_usd: float
    baseline_cost_usd: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in short; ``valid`` says whether its numbers may be used."""

    scenario: str
    valid: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    interrupted: bool
    measured_s: float
    arms: tuple[ArmSummary, ...]
    checks: tuple[Check, ...]
    provider_calls_per_request: float | None
    generator_cpu_us_per_request: float
    generator_saturates_at: float | None


def summarise(result: LoadResult) -> Summary:
    """Make a summary."""
    return Summary(
        scenario=result.run.scenario,
        valid=result.verdict.valid,
        reasons=result.verdict.reasons,
        warnings=result.verdict.warnings,
        interrupted=result.run.interrupted,
        measured_s=result.run.measured_s,
        arms=tuple(_arm(arm, result.run.measured_s) for arm in result.arms),
        checks=result.checks,
        provider_calls_per_request=result.provider.calls_per_request if result.provider else None,
        generator_cpu_us_per_request=result.generator.cpu_us_per_request,
        generator_saturates_at=result.generator.saturates_at,
    )


def as_json(summary: Summary) -> str:
    """The summary as JSON."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=2).decode()


def quantiles(encoded: str) -> Quantiles:
    """Quantiles of an encoded histogram."""
    found = histogram(encoded)
    p50, p90, p99, p999 = (found.get_value_at_percentile(q) / 1000 for q in QUANTILES)
    return Quantiles(found.get_total_count(), p50, p90, p99, p999, found.get_max_value() / 1000)


def _arm(arm: Arm, measured_s: float) -> ArmSummary:
    counts = arm.counts
    stayed = counts.sent - counts.cancelled
    return ArmSummary(
        name=arm.name,
        counts=counts,
        latencies={m: quantiles(arm.histograms[m]) for m in METRICS if m in arm.histograms},
        requests_per_s=_by(counts.sent, measured_s),
        answers_per_s=_by(counts.answered, measured_s),
        goodput_per_s=_by(counts.good, measured_s),
        goodput_share=_by(counts.good, stayed),
        error_share=_by(counts.failed, stayed),
        output_tokens_per_s=_by(counts.output_tokens, measured_s),
        hedge_rate=_by(counts.hedged, counts.sent),
        hedge_win_rate=_by(counts.hedge_wins, counts.hedged),
        lost_hedge_cost_share=_by(counts.lost_hedge_cost, counts.cost),
        cost_usd=counts.cost / NANOS_PER_USD,
        baseline_cost_usd=counts.baseline_cost / NANOS_PER_USD,
    )


def show(result: LoadResult, console: Console) -> None:
    """Print a run."""
    summary = summarise(result)
    for arm in summary.arms:
        console.print(_table(arm, len(summary.arms) > 1))
        for line in _lines(arm, result):
            console.print(line, highlight=False, soft_wrap=True)
    if result.provider is not None:
        console.print(
            f"providers saw {result.provider.calls_per_request:.3f} calls a request; "
            f"{sum(m.cancelled for m in result.provider.models.values())} were cancelled",
            highlight=False,
            soft_wrap=True,
        )
    for check in result.checks:
        mark = "agrees" if check.passed else "DIFFERS"
        console.print(f"{mark}: {check.name} ({check.detail})", style="dim", soft_wrap=True)
    generator = result.generator
    saturates = ""
    if generator.saturates_at is not None:
        saturates = f"; it would saturate at about {generator.saturates_at:.0f} requests a second"
    console.print(
        f"generator: {generator.processes} process(es), {generator.cpu_us_per_request:.0f} µs of "
        f"CPU a request, busiest {generator.busiest:.0%} of a core{saturates}",
        style="dim",
        highlight=False,
        soft_wrap=True,
    )
    _print_verdict(result.verdict, console)


def _print_verdict(verdict: Verdict, console: Console) -> None:
    for warning in verdict.warnings:
        console.print(Text(f"mind: {warning}", style="yellow"), soft_wrap=True)
    if verdict.valid:
        console.print(Text("valid", style="bold green"))
        return
    console.print(Text("INVALID: do not use these numbers", style="bold red"))
    for reason in verdict.reasons:
        console.print(Text(f"  {reason}", style="red"), soft_wrap=True)


def _table(arm: ArmSummary, named: bool) -> Table:
    table = Table(f"ms, {arm.name}" if named else "ms", box=None)
    for name in ("count", "p50", "p90", "p99", "p99.9", "max"):
        table.add_column(name, justify="right")
    for metric, label in _SHOWN:
        found = arm.latencies.get(metric)
        if found is not None and found.max_ms > 0:  # answers that come at once have no gaps
            values = (found.p50_ms, found.p90_ms, found.p99_ms, found.p99_9_ms, found.max_ms)
            table.add_row(label, str(found.count), *(f"{value:.1f}" for value in values))
    return table


def _lines(arm: ArmSummary, result: LoadResult) -> Iterator[str]:
    counts = arm.counts
    objectives = ", ".join(f"{o.metric} ≤ {o.limit_s:g} s" for o in result.run.objectives)
    yield (
        f"{counts.sent} sent in {result.run.measured_s:g} s: {counts.answered} answered, "
        f"{counts.failed} failed ({counts.cut} cut), {counts.cancelled} left; "
        f"{arm.output_tokens_per_s:.0f} tokens/s"
    )
    if objectives:
        yield f"good ({objectives}): {arm.goodput_share:.2%}, {arm.goodput_per_s:.1f} a second"
    for name, mix in (("status", counts.statuses), ("reason", counts.reasons)):
        unusual = {key: count for key, count in mix.items() if key != "OK"}
        if unusual:
            yield f"{name}: {_mix(unusual)}"
    yield f"models: {_mix(counts.models)}"
    yield (
        f"hedged {arm.hedge_rate:.2%}, won {arm.hedge_win_rate:.0%} of these; lost hedges are "
        f"{arm.lost_hedge_cost_share:.2%} of the cost"
    )
    saved = 1 - arm.cost_usd / arm.baseline_cost_usd if arm.baseline_cost_usd else 0.0
    yield f"cost {arm.cost_usd:.6f} USD, {saved:.0%} less than always the strongest"


def _mix(mix: Mapping[str, int]) -> str:
    ordered = sorted(mix.items(), key=lambda entry: -entry[1])
    return ", ".join(f"{name} {count}" for name, count in ordered)


def _by(value: float, by: float) -> float:
    return value / by if by else 0.0
