"""One run: stage set, load sent, books fetched, result made."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pointsman_bench.children import available_cores
from pointsman_bench.load.assemble import Surroundings, assemble
from pointsman_bench.load.metrics import Scrape, scrape
from pointsman_bench.load.options import Pins, Prepared, pins
from pointsman_bench.load.processes import Generated, generate
from pointsman_bench.load.progress import Display
from pointsman_bench.load.surroundings import Busy, machine, versions
from pointsman_bench.results import LoadResult, ProviderBooks, ServerBooks
from pointsman_bench.server_config import ServerSettings, fleet_models, real_model
from pointsman_bench.simulator.books import Account
from pointsman_bench.stage import OwnServer, Simulator, server, simulator

QUIET_TIMEOUT_S = 5.0
"""How long after the last answer servers may take to have nothing under way."""


@dataclass(slots=True)
class _Stage:
    """What runs, and what it had counted when the load began."""

    target: str
    name: str
    own: OwnServer | None = None
    upstream: Simulator | None = None
    metrics: str | None = None
    scraped: Scrape = field(default_factory=Scrape)
    server_cpu_s: float = 0.0
    simulator_cpu_s: float = 0.0
    busy: Busy = field(default_factory=Busy.now)


async def run(prepared: Prepared, display: Display, stop: asyncio.Event) -> LoadResult:
    """Carry a run out. Setting ``stop`` ends it early, with what was measured.

    Raises:
        BenchError: it cannot be carried out, and why.
    """
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    cores = available_cores()
    pinned = (
        pins(cores, simulated=prepared.simulator is not None) if prepared.options.pin else Pins()
    )
    async with AsyncExitStack() as stack:
        stage = await _set(prepared, pinned, display, stack)

        async def on_start(at: float) -> None:
            await _begin(stage, prepared, at)
            display.tracker.begin(at)

        with display.shown():
            generated = await generate(
                prepared.plan(stage.target),
                prepared.options.processes,
                cores=pinned.generator,
                stop=stop,
                on_start=on_start,
                on_progress=display.progress,
            )
        around = await _look_around(stage, generated, started_at, cores, pinned)
    return assemble(prepared, generated, around)


async def _set(prepared: Prepared, pinned: Pins, display: Display, stack: AsyncExitStack) -> _Stage:
    """Start what the run needs of its own."""
    options, scenario = prepared.options, prepared.options.scenario
    if options.target is not None:
        return _Stage(options.target, "running server", metrics=options.metrics)
    display.say(f"{scenario.name}: {scenario.summary}")
    upstream = None
    settings = ServerSettings(scenario.hedge_share, api_key_variable=options.api_key_variable)
    if prepared.simulator is not None:
        upstream = await stack.enter_async_context(simulator(prepared.simulator, pinned.simulator))
        url, models, name = upstream.url, fleet_models(scenario.models), "own server and simulator"
    else:
        url, name = options.upstream or "", "own server"
        models = tuple(real_model(model) for model in options.upstream_models)
    own = await stack.enter_async_context(server(models, url, settings, pinned.server))
    display.say(f"server on {own.address}, {options.processes} process(es) send")
    return _Stage(own.address, name, own, upstream, own.metrics)


async def _begin(stage: _Stage, prepared: Prepared, at: float) -> None:
    """Note where all books stand, and let changes of behaviour count from the measured time."""
    if stage.metrics is not None:
        stage.scraped = await scrape(stage.metrics)
    if stage.own is not None:
        stage.server_cpu_s = stage.own.child.cpu_s()
    if stage.upstream is not None:
        stage.simulator_cpu_s = (await stage.upstream.account()).cpu_s
        await stage.upstream.start_clock(at + prepared.warm_up_s - time.monotonic())
    stage.busy = Busy.now()


async def _look_around(
    stage: _Stage, generated: Generated, started_at: str, cores: list[int], pinned: Pins
) -> Surroundings:
    """Fetch the books once nothing is under way any more, or should not be."""
    busy_now = Busy.now()
    length_s = busy_now.at - stage.busy.at
    account, scraped = await _quiet(stage)
    sent = sum(t.counts.sent for t in generated.tallies.by_slice.values())
    late = busy = provider = books = None
    running_s = 0.0
    if account is not None:
        cpu_s = account.cpu_s - stage.simulator_cpu_s
        late, busy = account.late_p99_s, cpu_s / length_s
        running_s += cpu_s
        calls = sum(model.calls for model in account.models.values())
        provider = ProviderBooks(
            models=account.models,
            calls_per_request=round(calls / sent, 6) if sent else 0.0,
            in_flight_at_end=account.in_flight,
            cpu_s=round(cpu_s, 3),
            late=account.late,
        )
    if scraped is not None:
        since = scraped.since(stage.scraped)
        child = None if stage.own is None else stage.own.child
        server_cpu_s = 0.0 if child is None else child.cpu_s() - stage.server_cpu_s
        running_s += server_cpu_s
        books = ServerBooks(
            requests=since.requests,
            attempts=since.attempts,
            attempts_in_flight_at_end=since.in_flight,
            cost_usd=since.cost_usd,
            cpu_s=None if child is None else round(server_cpu_s, 3),
            peak_rss_bytes=None if child is None else child.peak_rss_bytes,
        )
    # where the server is not ours, what it used counts as elsewhere: nobody knows it
    elsewhere = None if stage.own is None else busy_now.elsewhere_since(stage.busy, running_s)
    return Surroundings(
        machine=machine(cores, pinned, elsewhere),
        versions=versions(),
        target=stage.name,
        started_at=started_at,
        server=books,
        provider=provider,
        simulator_late_p99_s=late,
        simulator_busy=busy,
    )


async def _quiet(stage: _Stage) -> tuple[Account | None, Scrape | None]:
    """The books, as soon as they say that nothing is under way, or after a while."""
    deadline = time.monotonic() + QUIET_TIMEOUT_S
    while True:
        account = await stage.upstream.account() if stage.upstream is not None else None
        scraped = await scrape(stage.metrics) if stage.metrics is not None else None
        quiet = not (account and account.in_flight) and not (scraped and scraped.in_flight)
        if quiet or time.monotonic() > deadline:
            return account, scraped
        await asyncio.sleep(0.1)
