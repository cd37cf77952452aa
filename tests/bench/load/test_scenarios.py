"""Every scenario for a few seconds, against a real server and the simulated providers.

Whether the numbers would be usable depends on the machine; whether the books agree does not.
"""

from __future__ import annotations

import asyncio
import io

import pytest
from pointsman_bench.load.errors import BenchError
from pointsman_bench.load.options import LoadOptions, prepare, trace_scenario
from pointsman_bench.load.progress import Display, Tracker
from pointsman_bench.load.run import run
from pointsman_bench.load.trace import Trace, TraceLine
from pointsman_bench.load.verdict import Limits
from pointsman_bench.results import TTFT, LoadResult, histogram
from pointsman_bench.scenarios.scenario import Scenario
from pointsman_bench.scenarios.table import (
    BUDGET_SQUEEZE,
    BURST,
    CANCEL_STORM,
    CHAT_MIXED,
    PROVIDER_OUTAGE,
    SLOW_TAIL,
)
from pointsman_bench.simulator.behaviour import SimulatorConfig
from pointsman_bench.stage import simulator
from rich.console import Console

PATIENT = Limits(max_lag_s=30.0, max_share=1000.0)


async def ran(
    scenario: Scenario,
    *,
    rate: float | None = None,
    ab: bool = False,
    trace: Trace | None = None,
    pin: bool = False,
    target: str | None = None,
) -> LoadResult:
    """A short run."""
    prepared = prepare(
        LoadOptions(
            scenario,
            rate=rate,
            duration_s=None if trace else 3.0,
            warm_up_s=1.0,
            ab=ab,
            trace=trace,
            pin=pin,
            limits=PATIENT,
            target=target,
        )
    )
    display = Display(Tracker(4.0, 1.0), Console(file=io.StringIO()))
    result = await run(prepared, display, asyncio.Event())
    assert result.verdict.reasons == ()
    counts = result.whole_run
    assert counts.sent == len(prepared.schedule) > 20
    assert counts.sent == counts.answered + counts.failed + counts.cancelled
    return result


def equal_books(result: LoadResult) -> None:
    """Where every attempt was carried to its end, all accounts are the same."""
    assert result.provider is not None
    assert result.server is not None
    calls = sum(model.calls for model in result.provider.models.values())
    assert calls == result.server.attempts == result.whole_run.attempts
    assert result.server.requests == result.whole_run.sent
    assert result.server.cost_usd == pytest.approx(
        (result.whole_run.cost + result.whole_run.failed_cost) / 1e9
    )


async def test_chat_mixed_is_answered_by_models_of_every_tier() -> None:
    """And every account of it is the same."""
    result = await ran(CHAT_MIXED, rate=15)
    counts = result.whole_run
    assert counts.failed == counts.cancelled == 0
    if not counts.hedged:
        equal_books(result)
    assert {"alder/mini", "alder/midi", "birch/maxi"} <= counts.models.keys()
    assert len(counts.task_types) > 2
    assert len(counts.kinds) == 9
    assert 0 < counts.cost < counts.baseline_cost
    assert result.provider is not None
    assert result.server is not None
    sent = sum(model.output_tokens for model in result.provider.models.values())
    assert sent >= counts.output_tokens > 0
    assert result.server.cpu_s
    assert result.server.peak_rss_bytes
    (arm,) = result.arms
    assert histogram(arm.histograms[TTFT]).get_value_at_percentile(50) > 80_000


async def test_a_slow_tail_is_hedged_on_one_side_of_an_ab_only() -> None:
    """Each side has half of the requests."""
    result = await ran(SLOW_TAIL, ab=True)
    off, on = result.arms
    assert abs(off.counts.sent - on.counts.sent) <= 1
    assert off.counts.hedged == 0
    assert off.counts.attempt_reasons.keys() == {"PRIMARY"}
    assert result.whole_run.failed == 0
    assert result.provider is not None
    assert 1.0 <= result.provider.calls_per_request <= 1.2


