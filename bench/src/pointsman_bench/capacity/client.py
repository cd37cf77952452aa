"""One client: connect, warm up, open the window, measure, leave."""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from itertools import cycle, islice

from pointsman_bench.capacity.connections import (
    Connection,
    GrpcConnection,
    HttpConnection,
    Loop,
)
from pointsman_bench.capacity.meter import ServerMeter
from pointsman_bench.capacity.tally import Tally
from pointsman_bench.capacity.work import MAX_ERRORS, Outcome, Work, WorkError

CONNECT_TIMEOUT_S = 10.0
STALLED_AFTER_S = 60.0
"""A client that sees no call end for so long gives up."""


class Client:
    """Runs one `Work`."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._tally = Tally()
        self._meter = None if work.server_pid is None else ServerMeter(work.server_pid)
        self._loop = Loop(work, self._tally, self._on_end)
        self._wanted: int | None = None
        self._news = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []

    async def run(self) -> Outcome:
        """Do the work.

        Raises:
            WorkError: the server cannot be reached, has ended, or fails too many calls.
        """
        try:
            await self._connect()
            await self._spend(self._work.warm_up_s)
            gc.collect()
            gc.freeze()  # what is there by now stays, and need not be looked at again
            return await self._measure()
        finally:
            self._loop.over = True
            for keeper in self._keepers:
                keeper.cancel()
            await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _connect(self) -> None:
        work = self._work
        count = work.streams if work.protocol == "http" else min(work.connections, work.streams)
        first = [await self._dial() for _ in range(count)]
        streams: dict[int, int] = dict.fromkeys(range(count), 0)
        for number in islice(cycle(range(count)), work.streams):
            streams[number] += 1
        for number, connection in enumerate(first):
            keeper = self._keep(connection, number, streams[number], count)
            self._keepers.append(asyncio.create_task(keeper))

    async def _keep(self, connection: Connection, number: int, streams: int, step: int) -> None:
        """Start a connection's calls, and make another whenever it is lost."""
        try:
            await asyncio.sleep(number * self._work.stagger_s)
            while True:
                for begun in range(streams):
                    if begun:
                        await asyncio.sleep(step * self._work.stagger_s)
                    connection.begin()
                await connection.lost
                connection = await self._dial()
        finally:
            connection.close()

    async def _dial(self) -> Connection:
        host, _, port = self._work.address.rpartition(":")
        kind = GrpcConnection if self._work.protocol == "grpc" else HttpConnection
        connection: Connection = kind(self._loop)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(lambda: connection, host, int(port))
        except (OSError, TimeoutError) as error:
            why = str(error) or "no answer in time"
            raise WorkError(f"cannot connect to {self._work.address}: {why}") from None
        return connection

    async def _measure(self) -> Outcome:
        tally, meter = self._tally, self._meter
        used, server_used = _cpu_s(), meter.cpu_s() if meter else 0.0
        started = time.perf_counter()
        tally.open = True
        if self._work.calls is not None:
            self._wanted = tally.ended + self._work.calls
            await self._spend(None)
        else:
            await self._spend(self._work.window_s)
        tally.open = False
        seconds = time.perf_counter() - started
        client_cpu_s = _cpu_s() - used
        return Outcome(
            seconds=seconds,
            calls=tally.calls,
            tokens=tally.tokens,
            messages=tally.messages,
            received_bytes=tally.received_bytes,
            errors=tally.errors,
            first_error=tally.first_error,
            verified=tally.verified,
            first_token=tally.first_token,
            whole=tally.whole,
            client_cpu_s=client_cpu_s,
            server_cpu_s=meter.cpu_s() - server_used if meter else None,
            server_memory=meter.memory() if meter else None,
        )

    def _on_end(self) -> None:
        if self._has_all:
            self._tally.open = False  # at once: by the time that this client wakes, more has come
        if self._has_all or self._tally.hopeless:
            self._news.set()

    @property
    def _has_all(self) -> bool:
        return self._wanted is not None and self._tally.ended >= self._wanted

    async def _spend(self, seconds: float | None) -> None:
        """Let the calls go on for so long, or until as many as wanted have ended."""
        tally = self._tally
        until = None if seconds is None else time.perf_counter() + seconds
        while not (tally.hopeless or self._has_all):
            self._news.clear()
            seen = tally.ended
            left = STALLED_AFTER_S if until is None else until - time.perf_counter()
            if left <= 0:
                return
            news = asyncio.create_task(self._news.wait())
            await asyncio.wait(
                {news, *self._keepers}, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            news.cancel()
            for keeper in self._keepers:
                if keeper.done():
                    keeper.result()
            if until is None and not self._news.is_set() and tally.ended == seen:
                raise WorkError(f"no call has ended for {STALLED_AFTER_S:g} s")
        if tally.hopeless:
            raise WorkError(f"{MAX_ERRORS} calls failed; the first: {tally.first_error}")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
