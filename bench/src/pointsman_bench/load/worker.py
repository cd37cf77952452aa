"""One process of the generator: sends its share of the schedule and counts what comes of it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import grpc
import grpc.aio
import uvloop
from pointsman.v1.router_service_pb2 import CompleteResponse

from pointsman_bench.load.activity import Activity
from pointsman_bench.load.alarm import Alarm
from pointsman_bench.load.metadata import error_reason, overhead_s
from pointsman_bench.load.plan import Done, Go, LoadPlan, Progress, Ready, Share, Stop, Unreachable
from pointsman_bench.load.reading import LEFT, OK, Reading
from pointsman_bench.load.schedule import STAYS
from pointsman_bench.load.tally import Tallies
from pointsman_bench.load.templates import Template, request_of
from pointsman_bench.sparse import Sparse

METHOD = "/pointsman.v1.RouterService/Complete"
CONNECT_TIMEOUT_S = 5.0
PROGRESS_EVERY_S = 0.5
BREATHE_EVERY = 8
"""So many requests that are overdue are sent before the answers of others get a turn."""

_CHANNEL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own for each channel
    ("grpc.enable_retries", 0),  # what fails is to be seen
    ("grpc.max_receive_message_length", 16 << 20),
)


def run_worker(share: Share, parent: Connection) -> None:
    """The process's main function; says all that it has to say to ``parent``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which says `Stop`
    if share.cores:
        os.sched_setaffinity(0, share.cores)
    uvloop.run(_work(share, parent))


