"""Sends requests when they are due, whatever became of the earlier ones, and times first tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from pointsman.v1.message_pb2 import ROLE_USER, Message, Part
from pointsman.v1.router_service_pb2 import (
    ATTEMPT_REASON_HEDGE,
    CompleteRequest,
    CompleteResponse,
)

METHOD = "/pointsman.v1.RouterService/Complete"
TIMEOUT_S = 60.0
CHANNELS = 4

_CHANNEL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own for each channel
    ("grpc.enable_retries", 0),
)
_QUESTIONS = (
    "What is the capital of France?",
    "Name three rivers that flow into the Black Sea.",
    "Which planet has the most moons?",
    "Who wrote the novel Middlemarch?",
    "At what temperature does lead melt?",
)
REQUESTS = tuple(
    CompleteRequest(
        messages=[Message(role=ROLE_USER, parts=[Part(text=question)])]
    ).SerializeToString()
    for question in _QUESTIONS
)


@dataclass(slots=True)
class Block:
    """What a stretch of load saw.

    Attributes:
        first_token_s: of each request that was answered, from when it was due.
        due: when requests were due, in seconds of the monotonic clock.
        hedged: when their clients were told of hedges, on the same clock.
        late_s: how much later than due each was sent, the sender's own fault.
        most_in_flight: the most requests under way at once.
        failures: what went wrong, by status, and how often.
    """

    first_token_s: list[float] = field(default_factory=list)
    due: list[float] = field(default_factory=list)
    hedged: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    most_in_flight: int = 0
    failures: dict[str, int] = field(default_factory=dict)

    def add(self, other: Block) -> None:
        """Add what another stretch saw."""
        self.first_token_s += other.first_token_s
        self.due += other.due
        self.hedged += other.hedged
        self.late_s += other.late_s
        self.most_in_flight = max(self.most_in_flight, other.most_in_flight)
        for status, count in other.failures.items():
            self.failures[status] = self.failures.get(status, 0) + count


async def send(
    target: str, due_s: Sequence[float], advance: Callable[[int], object] = lambda _: None
) -> Block:
    """Send one request at each of ``due_s`` (seconds from now), and wait until all have ended.

    ``advance`` is told of each that has ended.
    """
    block = Block()
    channels = [
        grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS) for _ in range(CHANNELS)
    ]
    try:
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        await _Sender(channels, block, advance).run(due_s)
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))
    return block


class _Sender:
    def __init__(
        self, channels: Sequence[grpc.aio.Channel], block: Block, advance: Callable[[int], object]
    ) -> None:
        self._calls: list[Any] = [
            channel.unary_stream(
                METHOD,
                request_serializer=None,
                response_deserializer=CompleteResponse.FromString,
            )
            for channel in channels
        ]
        self._block = block
        self._advance = advance
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, due_s: Sequence[float]) -> None:
        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, after in enumerate(due_s):
                due = start + after
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                task = group.create_task(self._request(number, due))
                self._under_way.add(task)
                task.add_done_callback(self._over)
                self._block.most_in_flight = max(self._block.most_in_flight, len(self._under_way))

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._advance(1)

    async def _request(self, number: int, due: float) -> None:
        block = self._block
        block.due.append(due)
        block.late_s.append(time.monotonic() - due)
        send = self._calls[number % len(self._calls)]
        call = send(REQUESTS[number % len(REQUESTS)], timeout=TIMEOUT_S)
        first = None
        try:
            while (response := await call.read()) is not grpc.aio.EOF:
                now = time.monotonic()
                for event in response.events:
                    kind = event.WhichOneof("event")
                    if kind == "delta" and first is None:
                        first = now
                    elif (
                        kind == "attempt_started"
                        and event.attempt_started.reason == ATTEMPT_REASON_HEDGE
                    ):
                        block.hedged.append(now)
        except grpc.aio.AioRpcError as error:
            status = error.code().name
            block.failures[status] = block.failures.get(status, 0) + 1
            return
        if first is not None:
            block.first_token_s.append(first - due)
