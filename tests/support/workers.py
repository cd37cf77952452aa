"""`pointsman serve` with several workers: real processes, their log, and clients that call them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
from pointsman.v1.router_service_pb2_grpc import RouterServiceStub
from served import ask

Line = dict[str, Any]

PROVIDERS = """
providers: {one: {kind: openai, base_url: "%s/v1"}}
models: {one/a: {price: {input: $1, output: $2}}}
"""


def write_config(folder: Path, url: str, **server: object) -> Path:
    """A configuration whose only provider is at ``url``; ``server`` is more of its section."""
    path = folder / "pointsman.yaml"
    usual = {
        "address": "127.0.0.1:0",
        "metrics": None,
        "workers": 2,
        "classify_within": "5s",
        "drain": "5s",
    }
    section = json.dumps(usual | server)
    path.write_text(f"version: 1\nserver: {section}\n{PROVIDERS % url}")
    return path


@dataclass
class Serving:
    """The command, running. ``lines`` is what it has logged so far."""

    process: Process
    lines: list[Line] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    ended: bool = False
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def read(self) -> None:
        """Read the log to its end."""
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            try:
                self.lines.append(json.loads(line))
            except ValueError:
                self.other.append(line.decode())
            async with self._changed:
                self._changed.notify_all()
        self.ended = True
        async with self._changed:
            self._changed.notify_all()

    def logged(self, event: str, **fields: object) -> list[Line]:
        """The lines of an event, with these fields."""
        wanted = {"event": event} | fields
        return [line for line in self.lines if wanted.items() <= line.items()]

    async def until(
        self, event: str, count: int = 1, timeout_s: float = 30.0, **fields: object
    ) -> Line:
        """Wait until an event has been logged ``count`` times; the last of them."""

        def known() -> bool:
            return self.ended or len(self.logged(event, **fields)) >= count

        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(known)
        found = self.logged(event, **fields)
        assert len(found) >= count, f"no {event} {fields} in {self.lines} {self.other}"
        return found[count - 1]

    @property
    def address(self) -> str:
        """Where it listens."""
        return str(self.logged("serving")[0]["address"])

    def pid(self, worker: int) -> int:
        """The process that was started last for a worker's slot."""
        return int(self.logged("worker_started", worker=worker)[-1]["pid"])

    def signal(self, number: int) -> None:
        """Send the parent a signal."""
        self.process.send_signal(number)


def is_running(pid: int) -> bool:
    """Whether there is such a process, zombies aside."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def wait_until(happened: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Wait until something holds that tells nobody when it does."""
    async with asyncio.timeout(timeout_s):
        while not happened():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(folder: Path, *arguments: str) -> AsyncIterator[Serving]:
    """`pointsman serve` in ``folder``, ended at the end by whatever it takes."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("POINTSMAN_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "pointsman_server", "serve", *arguments),
        cwd=folder,
        env=kept,
        stderr=PIPE,
        limit=1 << 20,
    )
    serving = Serving(process)
    reading = asyncio.create_task(serving.read())
    try:
        yield serving
    finally:
        with suppress(ProcessLookupError):
            process.kill()  # workers end when their parent does
        await process.wait()
        async with asyncio.timeout(20):
            await reading  # which is when the last of them has closed its standard error


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. ``code`` is empty where it was answered whole."""

    began: float
    ended: float
    text: str
    code: str = ""
    details: str = ""


class Traffic:
    """Clients that call one after the other until told to stop.

    They are as gRPC makes them: a call that a server refuses before it has begun it goes to another
    one, no other is tried again. With ``reconnect`` each call has a connection of its own.
    """

    def __init__(self, address: str, clients: int, *, reconnect: bool = False) -> None:
        self._address = address
        self._reconnect = reconnect
        self._stopping = False
        self.outcomes: list[Outcome] = []
        self.under_way = 0
        self._tasks = [asyncio.create_task(self._client()) for _ in range(clients)]

    @property
    def lost(self) -> list[Outcome]:
        """The calls that were not answered whole."""
        return [o for o in self.outcomes if o.code]

    async def stop(self) -> list[Outcome]:
        """Begin no more calls, wait for those under way, and tell how all went."""
        self._stopping = True
        await asyncio.gather(*self._tasks)
        return self.outcomes

    async def _client(self) -> None:
        while not self._stopping:
            options = [("grpc.use_local_subchannel_pool", 1)]
            async with grpc.aio.insecure_channel(self._address, options=options) as channel:
                await self._call(channel)
                while not self._reconnect and not self._stopping:
                    await self._call(channel)

    async def _call(self, channel: grpc.aio.Channel) -> None:
        stub: Any = RouterServiceStub(channel)
        began, text, code, details = time.monotonic(), "", "", ""
        self.under_way += 1
        try:
            async for response in stub.Complete(ask(), timeout=20):
                text += "".join(event.delta.text for event in response.events)
        except grpc.aio.AioRpcError as error:
            code, details = error.code().name, error.details() or ""
            await asyncio.sleep(0.05)
        finally:
            self.under_way -= 1
        self.outcomes.append(Outcome(began, time.monotonic(), text, code, details))


@asynccontextmanager
async def traffic(address: str, clients: int, *, reconnect: bool = False) -> AsyncIterator[Traffic]:
    """`Traffic`, stopped at the end."""
    clients_ = Traffic(address, clients, reconnect=reconnect)
    try:
        yield clients_
    finally:
        await clients_.stop()
