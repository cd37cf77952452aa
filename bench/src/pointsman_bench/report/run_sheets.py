"""The tables of a run: latency, outcomes, errors, hedging, models and money."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pointsman_bench.report.facts import (
    MEANINGS,
    NANO,
    QUANTILES,
    SHOWN,
    TITLES,
    ArmFacts,
    Facts,
    Latency,
    names,
    of_name,
    share,
)
from pointsman_bench.report.sheets import Cell, Column, Mark, Row, Sheet
from pointsman_bench.report.units import NOTHING, Unit, format_value
from pointsman_bench.results import Counts

UNSTEADY = "~"
"""Follows a quantile that too few requests stand behind, where colour alone will not say it."""
OK = "OK"


def latency_sheet(facts: Facts) -> Sheet:
    """Quantiles of every time that was measured, in rows."""
    columns = (Column("", numeric=False), *(Column(name) for _, name in QUANTILES))
    columns += (Column("max"), Column("count", explains="How many times were measured."))
    rows: list[Row] = []
    for metric in SHOWN:
        for arm in facts.arms:
            found = arm.latency(metric)
            if found is not None:
                name = TITLES[metric] + (f" · {arm.name}" if len(facts.arms) > 1 else "")
                rows.append([name, *latency_cells(found)])
    unsteady = any(not all(row.steady) for arm in facts.arms for row in arm.latencies)
    note = f"{UNSTEADY}: fewer than ten observations lie beyond it: take it as a hint."
    return Sheet("latency", "Latency", columns, tuple(rows), (note,) if unsteady else ())


def latency_cells(found: Latency) -> list[Cell]:
    """Quantiles, maximum and count, the unreliable marked."""
    cells: list[Cell] = []
    for value, steady in zip(found.quantiles, found.steady, strict=True):
        shown = format_value(value, Unit.SECONDS)
        cells.append(shown if steady else Mark(f"{UNSTEADY} {shown}", "faint"))
    cells.append(Mark(format_value(found.highest, Unit.SECONDS), "faint"))
    cells.append(Mark(format_value(found.count, Unit.COUNT), "faint"))
    return cells


def meanings(facts: Facts) -> list[tuple[str, str]]:
    """What the latency sheet's rows mean."""
    seen = {row.metric for arm in facts.arms for row in arm.latencies}
    return [(TITLES[metric], MEANINGS[metric]) for metric in SHOWN if metric in seen]


Show = Callable[[ArmFacts], Cell]


def _per_arm(
    facts: Facts, name: str, title: str, rows: list[tuple[str, Show]], notes: tuple[str, ...] = ()
) -> Sheet:
    """A sheet with a column for each arm."""
    single = len(facts.arms) == 1
    columns = (Column("", numeric=False), *(Column("" if single else a.name) for a in facts.arms))
    return Sheet(
        name,
        title,
        columns,
        tuple([label, *(show(arm) for arm in facts.arms)] for label, show in rows),
        notes,
    )


def outcome_sheet(facts: Facts) -> Sheet:
    """Goodput and what became of the requests."""
    objectives = facts.result.run.objectives
    said = ", ".join(
        f"{TITLES.get(o.metric, o.metric)} ≤ {format_value(o.limit_s, Unit.SECONDS)}"
        for o in objectives
    )
    rows: list[tuple[str, Show]] = [
        ("offered", lambda a: format_value(a.offered_rate, Unit.PER_SECOND)),
        ("sent", lambda a: _with_rate(a.counts.sent, a.sent_rate)),
        ("answered", lambda a: _with_share(a.counts.answered, a.answered_share)),
        ("good (goodput)", lambda a: _with_share(a.counts.good, a.good_share)),
        ("goodput", lambda a: format_value(a.good_rate, Unit.PER_SECOND)),
        ("failed", lambda a: _bad(a.counts.failed, a.failed_share)),
        ("of them, cut in mid-answer", lambda a: _bad(a.counts.cut, a.cut_share)),
        ("left by the generator", lambda a: format_value(a.counts.cancelled, Unit.COUNT)),
        ("output tokens", lambda a: _with_rate(a.counts.output_tokens, a.token_rate)),
    ]
    if any(arm.counts.over_cap for arm in facts.arms):
        rows.append(("dearer than allowed", lambda a: _bad(a.counts.over_cap, None)))
    meets = f"Good: answered with {said}." if said else "Good: answered; no objectives were set."
    return _per_arm(facts, "outcomes", "Goodput and outcomes", rows, (meets,))


def error_sheet(facts: Facts) -> Sheet | None:
    """Failures by status, then by reason; None where nothing failed."""
    if not any(arm.counts.failed or arm.counts.cancelled for arm in facts.arms):
        return None
    rows = _mix(facts, "status ", lambda c: {k: v for k, v in c.statuses.items() if k != OK})
    rows += _mix(facts, "reason ", lambda c: c.reasons)
    return _per_arm(facts, "errors", "Errors", rows)


