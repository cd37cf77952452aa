"""The generator's processes against a router of canned answers: open loop, and honest about it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import pytest
from pointsman.v1.decision_pb2 import Decision
from pointsman.v1.router_service_pb2 import (
    ATTEMPT_REASON_PRIMARY,
    AttemptStarted,
    Completed,
    CompleteRequest,
    CompleteResponse,
    CompletionEvent,
    ContentDelta,
)
from pointsman.v1.usage_pb2 import Usage
from pointsman_bench.load import processes
from pointsman_bench.load.assemble import Surroundings, assemble
from pointsman_bench.load.errors import BenchError
from pointsman_bench.load.options import LoadOptions, Prepared, prepare
from pointsman_bench.load.plan import Progress
from pointsman_bench.load.processes import Generated, generate
from pointsman_bench.load.trace import Trace, TraceLine
from pointsman_bench.results import LAG, OVERHEAD, TTFT, LoadResult, Machine, histogram
from pointsman_bench.scenarios.table import CANCEL_STORM, CHAT_MIXED

AROUND = Surroundings(Machine("", 1, 1, "", ""), {}, "running server", "")

OPENING = CompleteResponse(
    events=[
        CompletionEvent(decision=Decision(decision_id="d", model="a/b")),
        CompletionEvent(attempt_started=AttemptStarted(model="a/b", reason=ATTEMPT_REASON_PRIMARY)),
    ]
).SerializeToString()
ANSWER = CompleteResponse(
    events=[
        CompletionEvent(delta=ContentDelta(text="word ")),
        CompletionEvent(completed=Completed(model="a/b", usage=Usage(output_tokens=2))),
    ]
).SerializeToString()


@dataclass
class Router:
    """What a test's router does before it answers, and what it saw."""

    address: str = ""
    before: Callable[[], Awaitable[None]] | None = None
    prompts: list[str] = field(default_factory=list)
    hedging: list[bool] = field(default_factory=list)
    left: int = 0

    async def complete(self, request: bytes, context: object) -> AsyncIterator[bytes]:
        message = CompleteRequest.FromString(request)
        self.prompts.append(message.messages[0].parts[0].text)
        self.hedging.append(message.execution.hedging)
        await context.send_initial_metadata((("x-pointsman-overhead-ms", "1.500"),))  # type: ignore[attr-defined]
        yield OPENING
        try:
            if self.before is not None:
                await self.before()
        except asyncio.CancelledError:
            self.left += 1
            raise
        yield ANSWER


@asynccontextmanager
async def routing(before: Callable[[], Awaitable[None]] | None = None) -> AsyncIterator[Router]:
    router = Router(before=before)
    server = grpc.aio.server()
    method: Any = grpc.unary_stream_rpc_method_handler(router.complete)
    handler = grpc.method_handlers_generic_handler(
        "pointsman.v1.RouterService", {"Complete": method}
    )
    server.add_generic_rpc_handlers((handler,))
    router.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield router
    finally:
        await server.stop(None)


async def sent_to(
    router: Router, prepared: Prepared, stop: asyncio.Event | None = None
) -> Generated:
    async def on_start(at: float) -> None:
        assert at > time.monotonic()

    said: list[Progress] = []
    generated = await generate(
        prepared.plan(router.address),
        prepared.options.processes,
        stop=stop or asyncio.Event(),
        on_start=on_start,
        on_progress=said.append,
    )
    assert said
    return generated


def result_of(prepared: Prepared, generated: Generated) -> LoadResult:
    return assemble(prepared, generated, AROUND)


async def test_a_server_that_stalls_is_charged_for_all_whom_it_kept_waiting() -> None:
    """Requests go on being sent while it stalls, and their latencies show the whole wait.

    A closed loop would send a few requests into the stall, and find one slow answer each.
    """
    stalled_until: list[float] = []

    async def stall() -> None:
        if not stalled_until:
            stalled_until.append(time.monotonic() + 1.0)
        await asyncio.sleep(max(0.0, stalled_until[0] - time.monotonic()))

    prepared = prepare(
        LoadOptions(CHAT_MIXED, rate=50, duration_s=2, warm_up_s=0, arrival="constant")
    )
    async with routing(stall) as router:
        result = result_of(prepared, await sent_to(router, prepared))
    (arm,) = result.arms
    assert (arm.counts.sent, arm.counts.answered) == (100, 100)
    during, after = (histogram(each.histograms[TTFT]) for each in arm.slices)
    # those due evenly within a second of silence waited for half a second on average
    assert 400_000 < during.get_mean_value() < 650_000
    assert during.get_max_value() > 900_000
    assert after.get_mean_value() < during.get_mean_value() / 2


