"""A comparison as plain data: what the terminal, the page and machines are shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from pointsman_bench.compare.estimate import Method
from pointsman_bench.compare.fail_if import Judged, Result
from pointsman_bench.compare.judge import Finding, Outcome
from pointsman_bench.compare.slices import Side
from pointsman_bench.report.sheets import Cell, Column, Mark, Row, Sheet
from pointsman_bench.report.units import (
    NOTHING,
    Unit,
    format_change,
    format_percent_change,
    format_range,
    format_value,
)

STYLES = {
    Outcome.BETTER: "good",
    Outcome.WORSE: "bad-text",
    Outcome.SAME: "faint",
    Outcome.UNKNOWN: "faint",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """B against A. ``paired``: slices were compared one by one; ``mind``: what weakens it all."""

    a: Side
    b: Side
    findings: tuple[Finding, ...]
    conditions: tuple[Judged, ...]
    method: Method
    paired: bool
    mind: tuple[str, ...]

    @property
    def failed(self) -> list[Judged]:
        """The conditions that failed."""
        return [one for one in self.conditions if one.result is Result.FAILED]

    @property
    def unclear(self) -> list[Judged]:
        """The conditions of which one cannot tell."""
        return [one for one in self.conditions if one.result is Result.UNCLEAR]


def level_text(method: Method) -> str:
    """The intervals' level, such as "95 %"."""
    return f"{method.level * 100:g} %"


def summary_lines(found: Comparison) -> list[str]:
    """In sentences, what came out."""
    lines = []
    for outcome, words in (
        (Outcome.WORSE, "B is worse in"),
        (Outcome.BETTER, "B is better in"),
        (Outcome.HIGHER, "B is higher in"),
        (Outcome.LOWER, "B is lower in"),
    ):
        named = [f.metric.title for f in found.findings if f.outcome is outcome]
        if named:
            lines.append(f"{words} {', '.join(named)}.")
    if not lines:
        lines.append("No difference is shown in any metric.")
    return lines


def caveats(found: Comparison) -> list[str]:
    """How to read the intervals, in sentences."""
    told = sum(f.difference_interval is not None for f in found.findings)
    by_chance = told * (1 - found.method.level)
    lines = [
        f"Intervals at {level_text(found.method)}: the stationary block bootstrap over slices of "
        f"time, {found.method.replicates:,} replicates, seed {found.method.seed}"
        + (", slices paired." if found.paired else "."),
        "They hold the variation within these two runs. What changes from one run to the next is "
        "not in them: repeat runs in interleaved rounds to see that.",
    ]
    if by_chance >= 0.5:
        lines.append(
            f"Of {told} intervals about {by_chance:.0f} will miss by chance: one verdict among "
            "many that say otherwise means little."
        )
    return lines


class Detail(IntEnum):
    """How much of each metric a table has room for."""

    CHANGE = 0
    INTERVAL = 1
    DIFFERENCE = 2
    ALL = 3


def finding_sheet(found: Comparison, detail: Detail) -> Sheet:
    """All metrics, with as much as ``detail`` says."""
    level = f" ({level_text(found.method)})"
    columns = [Column("", numeric=False), Column("A"), Column("B")]
    if detail >= Detail.DIFFERENCE:
        columns.append(Column("difference" + (level if detail is Detail.ALL else "")))
    columns.append(Column("change" + (level if detail >= Detail.INTERVAL else "")))
    columns.append(Column("B is", numeric=False))
    rows = tuple(_row(one, detail) for one in found.findings)
    untold: dict[str, list[str]] = {}
    for one in found.findings:
        if one.outcome is Outcome.UNKNOWN:
            untold.setdefault(one.why, []).append(one.metric.title)
    notes = tuple(
        f"{Outcome.UNKNOWN.capitalize()}: {', '.join(titles)} ({why})."
        for why, titles in untold.items()
    )
    return Sheet("findings", "B against A", tuple(columns), rows, notes)


