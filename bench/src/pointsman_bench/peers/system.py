"""What is compared: systems that all do the same work, each in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from pointsman_bench.capacity.work import COUNTER, Work
from pointsman_bench.peers.install import Say
from pointsman_bench.peers.launch import Launched
from pointsman_bench.peers.workloads import TOKENS, Workload

INSTRUCTIONS = "You are a helpful assistant. Answer in plain words and to the point."
PROMPT = (
    f"Ticket {COUNTER.decode()}: summarise the following paragraph in two sentences and give me "
    "three bullet points about the key risks: the quick brown fox jumps over the lazy dog."
)
"""Long enough to be no toy, and never the same twice."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a system runs: in front of which upstream, on which cores, with which folder.

    ``upstream`` is host:port of an OpenAI-compatible server that has ``models``. ``cache`` holds
    installations.
    """

    upstream: str
    models: Sequence[str]
    cores: Sequence[int]
    folder: Path
    cache: Path
    say: Say


class System(Protocol):
    """One of what is compared."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def versions(self) -> str:
        """Of what it is made."""

    def start(self, place: Place) -> AbstractAsyncContextManager[Launched]:
        """Run it.

        Raises:
            Missing: it is not installed and cannot be.
            LaunchError: it did not start.
        """

    def work(self, workload: Workload, place: Place, address: str) -> Work:
        """The workload as this system's clients send it; of the rest, `Work`'s defaults."""


def chat_work(workload: Workload, address: str, headers: Mapping[str, str]) -> Work:
    """A workload in OpenAI's dialect."""
    body = {
        "model": workload.model,
        "messages": [
            {"role": "system", "content": INSTRUCTIONS},
            {"role": "user", "content": PROMPT},
        ],
        "temperature": 0.2,
        "max_tokens": 512,
        "stream": workload.streamed,
    }
    return Work(
        protocol="http",
        address=address,
        path="/v1/chat/completions",
        body=msgspec.json.encode(body),
        headers={"authorization": "Bearer sk-none", **headers},
        streamed=workload.streamed,
        tokens=TOKENS,
        streams=workload.streams,
        stagger_s=workload.stagger_s,
    )