async def _work(share: Share, parent: Connection) -> None:
    orders: asyncio.Queue[Go | Stop | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def listen() -> None:
        try:
            while parent.poll():
                orders.put_nowait(parent.recv())
        except (EOFError, OSError):  # the parent is gone, and with it all reason to go on
            loop.remove_reader(parent.fileno())
            orders.put_nowait(None)

    loop.add_reader(parent.fileno(), listen)
    channels = [
        grpc.aio.insecure_channel(share.plan.target, options=_CHANNEL_OPTIONS)
        for _ in range(share.plan.connections)
    ]
    try:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await asyncio.gather(*(channel.channel_ready() for channel in channels))
        except TimeoutError:
            parent.send(Unreachable(f"no answer within {CONNECT_TIMEOUT_S:g} s"))
            return
        parent.send(Ready())
        order = await orders.get()
        if isinstance(order, Go):
            sender = Sender(share, channels, order.at, parent.send)
            parent.send(await sender.run(orders))
    finally:
        loop.remove_reader(parent.fileno())
        await asyncio.gather(*(channel.close() for channel in channels))


@dataclass(frozen=True, slots=True)
class _Request:
    """A request about to be due."""

    data: bytes
    method: Any
    arm: int
    slice_: int
    template: Template
    leave_after: float


class Sender:
    """Sends requests when they are due, and reads their answers."""

    def __init__(
        self,
        share: Share,
        channels: list[grpc.aio.Channel],
        start: float,
        say: Callable[[Progress], None],
    ) -> None:
        self._index = share.index
        self._plan: LoadPlan = share.plan
        self._schedule = share.plan.schedule
        self._start = start
        self._measured_from = start + share.plan.slicing.warm_up_s
        self._say = say
        self._calls: list[Any] = [
            channel.unary_stream(
                METHOD,
                request_serializer=None,
                response_deserializer=CompleteResponse.FromString,
            )
            for channel in channels
        ]
        self._tallies = Tallies()
        self._activity = Activity(self._measured_from)
        self._under_way: set[asyncio.Task[None]] = set()
        self._refused = 0
        self._sent = self._ended = self._failed = 0
        self._ttft, self._lag = Sparse(), Sparse()
        self._cpu = (0.0, 0.0)
        self._fault: BaseException | None = None

    async def run(self, orders: asyncio.Queue[Go | Stop | None]) -> Done:
        """Send everything, or until told to stop; returns once all has ended."""
        loop = asyncio.get_running_loop()
        gc.collect()
        gc.freeze()  # the schedule and the libraries are not looked through again
        wait = max(0.0, self._measured_from - time.monotonic())
        loop.call_later(wait, self._begin_measuring)
        sending = asyncio.create_task(self._send_all())
        reporting = asyncio.create_task(self._report())
        stop = asyncio.create_task(orders.get())
        await asyncio.wait({sending, stop}, return_when=asyncio.FIRST_COMPLETED)
        cpu_s = time.process_time() - self._cpu[0]
        wall_s = time.monotonic() - self._cpu[1]
        grace_s: float | None = None
        if stop.done():
            sending.cancel()
            grace_s = _grace(stop.result())
        await self._drain(stop, grace_s)
        for task in (stop, reporting, sending):
            task.cancel()
        await asyncio.gather(stop, reporting, sending, return_exceptions=True)
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error
        if self._fault is not None:
            raise self._fault
        measured = self._cpu[1] > 0
        return Done(
            index=self._index,
            tallies=self._tallies,
            activity=self._activity,
            cpu_s=cpu_s if measured else 0.0,
            wall_s=wall_s if measured else 0.0,
            refused_at_limit=self._refused,
        )

    def _begin_measuring(self) -> None:
        self._cpu = (time.process_time(), time.monotonic())

    async def _send_all(self) -> None:
        with Alarm() as alarm:
            await self._send_each(alarm)
        # those who come last have their time too
        end = self._start + self._plan.length_s
        await asyncio.sleep(max(0.0, end - time.monotonic()))

    async def _send_each(self, alarm: Alarm) -> None:
        schedule, start = self._schedule, self._start
        overdue = 0
        for i in range(len(schedule)):
            due = start + float(schedule.due[i])
            request = self._prepared(i)  # before it is due: what it takes is not the server's
            if due > time.monotonic():
                overdue = 0
                await alarm.until(due)
            overdue += 1
            if overdue % BREATHE_EVERY == 0:
                await asyncio.sleep(0)
            if len(self._under_way) >= self._plan.max_in_flight:
                self._refused += 1
                continue
            self._send(request, due)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._fault = fault

    async def _drain(self, stop: asyncio.Task[Go | Stop | None], grace_s: float | None) -> None:
        """Let what is under way end: each has its own deadline; cut short where told to."""
        while self._under_way:
            waiting: set[asyncio.Task[Any]] = set(self._under_way)
            if grace_s is None:
                await asyncio.wait(waiting | {stop}, return_when=asyncio.FIRST_COMPLETED)
                if stop.done():
                    grace_s = _grace(stop.result())
                continue
            await asyncio.wait(waiting, timeout=grace_s)
            for task in tuple(self._under_way):
                task.cancel()
            grace_s = 1.0

    def _prepared(self, i: int) -> _Request:
        plan, schedule = self._plan, self._schedule
        arm, number = int(schedule.arm[i]), int(schedule.number[i])
        template = plan.templates[schedule.template[i]]
        reference = f"{plan.reference}-{number}" if plan.reference else ""
        return _Request(
            data=request_of(template, plan.arms[arm], reference),
            method=self._calls[number % len(self._calls)],
            arm=arm,
            slice_=plan.slicing.slice_of(float(schedule.due[i])),
            template=template,
            leave_after=float(schedule.leave_after[i]),
        )

    def _send(self, request: _Request, due: float) -> None:
        sent = time.monotonic()
        call = request.method(request.data, timeout=max(0.0, due + self._plan.timeout_s - sent))
        self._tallies.sent(request.arm, request.slice_, sent - due)
        self._activity.sent(sent)
        self._sent += 1
        self._lag.record(sent - due)
        task = asyncio.create_task(self._follow(call, request, Reading(due, sent)))
        self._under_way.add(task)
        task.add_done_callback(self._over)

    async def _follow(self, call: Any, request: _Request, reading: Reading) -> None:
        leaving = None
        if request.leave_after != STAYS:
            leaves_in = reading.due + request.leave_after - time.monotonic()
            leaving = asyncio.get_running_loop().call_later(max(0.0, leaves_in), call.cancel)
        try:
            await self._read(call, reading)
        finally:
            if leaving is not None:
                leaving.cancel()
            if not reading.status:  # we were told to give up
                call.cancel()
                reading.end(time.monotonic(), LEFT)
            self._account(reading, request)

    async def _read(self, call: Any, reading: Reading) -> None:
        first = True
        try:
            while (response := await call.read()) is not grpc.aio.EOF:
                now = time.monotonic()
                if reading.batch(response.events, now):
                    self._activity.message(now)
                if first:
                    first = False
                    reading.overhead_s = overhead_s(await call.initial_metadata())
            reading.end(time.monotonic(), OK)
        except grpc.aio.AioRpcError as error:
            reading.end(
                time.monotonic(), error.code().name, error_reason(error.trailing_metadata())
            )
        except asyncio.CancelledError:
            if not call.cancelled():
                raise  # not the call was cancelled but we are
            reading.end(time.monotonic(), LEFT)

    def _account(self, reading: Reading, request: _Request) -> None:
        failed = reading.status not in (OK, LEFT)
        self._ended += 1
        self._failed += failed
        self._activity.ended(reading.ended, failed=failed)
        if reading.first_text is not None:
            self._ttft.record(reading.first_text - reading.due)
        self._tallies.ended(
            reading,
            arm=request.arm,
            slice_=request.slice_,
            kind=request.template.kind,
            cap=request.template.cap,
            objectives=self._plan.objectives,
            start=self._measured_from,
        )

    async def _report(self) -> None:
        """Tell the parent how it goes, until cancelled."""
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            self._say(
                Progress(
                    index=self._index,
                    sent=self._sent,
                    ended=self._ended,
                    failed=self._failed,
                    in_flight=len(self._under_way),
                    ttft=self._ttft.counts,
                    lag=self._lag.counts,
                )
            )
            self._sent = self._ended = self._failed = 0
            self._ttft, self._lag = Sparse(), Sparse()


def _grace(order: Go | Stop | None) -> float:
    return order.grace_s if isinstance(order, Stop) else 0.0