def _row(one: Finding, detail: Detail) -> Row:
    unit, style = one.metric.unit, STYLES.get(one.outcome)
    cells: list[Cell] = [one.metric.title, format_value(one.a, unit), format_value(one.b, unit)]
    if detail >= Detail.DIFFERENCE:
        cells.append(difference_text(one, interval=detail is Detail.ALL))
    brief = format_percent_change(one.ratio)
    cells.append(change_text(one) if detail >= Detail.INTERVAL else brief)
    cells.append(one.outcome.value if style is None else Mark(one.outcome.value, style))
    return cells


def difference_text(one: Finding, *, interval: bool) -> str:
    """The difference, with its interval if asked for."""
    unit = one.metric.unit
    difference = format_change(one.difference, unit)
    if not interval or one.difference_interval is None:
        return difference
    low, high = one.difference_interval.low, one.difference_interval.high
    return f"{difference} ({format_range(format_change(low, unit), format_change(high, unit))})"


def change_text(one: Finding) -> str:
    """The relative change with its interval."""
    if one.ratio is None:
        return NOTHING
    change = format_percent_change(one.ratio)
    interval = one.ratio_interval
    if interval is None:
        return change
    low, high = (format_percent_change(value) for value in (interval.low, interval.high))
    return f"{change} ({format_range(low, high)})"


def condition_sheet(found: Comparison) -> Sheet | None:
    """The conditions and how they came out; None without any."""
    if not found.conditions:
        return None
    styles = {Result.PASSED: "good", Result.FAILED: "bad-text", Result.UNCLEAR: "faint"}
    columns = tuple(Column(title, numeric=False) for title in ("fail if", "result", "because"))
    rows = tuple(
        (one.condition.text, Mark(one.result.value.upper(), styles[one.result]), one.why)
        for one in found.conditions
    )
    return Sheet("conditions", "Conditions", columns, rows)


def setting_sheet(found: Comparison) -> Sheet:
    """What the two runs were, and where they differ."""
    columns = (Column("", numeric=False), Column("A", numeric=False), Column("B", numeric=False))
    rows = []
    for (name, of_a), (_, of_b) in zip(_settings(found.a), _settings(found.b), strict=True):
        rows.append((name, of_a, of_b if of_a == of_b else Mark(of_b, "differs")))
    return Sheet("settings", "The two runs", columns, tuple(rows))


def _settings(side: Side) -> list[tuple[str, str]]:
    run, machine = side.result.run, side.result.machine
    objectives = ", ".join(
        f"{o.metric} ≤ {format_value(o.limit_s, Unit.SECONDS)}" for o in run.objectives
    )
    versions = ", ".join(f"{k} {v}" for k, v in sorted(side.result.versions.items()))
    return [
        ("result", side.label),
        ("arm", side.arm.name),
        ("scenario", run.scenario),
        ("arrivals", f"{run.arrival}, {format_value(side.arm.offered_rate, Unit.PER_SECOND)}"),
        ("seed", str(run.seed)),
        ("measured", format_value(run.measured_s, Unit.SECONDS)),
        ("slices", f"{len(side.arm.slices):,} of {format_value(run.slice_s, Unit.SECONDS)}"),
        ("objectives", objectives or NOTHING),
        ("target", run.target),
        ("machine", f"{machine.cpu}, {machine.cores} cores"),
        ("system", f"{machine.system}, Python {machine.python}"),
        ("started", run.started_at),
        ("versions", versions or NOTHING),
        ("valid", "yes" if side.result.verdict.valid else "NO"),
    ]


MATTERING = ("scenario", "arrivals", "objectives", "target", "machine")
"""Settings that make two runs hard to compare where they differ."""


def unlike(a: Side, b: Side) -> list[str]:
    """What to mind of runs that were not measured alike, in sentences."""
    pairs = zip(_settings(a), _settings(b), strict=True)
    lines = [
        f"the runs differ in {name}: {of_a} against {of_b}"
        for (name, of_a), (_, of_b) in pairs
        if name in MATTERING and of_a != of_b
    ]
    for name, side in (("A", a), ("B", b)):
        if not side.result.verdict.valid:
            reasons = "; ".join(side.result.verdict.reasons[:5])
            lines.insert(0, f"{name} is INVALID: {reasons}")
        if side.result.run.interrupted:
            lines.append(f"{name} was interrupted before its time")
    return lines
