"""Tables and texts, of samples that are made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pointsman_bench.capacity.work import Memory, Outcome, Quantiles
from pointsman_bench.peers import texts
from pointsman_bench.peers.comparison import Comparison, Sample, Settings
from pointsman_bench.peers.direct import Direct
from pointsman_bench.peers.tables import MEMORY, tables
from pointsman_bench.peers.workloads import WORKLOADS
from pointsman_bench.report.rounds import cell

NAMES = ("portkey", "pointsman-fast", "direct")


def outcome(tokens: int, first_s: float, *, cpu_s: float | None = 2.0, errors: int = 0) -> Outcome:
    """Four seconds in which so many tokens came."""
    return Outcome(
        seconds=4.0,
        calls=tokens // 64,
        tokens=tokens,
        messages=10,
        received_bytes=1000,
        errors=errors,
        first_error="HTTP status 500: no" if errors else "",
        verified=1,
        first_token=Quantiles(first_s, 2 * first_s, 3 * first_s, 4 * first_s),
        whole=Quantiles(0.1, 0.2, 0.3, 0.4),
        client_cpu_s=1.0,
        server_cpu_s=cpu_s,
        server_memory=None if cpu_s is None else Memory(int(100e6), int(50e6), int(60e6)),
    )


def comparison(workload: str, *rounds: dict[str, Outcome | None]) -> Comparison:
    """Rounds of one workload, each by system."""
    samples = [
        Sample(name, workload, number, found, "" if found else "connection refused")
        for number, each in enumerate(rounds, 1)
        for name, found in each.items()
    ]
    versions = {name: f"{name} 1" for name in NAMES}
    return Comparison(tuple(samples), versions, {"smg": "no network"}, ("A note.",))


def test_ratios_are_taken_within_a_round() -> None:
    """A round that was slow for all changes none of them."""
    found = comparison(
        "burst",
        {"portkey": outcome(64_000, 0.02), "pointsman-fast": outcome(640_000, 0.01)},
        {"portkey": outcome(6_400, 0.2), "pointsman-fast": outcome(64_000, 0.1)},
    )
    table = tables(found, [WORKLOADS["burst"]], 2)["burst"]
    assert table.reference == "pointsman-fast"
    rate = cell(table, "portkey", "tokens_per_s")
    assert (rate.ratio, rate.ratio_low, rate.ratio_high) == (0.1, 0.1, 0.1)
    assert rate.median == (16_000 + 1_600) / 2
    assert cell(table, "portkey", "first_p50").ratio == 2.0
    assert cell(table, "portkey", "tokens_per_cpu_s").median == (32_000 + 3_200) / 2
    assert cell(table, "portkey", "server_busy").median == 0.5
    assert cell(table, "direct", "tokens_per_s").rounds == 0


def test_cpu_is_told_per_million_tokens_where_the_pace_is_given() -> None:
    """Two seconds for 64,000 tokens."""
    found = comparison("paced", {"pointsman-fast": outcome(64_000, 0.05)})
    table = tables(found, [WORKLOADS["paced"]], 1)["paced"]
    assert cell(table, "pointsman-fast", "cpu_s_per_million").median == 31.25


def test_what_a_gateway_adds_is_its_time_less_the_direct_calls() -> None:
    """In the same round; nothing where there is no direct call."""
    found = comparison(
        "single",
        {"pointsman-fast": outcome(64, 0.003), "direct": outcome(64, 0.001, cpu_s=None)},
        {"pointsman-fast": outcome(64, 0.010), "direct": outcome(64, 0.006, cpu_s=None)},
        {"pointsman-fast": outcome(64, 0.010), "direct": None},
    )
    table = tables(found, [WORKLOADS["single"]], 3)["single"]
    added = table.of("pointsman-fast", "added_first_p50")
    assert added == [pytest.approx(0.002), pytest.approx(0.004), None]
    assert cell(table, "direct", "added_first_p50").rounds == 0


def test_a_system_that_failed_is_there_with_the_reason() -> None:
    """As are calls that failed in a round that counts."""
    found = comparison(
        "nonstream",
        {"portkey": None, "pointsman-fast": outcome(64_000, 0.01, errors=3)},
        {"portkey": None, "pointsman-fast": outcome(64_000, 0.01)},
    )
    table = tables(found, [WORKLOADS["nonstream"]], 2)["nonstream"]
    assert cell(table, "portkey", "calls_per_s").rounds == 0
    assert table.notes == (
        "portkey: nothing in 2 rounds: connection refused",
        "pointsman-fast: 3 calls failed: HTTP status 500: no",
    )


def test_memory_is_that_after_the_last_work_of_each_round() -> None:
    """The direct call has none."""
    found = comparison("burst", {n: outcome(640, 0.01) for n in ("portkey", "pointsman-fast")})
    table = tables(found, [WORKLOADS["burst"]], 1)[MEMORY]
    assert table.systems == ("portkey", "pointsman-fast")
    assert cell(table, "portkey", "rss").median == 100e6
    assert cell(table, "portkey", "pss").median == 60e6


def test_the_reference_can_be_chosen() -> None:
    """Among those that ran."""
    found = comparison("burst", {n: outcome(640, 0.01) for n in NAMES})
    burst = [WORKLOADS["burst"]]
    assert tables(found, burst, 1, "portkey")["burst"].reference == "portkey"
    assert tables(found, burst, 1, "smg")["burst"].reference == "pointsman-fast"


def test_where_nothing_ran_there_is_no_table() -> None:
    """But the reasons are still told."""
    nothing = Comparison((), {}, {"smg": "no network"}, ())
    assert tables(nothing, [WORKLOADS["burst"]], 1) == {}


def test_texts_tell_what_ran_what_is_missing_and_how() -> None:
    """In Markdown as in JSON."""
    found = comparison("burst", {n: outcome(640, 0.01) for n in NAMES})
    settings = Settings([Direct()], [WORKLOADS["burst"]], 1, 1.0, 4.0, None, Path("/cache"))
    made = tables(found, settings.workloads, 1)
    notes = texts.notes_of(found, settings)
    assert "smg is missing: no network" in notes
    markdown = texts.markdown_of(made, notes)
    assert "| portkey |" in markdown
    assert "- smg is missing: no network" in markdown
    as_dict = json.loads(json.dumps(texts.as_dict(found, made, settings)))
    assert as_dict["missing"] == {"smg": "no network"}
    assert as_dict["samples"][0]["outcome"]["tokens"] == 640
    assert set(as_dict["tables"]) == {"burst", "memory"}
    page = texts.html_of(made, notes)
    assert "no network" in page
