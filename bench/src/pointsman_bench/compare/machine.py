"""A comparison for machines: JSON."""

from __future__ import annotations

import msgspec

from pointsman_bench.compare.bootstrap import Interval
from pointsman_bench.compare.judge import Finding
from pointsman_bench.compare.report import Comparison


class MetricJson(msgspec.Struct):
    """A metric for machines, in base units; an interval is [low, high], null where infinite."""

    title: str
    unit: str
    better: str
    a: float | None
    b: float | None
    difference: float | None
    difference_interval: list[float] | None
    ratio: float | None
    ratio_interval: list[float] | None
    verdict: str
    why: str


class ConditionJson(msgspec.Struct):
    """A condition for machines."""

    condition: str
    result: str
    why: str


class ComparisonJson(msgspec.Struct):
    """A comparison for machines."""

    a: str
    b: str
    confidence: float
    replicates: int
    seed: int
    paired: bool
    mind: list[str]
    failed: bool
    conditions: list[ConditionJson]
    metrics: dict[str, MetricJson]


def as_json(found: Comparison) -> str:
    """For machines."""
    made = ComparisonJson(
        a=found.a.label,
        b=found.b.label,
        confidence=found.method.level,
        replicates=found.method.replicates,
        seed=found.method.seed,
        paired=found.paired,
        mind=list(found.mind),
        failed=bool(found.failed),
        conditions=[
            ConditionJson(c.condition.text, c.result.value, c.why) for c in found.conditions
        ],
        metrics={one.metric.name: _metric_json(one) for one in found.findings},
    )
    return msgspec.json.encode(made).decode()


def _metric_json(one: Finding) -> MetricJson:
    return MetricJson(
        title=one.metric.title,
        unit=one.metric.unit.value,
        better=one.metric.better.value,
        a=one.a,
        b=one.b,
        difference=one.difference,
        difference_interval=_pair(one.difference_interval),
        ratio=one.ratio,
        ratio_interval=_pair(one.ratio_interval),
        verdict=one.outcome.value,
        why=one.why,
    )


def _pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
