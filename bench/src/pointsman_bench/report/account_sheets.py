"""The tables of accounts: the generator's, the provider's, the server's, and whether they agree."""

from __future__ import annotations

from pointsman_bench.report.facts import (
    MAX_NAMES,
    OTHERS,
    QUANTILES,
    TITLES,
    Facts,
)
from pointsman_bench.report.run_sheets import latency_cells
from pointsman_bench.report.sheets import Cell, Column, Mark, Row, Sheet
from pointsman_bench.report.units import NOTHING, Unit, format_value
from pointsman_bench.results import ModelBooks, ProviderBooks, ServerBooks

MAX_SLOWEST = 10
MAX_CHECKS = 50
BUSY = 0.9
"""A generator's process that used more of its core than this may have been what was measured."""


def generator_sheet(facts: Facts) -> Sheet:
    """How well the generator kept its schedule."""
    generator = facts.result.generator
    columns = (Column("", numeric=False), *(Column(name) for _, name in QUANTILES))
    columns += (Column("max"), Column("count"))
    busiest = format_value(generator.busiest, Unit.SHARE)
    warn = " (too busy: it may have measured itself)" if generator.busiest > BUSY else ""
    notes: tuple[str, ...] = (
        f"{generator.processes} processes; "
        f"{format_value(generator.cpu_us_per_request * 1e-6, Unit.SECONDS)} of CPU time a request; "
        f"the busiest used {busiest} of a core{warn}.",
    )
    if generator.saturates_at is not None:
        most = format_value(generator.saturates_at, Unit.PER_SECOND)
        notes += (f"At this cost a request it could send about {most} with all its processes.",)
    rows: list[Row] = [[TITLES[facts.lag.metric], *latency_cells(facts.lag)]]
    if facts.provider_late is not None:
        rows.append(["Simulated provider late", *latency_cells(facts.provider_late)])
    return Sheet("generator", "Generator lag", columns, tuple(rows), notes)


def provider_sheet(facts: Facts) -> Sheet | None:
    """What the upstream saw; None where it was not ours to ask."""
    books = facts.result.provider
    if books is None:
        return None
    titles = ("calls", "completed", "refused", "cut", "cancelled", "input tokens", "output tokens")
    columns = (Column("", numeric=False), *(Column(title) for title in titles))
    rows = tuple([name, *_model(seen)] for name, seen in _listed(books))
    notes = [
        f"{format_value(books.calls_per_request, Unit.PLAIN)} calls for each request "
        "(1 would be no hedge, no retry and no fallback); "
        f"{books.in_flight_at_end} still under way at the end; warm-up included."
    ]
    return Sheet("provider", "What the provider saw", columns, rows, tuple(notes))


def _listed(books: ProviderBooks) -> list[tuple[str, ModelBooks]]:
    ordered = sorted(books.models.items(), key=lambda item: (-item[1].calls, item[0]))
    if len(ordered) <= MAX_NAMES:
        return ordered
    rest = [seen for _, seen in ordered[MAX_NAMES - 1 :]]
    return [*ordered[: MAX_NAMES - 1], (OTHERS, _sum(rest))]


def _sum(books: list[ModelBooks]) -> ModelBooks:
    return ModelBooks(
        calls=sum(b.calls for b in books),
        completed=sum(b.completed for b in books),
        refused=sum(b.refused for b in books),
        cut=sum(b.cut for b in books),
        cancelled=sum(b.cancelled for b in books),
        input_tokens=sum(b.input_tokens for b in books),
        output_tokens=sum(b.output_tokens for b in books),
    )


def _model(seen: ModelBooks) -> list[Cell]:
    numbers = (seen.calls, seen.completed, seen.refused, seen.cut, seen.cancelled)
    counts = (*numbers, seen.input_tokens, seen.output_tokens)
    return [format_value(count, Unit.COUNT) for count in counts]


def server_sheet(facts: Facts) -> Sheet | None:
    """The server's own account; None where it could not be asked."""
    books = facts.result.server
    if books is None:
        return None
    rows: tuple[Row, ...] = tuple([name, shown] for name, shown in _server(books))
    columns = (Column("", numeric=False), Column(""))
    return Sheet("server", "What the server says", columns, rows, ("Warm-up included.",))


def _server(books: ServerBooks) -> list[tuple[str, str]]:
    each = books.cpu_s / books.requests if books.cpu_s is not None and books.requests else None
    return [
        ("requests", format_value(books.requests, Unit.COUNT)),
        ("attempts", format_value(books.attempts, Unit.COUNT)),
        (
            "attempts under way at the end",
            format_value(books.attempts_in_flight_at_end, Unit.COUNT),
        ),
        ("cost", format_value(books.cost_usd, Unit.USD)),
        ("CPU time", format_value(books.cpu_s, Unit.SECONDS)),
        ("CPU time a request", format_value(each, Unit.SECONDS)),
        ("peak memory", format_value(books.peak_rss_bytes, Unit.BYTES)),
    ]


def check_sheet(facts: Facts) -> Sheet | None:
    """Whether the accounts agree; None where there was nothing to compare."""
    checks = facts.result.checks
    if not checks:
        return None
    columns = tuple(Column(title, numeric=False) for title in ("accounts", "verdict", "in detail"))
    rows: tuple[Row, ...] = tuple(
        [
            check.name,
            Mark("agree", "good") if check.passed else Mark("DISAGREE", "bad-text"),
            check.detail,
        ]
        for check in checks[:MAX_CHECKS]
    )
    return Sheet("checks", "Do the accounts agree?", columns, rows)


def slowest_sheet(facts: Facts) -> Sheet | None:
    """The slowest requests, to look for in the server's log; None where there are none."""
    titles = ("due at", "TTFT", "end to end", "attempts")
    columns = (Column("decision", numeric=False), *(Column(title) for title in titles))
    columns += (Column("model", numeric=False), Column("outcome", numeric=False))
    rows: list[Row] = []
    for arm in facts.result.arms:
        for slow in arm.slowest[:MAX_SLOWEST]:
            times = (slow.due_s, slow.ttft_s, slow.e2e_s)
            cells = [format_value(value, Unit.SECONDS) for value in times]
            rows.append(
                [slow.decision_id or NOTHING, *cells, str(slow.attempts), slow.model, slow.outcome]
            )
    return Sheet("slowest", "The slowest requests", columns, tuple(rows)) if rows else None
