"""What a request through pointsman costs beyond calling the upstream directly.

One call at a time, in interleaved rounds. Times are seconds of wall clock at the client; reading
and deciding are the server's own account, as its decision event states them.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from pointsman_client import Client

QUANTILES = (0.5, 0.9, 0.99)
START_TIMEOUT_S = 60.0
WARM_UP = 20

PROMPT = (
    "Our payments service started to time out after yesterday's deploy. Here is what the log says: "
    "'upstream connect error or disconnect/reset before headers'. List the three most likely "
    "causes, how to tell them apart, and what to roll back first."
)

_TICKETS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Settings:
    """What to measure."""

    upstream: str
    model: str
    rounds: int
    requests: int


@dataclass(frozen=True, slots=True)
class Row:
    """One measure: seconds at each of `QUANTILES`, the median over rounds."""

    name: str
    quantiles: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All measures of a run."""

    rows: tuple[Row, ...]
    rounds: int
    requests: int

    def as_dict(self) -> dict[str, object]:
        """For machines: milliseconds."""
        names = [f"p{q * 100:g}_ms" for q in QUANTILES]
        return {
            "rounds": self.rounds,
            "requests": self.requests,
            "rows": {
                row.name: dict(zip(names, (v * 1000 for v in row.quantiles), strict=True))
                for row in self.rows
            },
        }


@dataclass(slots=True)
class _Samples:
    """Seconds of each measure, one list a round."""

    rounds: dict[str, list[list[float]]] = field(default_factory=dict)

    def add(self, name: str, values: list[float]) -> None:
        self.rounds.setdefault(name, []).append(values)

    def row(self, name: str) -> Row:
        each = [_quantiles(values) for values in self.rounds[name]]
        return Row(name, tuple(statistics.median(q) for q in zip(*each, strict=True)))

    def difference(self, name: str, more: str, less: str) -> Row:
        """The median over rounds of the difference between quantiles of the same round."""
        pairs = zip(self.rounds[more], self.rounds[less], strict=True)
        each = [
            [a - b for a, b in zip(_quantiles(m), _quantiles(s), strict=True)] for m, s in pairs
        ]
        return Row(name, tuple(statistics.median(q) for q in zip(*each, strict=True)))


def _quantiles(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in QUANTILES]


async def measure(settings: Settings, say: Callable[[str], None]) -> Report:
    """Run the bench; ``say`` is told of progress.

    Raises:
        RuntimeError: the server did not start, or a call failed.
    """
    samples = _Samples()
    connector = aiohttp.TCPConnector(limit=4)
    async with (
        _served(settings) as address,
        Client(address) as client,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        await _routed(client, settings, WARM_UP, _Samples())
        await _direct(session, settings, WARM_UP, _Samples())
        for number in range(settings.rounds):
            await _direct(session, settings, settings.requests, samples)
            await _routed(client, settings, settings.requests, samples)
            say(f"round {number + 1} of {settings.rounds}")
    rows = (
        samples.row("direct: first token"),
        samples.row("routed: first token"),
        samples.difference("added: first token", "routed: first token", "direct: first token"),
        samples.row("direct: whole answer"),
        samples.row("routed: whole answer"),
        samples.difference("added: whole answer", "routed: whole answer", "direct: whole answer"),
        samples.row("of it, reading the prompt"),
        samples.row("of it, deciding"),
    )
    return Report(rows, settings.rounds, settings.requests)


@asynccontextmanager
async def _served(settings: Settings) -> AsyncIterator[str]:
    """A server of its own in front of the upstream; yields its address."""
    name = f"bench/{settings.model}"
    config = {
        "version": 1,
        "server": {"address": "127.0.0.1:0", "metrics": "127.0.0.1:0"},
        "providers": {"bench": {"kind": "openai", "base_url": settings.upstream}},
        "models": {name: {"price": {"input": 0.1, "output": 0.4}}},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pointsman.yaml"
        path.write_text(json.dumps(config))  # JSON is YAML
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "pointsman_server", "serve", "--config", str(path)),
            stderr=asyncio.subprocess.PIPE,
            env=os.environ,
        )
        drained: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                address = await _address(process)
            drained = asyncio.create_task(_drain(process))
            yield address
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            if drained is not None:
                await drained


async def _address(process: asyncio.subprocess.Process) -> str:
    stderr = process.stderr
    lines = []
    while stderr is not None and (line := await stderr.readline()):
        lines.append(line.decode(errors="replace"))
        if line.startswith(b"{") and json.loads(line).get("event") == "serving":
            return str(json.loads(line)["address"])
    raise RuntimeError(f"the server did not start:\n{''.join(lines[-20:])}")


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Keep reading the log, so that the server never waits for a full pipe."""
    while process.stderr is not None and await process.stderr.read(65536):
        pass


async def _direct(
    session: aiohttp.ClientSession, settings: Settings, count: int, samples: _Samples
) -> None:
    body = json.dumps(
        {
            "model": settings.model,
            "messages": [{"role": "user", "content": PROMPT}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
    first, whole = [], []
    for _ in range(count):
        started = time.perf_counter()
        seen = 0.0
        async with session.post(
            f"{settings.upstream}/chat/completions",
            data=body,
            headers={"content-type": "application/json"},
        ) as response:
            if response.status != 200:
                raise RuntimeError(f"the upstream answered {response.status}")
            async for chunk in response.content.iter_any():
                if not seen and b'"content"' in chunk:
                    seen = time.perf_counter()
        whole.append(time.perf_counter() - started)
        first.append(seen - started)
    samples.add("direct: first token", first)
    samples.add("direct: whole answer", whole)


async def _routed(client: Client, settings: Settings, count: int, samples: _Samples) -> None:
    first, whole, read, decide = [], [], [], []
    for _ in range(count):
        started = time.perf_counter()
        seen = 0.0
        # never the same prompt twice: a second reading would come from the server's cache
        completion = client.complete(f"{PROMPT} Ticket {next(_TICKETS)}.")
        async for event in completion:
            if not seen and event.HasField("delta"):
                seen = time.perf_counter()
        whole.append(time.perf_counter() - started)
        first.append(seen - started)
        decision = completion.decision
        if decision is None:
            raise RuntimeError("an answer came without a decision")
        read.append(decision.classification.duration.ToNanoseconds() / 1e9)
        decide.append(decision.duration.ToNanoseconds() / 1e9)
    samples.add("routed: first token", first)
    samples.add("routed: whole answer", whole)
    samples.add("of it, reading the prompt", read)
    samples.add("of it, deciding", decide)
