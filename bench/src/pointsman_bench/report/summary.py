"""A run's report for machines."""

from __future__ import annotations

import msgspec

from pointsman_bench.report.facts import QUANTILES, ArmFacts, Facts, Latency
from pointsman_bench.results import Check, Machine, ProviderBooks, Run, ServerBooks, Verdict


class Times(msgspec.Struct):
    """Seconds."""

    count: int
    quantiles: dict[str, float | None]
    unsteady: list[str]
    max: float | None


class ArmSummary(msgspec.Struct):
    """One side: rates a second, shares of 1, dollars."""

    name: str
    offered_rate: float
    sent: int
    answered: int
    failed: int
    cancelled: int
    cut: int
    answered_rate: float | None
    goodput: float | None
    good_share: float | None
    failed_share: float | None
    output_tokens_rate: float | None
    latency_s: dict[str, Times]
    statuses: dict[str, int]
    reasons: dict[str, int]
    models: dict[str, int]
    hedged_share: float | None
    hedge_win_share: float | None
    attempts_per_request: float | None
    cost_usd: float
    baseline_cost_usd: float
    cost_of_baseline: float | None
    cost_per_1k_answers_usd: float | None


class Summary(msgspec.Struct):
    """A whole run."""

    run: Run
    verdict: Verdict
    arms: list[ArmSummary]
    generator_lag_s: Times
    provider: ProviderBooks | None
    server: ServerBooks | None
    checks: tuple[Check, ...]
    machine: Machine


def summary(facts: Facts) -> str:
    """The report as JSON: what the tables say, in base units."""
    result = facts.result
    made = Summary(
        run=result.run,
        verdict=result.verdict,
        arms=[_arm(arm) for arm in facts.arms],
        generator_lag_s=_times(facts.lag),
        provider=result.provider,
        server=result.server,
        checks=result.checks,
        machine=result.machine,
    )
    return msgspec.json.encode(made).decode()


def _arm(arm: ArmFacts) -> ArmSummary:
    counts = arm.counts
    return ArmSummary(
        name=arm.name,
        offered_rate=arm.offered_rate,
        sent=counts.sent,
        answered=counts.answered,
        failed=counts.failed,
        cancelled=counts.cancelled,
        cut=counts.cut,
        answered_rate=arm.answered_rate,
        goodput=arm.good_rate,
        good_share=arm.good_share,
        failed_share=arm.failed_share,
        output_tokens_rate=arm.token_rate,
        latency_s={row.metric: _times(row) for row in arm.latencies},
        statuses=dict(counts.statuses),
        reasons=dict(counts.reasons),
        models=dict(counts.models),
        hedged_share=arm.hedged_share,
        hedge_win_share=arm.hedge_win_share,
        attempts_per_request=arm.attempts_per_request,
        cost_usd=arm.cost_usd,
        baseline_cost_usd=arm.baseline_usd,
        cost_of_baseline=arm.cost_of_baseline,
        cost_per_1k_answers_usd=arm.cost_per_1k_answers_usd,
    )


def _times(row: Latency) -> Times:
    named = [name for _, name in QUANTILES]
    return Times(
        count=row.count,
        quantiles=dict(zip(named, row.quantiles, strict=True)),
        unsteady=[name for name, steady in zip(named, row.steady, strict=True) if not steady],
        max=row.highest,
    )
