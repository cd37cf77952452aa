"""Which cores servers, and which the upstream and the client run on."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """Empty where nothing is pinned; ``why`` then says why."""

    server: tuple[int, ...]
    client: tuple[int, ...]
    why: str = ""

    @property
    def note(self) -> str:
        """In a sentence, for the report."""
        if self.why:
            return f"Nothing is pinned: {self.why}."
        return (
            f"Servers run on core {self.server[0]}, the upstream and the client on core "
            f"{self.client[0]}."
        )


def choose(usable: frozenset[int] | None = None) -> Cores:
    """One core for servers and another for the rest, of those this process may use."""
    if usable is None:
        if not hasattr(os, "sched_getaffinity"):
            return Cores((), (), f"{sys.platform} does not let processes be pinned")
        usable = frozenset(os.sched_getaffinity(0))
    if len(usable) < 2:
        return Cores((), (), "there is only one core, so the client competes with the server")
    server, client, *_ = sorted(usable)
    return Cores((server,), (client,))