async def test_a_providers_outage_fails_its_calls_and_no_request() -> None:
    """Only that provider refuses, and only in the middle third."""
    result = await ran(PROVIDER_OUTAGE, rate=15)
    assert result.whole_run.failed == 0
    assert result.provider is not None
    refused = {name: books.refused for name, books in result.provider.models.items()}
    assert refused.pop("alder-mini") + refused.pop("alder-midi") > 0
    assert set(refused.values()) == {0}
    assert result.whole_run.attempt_outcomes["PROVIDER_ERROR"] > 0
    first, middle, last = result.arms[0].slices
    assert "PROVIDER_ERROR" in middle.counts.attempt_outcomes
    assert "PROVIDER_ERROR" not in first.counts.attempt_outcomes
    assert [(p.start_s, p.end_s) for p in result.run.phases] == [(1.0, 2.0)]
    assert last.counts.answered == last.counts.sent


async def test_a_burst_is_sent_as_it_was_laid_down() -> None:
    """Ten times the rate, and every answer is whole."""
    result = await ran(BURST)
    assert result.whole_run.failed == 0
    assert len(result.run.phases) == 2
    assert result.whole_run.sent > 12 * 4 * 1.5


async def test_a_storm_of_cancellations_leaves_nothing_behind() -> None:
    """The providers see calls cancelled, and nothing stays under way anywhere."""
    result = await ran(CANCEL_STORM)
    counts = result.whole_run
    assert counts.cancelled > 0
    assert counts.answered > counts.cancelled
    assert counts.failed == 0
    assert result.provider is not None
    assert result.server is not None
    assert sum(model.cancelled for model in result.provider.models.values()) > 0
    assert result.provider.in_flight_at_end == 0
    assert result.server.attempts_in_flight_at_end == 0


async def test_a_squeezed_budget_is_never_overdrawn() -> None:
    """What cannot be answered for its money is refused, with its reason."""
    result = await ran(BUDGET_SQUEEZE)
    counts = result.whole_run
    assert counts.over_cap == 0
    assert counts.failed == counts.reasons["NO_ELIGIBLE_MODEL"] > 0
    assert counts.statuses["FAILED_PRECONDITION"] == counts.failed
    assert any(check.name.startswith("no answer cost more") for check in result.checks)


async def test_a_trace_is_replayed_on_pinned_cores() -> None:
    """With its models and kinds."""
    lines = tuple(
        TraceLine(0.1 * i, f"What is {i} + {i}?", kind="sums", models=("cedar/midi",))
        for i in range(25)
    )
    result = await ran(trace_scenario(CHAT_MIXED, "trace:x"), trace=Trace(lines), pin=True)
    assert result.run.arrival == "trace"
    assert result.arms[0].counts.sent == 25
    assert result.whole_run.models == {"cedar/midi": result.whole_run.answered}
    assert result.arms[0].counts.kinds == {"sums": 25}
    assert result.machine.server_cores


async def test_a_real_upstream_can_stand_behind_the_benchs_own_server() -> None:
    """Whatever speaks the dialect; its models have no prices."""
    model = CHAT_MIXED.models[0].behaviour
    async with simulator(SimulatorConfig((model,))) as upstream:
        prepared = prepare(
            LoadOptions(
                CHAT_MIXED,
                rate=15,
                duration_s=2,
                warm_up_s=0.5,
                limits=PATIENT,
                upstream=upstream.url,
                upstream_models=(model.name,),
            )
        )
        display = Display(Tracker(2.5, 0.5), Console(file=io.StringIO()))
        result = await run(prepared, display, asyncio.Event())
        account = await upstream.account()
    assert result.verdict.reasons == ()
    assert result.provider is None
    assert result.whole_run.models == {f"upstream/{model.name}": len(prepared.schedule)}
    assert account.models[model.name].calls == len(prepared.schedule)


async def test_a_target_that_is_not_there_ends_the_run_at_once() -> None:
    """With what to do about it."""
    with pytest.raises(BenchError, match=r"no pointsman server is reached at 127\.0\.0\.1:1 "):
        await ran(CHAT_MIXED, target="127.0.0.1:1")