async def test_two_processes_send_each_request_once() -> None:
    """With its reference, both sides of an A/B, and all headers and events read."""
    prepared = prepare(
        LoadOptions(CHAT_MIXED, rate=60, duration_s=1, warm_up_s=0.5, processes=2, ab=True)
    )
    async with routing() as router:
        generated = await sent_to(router, prepared)
    total = len(prepared.schedule)
    assert len(set(router.prompts)) == len(router.prompts) == total
    assert abs(sum(router.hedging) * 2 - total) <= 1
    result = result_of(prepared, generated)
    assert generated.lost == 0
    assert result.whole_run.sent == result.whole_run.answered == total
    assert result.whole_run.models == {"a/b": total}
    assert result.whole_run.attempt_reasons == {"PRIMARY": total}
    assert result.whole_run.output_tokens == 2 * total
    assert histogram(result.arms[0].histograms[OVERHEAD]).get_max_value() // 10 == 150
    assert sum(second.sent for second in generated.activity.seconds.values()) == total
    assert result.generator.cpu_us_per_request > 0


async def test_a_generator_that_saturates_says_so() -> None:
    """Far more is asked than one process can send: it sends late, and the run is not valid."""
    prepared = prepare(
        LoadOptions(CHAT_MIXED, rate=20_000, duration_s=0.2, slice_s=0.2, warm_up_s=0, timeout_s=60)
    )
    async with routing() as router:
        result = result_of(prepared, await sent_to(router, prepared))
    assert result.arms[0].counts.sent == len(prepared.schedule)
    assert not result.verdict.valid
    assert any("the generator lagged" in reason for reason in result.verdict.reasons)
    assert histogram(result.arms[0].histograms[LAG]).get_value_at_percentile(50) > 10_000


async def test_what_is_not_sent_for_the_limit_is_told() -> None:
    """The load is not open any more, and the run not valid."""
    forever = asyncio.Event()
    prepared = prepare(
        LoadOptions(CHAT_MIXED, rate=50, duration_s=1, warm_up_s=0, max_in_flight=10, timeout_s=2)
    )
    async with routing(lambda: _wait(forever)) as router:
        generated = await sent_to(router, prepared)
    result = result_of(prepared, generated)
    assert result.arms[0].counts.sent == 10
    assert result.arms[0].counts.statuses == {"DEADLINE_EXCEEDED": 10}
    assert generated.refused_at_limit == len(prepared.schedule) - 10
    assert any("were not sent" in reason for reason in result.verdict.reasons)


async def test_clients_that_leave_cancel_their_calls() -> None:
    """And are neither answers nor failures."""
    forever = asyncio.Event()
    lines = tuple(TraceLine(0.02 * i, "p", leave_after_s=0.2) for i in range(20))
    prepared = prepare(LoadOptions(CANCEL_STORM, trace=Trace(lines), warm_up_s=0))
    async with routing(lambda: _wait(forever)) as router:
        result = result_of(prepared, await sent_to(router, prepared))
        async with asyncio.timeout(5):
            while router.left < 20:  # noqa: ASYNC110 - the router only counts
                await asyncio.sleep(0.01)
    counts = result.arms[0].counts
    assert (counts.sent, counts.cancelled, counts.failed) == (20, 20, 0)


async def test_a_run_that_is_told_to_stop_ends_with_what_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Soon, though its server would never answer."""
    monkeypatch.setattr(processes, "STOP_GRACE_S", 0.2)
    forever, stop = asyncio.Event(), asyncio.Event()
    prepared = prepare(LoadOptions(CHAT_MIXED, rate=50, duration_s=60, warm_up_s=0))

    async with routing(lambda: _wait(forever)) as router:
        sending = asyncio.create_task(sent_to(router, prepared, stop))
        async with asyncio.timeout(30):
            while len(router.prompts) < 40:  # noqa: ASYNC110 - the router only counts
                await asyncio.sleep(0.01)
        stop.set()
        async with asyncio.timeout(10):
            generated = await sending
    assert generated.ended_early_s is not None
    result = result_of(prepared, generated)
    counts = result.whole_run
    assert result.run.interrupted
    assert counts.sent >= 40
    assert counts.sent == counts.cancelled


async def test_a_process_that_dies_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it measured is lost, and the run not valid."""
    killed: list[int] = []

    async def kill_one() -> None:
        for worker in started[:1]:
            if worker.process.pid is not None and not killed:
                killed.append(worker.process.pid)
                os.kill(worker.process.pid, 9)

    started: list[processes._Worker] = []
    original = processes._Worker.__init__

    def remember(self: processes._Worker, share: object) -> None:
        original(self, share)  # type: ignore[arg-type]
        started.append(self)

    monkeypatch.setattr(processes._Worker, "__init__", remember)
    prepared = prepare(LoadOptions(CHAT_MIXED, rate=40, duration_s=1, warm_up_s=0, processes=2))
    async with routing(kill_one) as router:
        generated = await sent_to(router, prepared)
    assert killed
    assert generated.lost == 1
    assert any("died" in reason for reason in result_of(prepared, generated).verdict.reasons)


async def test_a_server_that_is_not_there_is_named() -> None:
    """With what to do about it."""
    prepared = prepare(LoadOptions(CHAT_MIXED, rate=1, duration_s=1))
    with pytest.raises(BenchError, match="no pointsman server is reached at 127"):
        await sent_to(Router(address="127.0.0.1:1"), prepared)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