def hedge_sheet(facts: Facts) -> Sheet | None:
    """Hedging and other attempts; None where every request had just one."""
    if not any(arm.counts.hedged or arm.counts.attempts > arm.counts.sent for arm in facts.arms):
        return None
    rows: list[tuple[str, Show]] = [
        ("hedged requests", lambda a: _with_share(a.counts.hedged, a.hedged_share)),
        ("won by the hedge", lambda a: _with_share(a.counts.hedge_wins, a.hedge_win_share)),
        ("attempts per request", lambda a: format_value(a.attempts_per_request, Unit.PLAIN)),
        ("cost of hedges that lost", _lost),
    ]
    rows += _mix(facts, "attempts: ", lambda c: c.attempt_reasons, spoken=True)
    rows += _mix(facts, "ended: ", lambda c: c.attempt_outcomes, spoken=True)
    return _per_arm(facts, "hedging", "Hedging and attempts", rows)


def model_sheet(facts: Facts) -> Sheet | None:
    """Which model answered how many requests; None where nobody said."""
    rows = _mix(facts, "", lambda counts: counts.models)
    return _per_arm(facts, "models", "Model mix", rows) if rows else None


def cost_sheet(facts: Facts) -> Sheet | None:
    """Money, against sending everything to the strongest model; None where nothing was charged."""
    if not any(arm.counts.cost or arm.counts.baseline_cost for arm in facts.arms):
        return None
    rows: list[tuple[str, Show]] = [
        ("charged for answers", lambda a: format_value(a.cost_usd, Unit.USD)),
        ("always the strongest", lambda a: format_value(a.baseline_usd, Unit.USD)),
        ("of the strongest's cost", lambda a: format_value(a.cost_of_baseline, Unit.SHARE)),
        ("saved", _saved),
        ("per 1,000 answers", lambda a: format_value(a.cost_per_1k_answers_usd, Unit.USD)),
    ]
    if any(arm.counts.failed_cost for arm in facts.arms):
        rows.append(("beside it, for failures", _failed_cost))
    return _per_arm(facts, "cost", "Cost", rows)


def prompt_sheets(facts: Facts) -> list[Sheet]:
    """What the prompts were, as the scenario and the server's reading say."""
    made: list[tuple[str, str, Callable[[Counts], Mapping[str, int]]]] = [
        ("kinds", "Kinds of prompt (the scenario's)", lambda c: c.kinds),
        ("tasks", "Task (as read)", lambda c: c.task_types),
        ("complexities", "Complexity (as read)", lambda c: c.complexities),
        ("urgencies", "Urgency (as read)", lambda c: c.urgencies),
    ]
    sheets = []
    for name, title, mix in made:
        rows = _mix(facts, "", mix, spoken=True)
        if rows:
            sheets.append(_per_arm(facts, name, title, rows))
    return sheets


def _mix(
    facts: Facts,
    prefix: str,
    mix: Callable[[Counts], Mapping[str, int]],
    *,
    spoken: bool = False,
) -> list[tuple[str, Show]]:
    """A row for each name in any arm's mix: its count and its share of the mix."""
    listed = names([mix(arm.counts) for arm in facts.arms])

    def show(name: str) -> Show:
        def cell(arm: ArmFacts) -> Cell:
            counts = mix(arm.counts)
            count = of_name(counts, name, listed)
            return _with_share(count, share(count, sum(counts.values())))

        return cell

    def label(name: str) -> str:
        return prefix + (name.replace("_", " ").lower() if spoken else name)

    return [(label(name), show(name)) for name in listed]


def _with_share(count: int, part: float | None) -> str:
    shown = format_value(count, Unit.COUNT)
    return shown if not part else f"{shown} ({format_value(part, Unit.SHARE)})"


def _with_rate(count: int, rate: float | None) -> str:
    shown = format_value(count, Unit.COUNT)
    return shown if rate is None else f"{shown} ({format_value(rate, Unit.PER_SECOND)})"


def _bad(count: int, part: float | None) -> Cell:
    shown = _with_share(count, part)
    return Mark(shown, "bad-text") if count else shown


def _lost(arm: ArmFacts) -> str:
    lost = format_value(arm.counts.lost_hedge_cost * NANO, Unit.USD)
    if not arm.lost_hedge_share:
        return lost
    return f"{lost} ({format_value(arm.lost_hedge_share, Unit.SHARE)})"


def _failed_cost(arm: ArmFacts) -> str:
    return format_value(arm.counts.failed_cost * NANO, Unit.USD)


def _saved(arm: ArmFacts) -> Cell:
    if arm.cost_of_baseline is None:
        return NOTHING
    saved = format_value(1 - arm.cost_of_baseline, Unit.SHARE)
    return Mark(saved, "good" if arm.cost_of_baseline < 1 else "bad-text")
