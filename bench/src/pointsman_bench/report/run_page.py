"""A run's report as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pointsman_bench import results
from pointsman_bench.report.account_sheets import (
    check_sheet,
    generator_sheet,
    provider_sheet,
    server_sheet,
    slowest_sheet,
)
from pointsman_bench.report.charts import Bars, Chart, Rule
from pointsman_bench.report.facts import ArmFacts, Facts
from pointsman_bench.report.fragments import (
    banner,
    bars_legend,
    figure,
    legend,
    notes,
    section,
    sheet_table,
    tiles,
)
from pointsman_bench.report.fragments import (
    facts as fact_list,
)
from pointsman_bench.report.markup import Html, el, join
from pointsman_bench.report.page import page
from pointsman_bench.report.reproduce import command
from pointsman_bench.report.run_charts import (
    CURVES,
    cdf_chart,
    cost_bars,
    distributions,
    hedge_bars,
    model_bars,
    percentile_chart,
    timelines,
)
from pointsman_bench.report.run_sheets import (
    cost_sheet,
    error_sheet,
    hedge_sheet,
    latency_sheet,
    meanings,
    model_sheet,
    outcome_sheet,
    prompt_sheets,
)
from pointsman_bench.report.series_tables import chart_table
from pointsman_bench.report.svg import HALF, draw
from pointsman_bench.report.svg_bars import draw_bars
from pointsman_bench.report.text import INVALID, interruption, settings_line
from pointsman_bench.report.units import Unit, format_value

MAX_NOTES = 50
"""Notes, warnings and reasons of a file that are shown of each kind."""


def report_page(facts: Facts) -> Html:
    """The whole document."""
    run = facts.result.run
    made = [
        ("latency", "Latency", _latency(facts)),
        ("time", "Over time", _time(facts)),
        ("outcomes", "Outcomes", _outcomes(facts)),
        ("money", "Models and cost", _money(facts)),
        ("accounts", "Can it be believed?", _accounts(facts)),
        ("settings", "Settings", _settings(facts)),
    ]
    contents = [(name, title) for name, title, _ in made]
    head = [verdict(facts), _tiles(facts)]
    return page(
        run.scenario,
        [el("section", {"class": "plain"}, *head), *(part for _, _, part in made)],
        subtitle=run.description,
        eyebrow="pointsman bench load",
        contents=contents,
    )


def verdict(facts: Facts) -> Html:
    """Whether the numbers may be used, and what to mind."""
    said, run = facts.result.verdict, facts.result.run
    line = el("p", {"class": "note"}, settings_line(run))
    if said.valid:
        made = [banner("good", "Valid: the generator kept its schedule.", [])]
    else:
        made = [banner("bad", "INVALID", [INVALID, *said.reasons[:MAX_NOTES]])]
    mind = [*interruption(run), *said.warnings[:MAX_NOTES]]
    if mind:
        made.append(banner("mind", "To mind", mind))
    return join([*made, line])


def _tiles(facts: Facts) -> Html:
    """The figures that are asked for first; of an A/B, the second arm's with the first's below."""
    last, first = facts.arms[-1], facts.arms[0]

    def ttft(arm: ArmFacts, position: int) -> str:
        found = arm.latency(results.TTFT)
        return format_value(found.quantiles[position] if found else None, Unit.SECONDS)

    shown = [
        ("TTFT p50", [ttft(arm, 0) for arm in (last, first)]),
        ("TTFT p99", [ttft(arm, 2) for arm in (last, first)]),
        ("Goodput", [format_value(a.good_rate, Unit.PER_SECOND) for a in (last, first)]),
        ("Failed", [format_value(a.failed_share, Unit.SHARE) for a in (last, first)]),
        ("Hedged", [format_value(a.hedged_share, Unit.SHARE) for a in (last, first)]),
        (
            "Cost vs strongest",
            [format_value(a.cost_of_baseline, Unit.SHARE) for a in (last, first)],
        ),
    ]
    both = len(facts.arms) > 1
    made = [(t, pair[0], f"{first.name}: {pair[1]}" if both else "") for t, pair in shown]
    intro = el("p", {"class": "note"}, f"{last.name}, beside {first.name}:") if both else Html("")
    return join([intro, tiles(made)])


def _latency(facts: Facts) -> Html:
    objectives = {o.metric: o.limit_s for o in facts.result.run.objectives}
    curves, shares = [], []
    for metric in CURVES:
        seen = distributions(facts, metric)
        limit = objectives.get(metric)
        rules = () if limit is None else (_rule(limit),)
        curves.append(percentile_chart(metric, seen, rules))
        if metric in (results.TTFT, results.E2E):
            vertical = () if limit is None else (_rule(limit, vertical=True),)
            shares.append(cdf_chart(metric, seen, vertical))
    sheet = latency_sheet(facts)
    intro = (
        "Every time counts from the moment a request was due, not from when it was sent, so "
        "neither the generator nor the server can hide that it fell behind."
    )
    return section(
        "latency",
        "Latency",
        sheet_table(sheet, caption=False),
        el("details", {}, el("summary", {}, "What the rows mean"), fact_list(meanings(facts))),
        _pair("curve", curves),
        _pair("share", shares),
        intro=intro,
    )


def _rule(limit: float, *, vertical: bool = False) -> Rule:
    return Rule(f"objective {format_value(limit, Unit.SECONDS)}", limit, vertical)


def _pair(name: str, charts: Iterable[Chart | None], *, height: int = 300) -> Html:
    """Charts two by two, each with its numbers."""
    figures = [
        figure(
            chart.title,
            draw(chart, f"{name}-{number}", width=HALF, height=height),
            legend=legend(chart.lines),
            numbers=chart_table(chart),
        )
        for number, chart in enumerate(charts)
        if chart is not None
    ]
    return el("div", {"class": "pair"}, *figures)


def _time(facts: Facts) -> Html:
    figures = [
        figure(
            chart.title,
            draw(chart, f"time-{number}", height=190),
            legend=legend(chart.lines),
            numbers=chart_table(chart),
        )
        for number, chart in enumerate(timelines(facts))
    ]
    phases = [
        (
            phase.name,
            " – ".join(format_value(t, Unit.SECONDS) for t in (phase.start_s, phase.end_s)),
        )
        for phase in facts.result.run.phases[:MAX_NOTES]
    ]
    parts = [*figures, *([fact_list(phases)] if phases else [])]
    if facts.result.moments and not any(moment.failed for moment in facts.result.moments):
        parts.append(notes(["No request failed."]))
    intro = "TTFT by when a request was due; the others by when it happened."
    return section("time", "Over time", *parts, intro=intro)


def _outcomes(facts: Facts) -> Html:
    sheets = [outcome_sheet(facts), hedge_sheet(facts), error_sheet(facts)]
    tables = [sheet_table(sheet) for sheet in sheets if sheet is not None]
    hedges = _bars(hedge_bars(facts), "hedges")
    drawn = [hedges] if hedges is not None else []
    return section("outcomes", "Outcomes", el("div", {"class": "pair"}, *tables), *drawn)


def _money(facts: Facts) -> Html:
    figures = (_bars(model_bars(facts), "models"), _bars(cost_bars(facts), "cost"))
    drawn = [made for made in figures if made is not None]
    sheets = (model_sheet(facts), cost_sheet(facts), *prompt_sheets(facts))
    tables = [sheet_table(sheet) for sheet in sheets if sheet is not None]
    nothing = [] if drawn else [notes(["The server named no models and no prices."])]
    pairs = el("div", {"class": "pair"}, *tables)
    return section("money", "Models and cost", *drawn, *nothing, pairs)


def _bars(bars: Bars | None, name: str) -> Html | None:
    if bars is None:
        return None
    return figure(bars.title, draw_bars(bars, name), legend=bars_legend(bars), numbers=None)


def _accounts(facts: Facts) -> Html:
    sheets = (
        generator_sheet(facts),
        check_sheet(facts),
        provider_sheet(facts),
        server_sheet(facts),
        slowest_sheet(facts),
    )
    intro = (
        "The generator's punctuality, and the same run as the provider and the server counted it."
    )
    made = (sheet_table(sheet) for sheet in sheets if sheet is not None)
    return section("accounts", "Can it be believed?", *made, intro=intro)


def _settings(facts: Facts) -> Html:
    run, machine = facts.result.run, facts.result.machine
    what = [
        ("scenario", run.scenario),
        ("arrivals", f"{run.arrival}, {format_value(run.rate, Unit.PER_SECOND)}"),
        ("seed", str(run.seed)),
        ("warm-up", format_value(run.warm_up_s, Unit.SECONDS)),
        ("measured", format_value(run.measured_s, Unit.SECONDS)),
        ("slices", f"{format_value(run.slice_s, Unit.SECONDS)} each"),
        ("target", run.target),
        ("started", run.started_at),
        ("machine", f"{machine.cpu}, {machine.cores} cores used"),
        ("memory", format_value(machine.memory_bytes, Unit.BYTES)),
        ("used by other programs", format_value(machine.elsewhere, Unit.SHARE)),
        ("system", f"{machine.system}, Python {machine.python}"),
        ("cores of the server", _cores(machine.server_cores)),
        ("cores of the simulator", _cores(machine.simulator_cores)),
        ("cores of the generator", _cores(machine.generator_cores)),
        *sorted(facts.result.versions.items())[:MAX_NOTES],
    ]
    parts = [fact_list(what)]
    parts.append(el("h3", {}, "The command that repeats its load"))
    parts.append(el("pre", {}, el("code", {}, command(facts.result))))
    return section("settings", "Settings and machine", *parts, notes(run.notes[:MAX_NOTES]))


def _cores(cores: Sequence[int]) -> str:
    return ", ".join(str(core) for core in cores) or "not pinned"
