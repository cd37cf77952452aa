"""Connections that keep their streams busy: a call that has ended is followed by the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import count
from typing import cast

from pointsman_bench.capacity.answers import (
    Answers,
    Bodies,
    Completions,
    EventStreams,
    Generations,
)
from pointsman_bench.capacity.frames import FrameError
from pointsman_bench.capacity.grpc_calls import GrpcCalls
from pointsman_bench.capacity.http_calls import HttpCalls
from pointsman_bench.capacity.judge import Judge
from pointsman_bench.capacity.tally import Exchange, Tally
from pointsman_bench.capacity.work import Work

_LOST = "the server closed the connection in mid-call"


class Loop:
    """What the connections of one client share. ``ended`` is told of every call's end."""

    def __init__(self, work: Work, tally: Tally, ended: Callable[[], None]) -> None:
        self.work = work
        self.judge = Judge(_answers(work), work.tokens, work.verify_every, tally)
        self.over = False
        self._ended = ended
        self._numbers = count(work.first)

    def next_call(self, now: float) -> Exchange:
        """A call that begins now."""
        return Exchange(now, next(self._numbers))

    def end(self, exchange: Exchange, now: float) -> None:
        """A call has ended."""
        self.judge.end(exchange, now)
        self._ended()


class GrpcConnection(asyncio.Protocol):
    """One HTTP/2 connection with several streams."""

    def __init__(self, loop: Loop) -> None:
        work = loop.work
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._calls = GrpcCalls(
            work.path, work.address, work.body, loop.judge.answers, loop.judge.tally
        )
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but class
        self._transport.write(self._calls.take())

    def begin(self) -> None:
        """Start a call."""
        if self._transport is not None:
            self._calls.begin(self._loop.next_call(time.perf_counter()))
            self._transport.write(self._calls.take())

    def data_received(self, data: bytes) -> None:
        """Take what came; where calls ended, start the next ones."""
        now = time.perf_counter()
        try:
            for exchange in self._calls.receive(data, now):
                self._loop.end(exchange, now)
                if not self._loop.over:
                    self._calls.begin(self._loop.next_call(time.perf_counter()))
        except FrameError as error:
            self._close(str(error))
            return
        if self._transport is not None and (out := self._calls.take()):
            self._transport.write(out)

    def connection_lost(self, exc: Exception | None) -> None:
        """All calls under way are lost."""
        self._close(_LOST)

    def close(self) -> None:
        """Leave."""
        self._close("left")

    def _close(self, why: str) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        transport.abort()
        now = time.perf_counter()
        for exchange in self._calls.lose(why):
            self._loop.end(exchange, now)
        if not self.lost.done():
            self.lost.set_result(None)


class HttpConnection(asyncio.Protocol):
    """One HTTP/1.1 connection with one call at a time."""

    def __init__(self, loop: Loop) -> None:
        work = loop.work
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._calls = HttpCalls(
            work.path, work.address, work.headers, work.body, loop.judge.answers, loop.judge.tally
        )
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing to say yet."""
        self._transport = cast(asyncio.Transport, transport)

    def begin(self) -> None:
        """Start a call."""
        if self._transport is not None:
            self._transport.write(self._calls.begin(self._loop.next_call(time.perf_counter())))

    def data_received(self, data: bytes) -> None:
        """Take what came; where the call ended, start the next one."""
        now = time.perf_counter()
        exchange = self._calls.receive(data, now)
        if exchange is None:
            return
        self._loop.end(exchange, now)
        if not self._calls.keep_alive:
            self._close(_LOST)
        elif not self._loop.over:
            self.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """The call under way is lost."""
        self._close(_LOST)

    def close(self) -> None:
        """Leave."""
        self._close("left")

    def _close(self, why: str) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        transport.abort()
        exchange = self._calls.lose(why)
        if exchange is not None:
            self._loop.end(exchange, time.perf_counter())
        if not self.lost.done():
            self.lost.set_result(None)


Connection = GrpcConnection | HttpConnection


def _answers(work: Work) -> Answers:
    match work.protocol, work.streamed:
        case "grpc", True:
            return Completions(completed=work.completed)
        case "grpc", False:
            return Generations()
        case "http", True:
            return EventStreams()
        case _:
            return Bodies()
