"""The work that every system does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_bench.simulator.behaviour import Lognormal, ModelBehaviour

TOKENS = 64
"""Of every answer."""

_SIMULATED_SEND_GAP_S = 0.001
"""The simulator sends all that is due at once: a send a token takes a gap between them."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of work.

    ``model`` is what the upstream's model is called. In the dialect of such test upstreams the
    name says what to answer: ``mock-<tokens>-<µs to the first>-<µs between>-<a|s>``, where ``a``
    is one send for all tokens that are due, and ``s`` one send a token.
    """

    name: str
    does: str
    model: str
    first_token_s: float = 0.0
    gap_s: float = 0.0
    simulated_gap_s: float = 0.0
    streamed: bool = True
    streams: int = 32
    stagger_s: float = 0.0

    @property
    def behaviour(self) -> ModelBehaviour:
        """The same for the built-in simulator."""
        return ModelBehaviour(
            name=self.model,
            first_token=Lognormal(self.first_token_s),
            gap=Lognormal(self.simulated_gap_s or self.gap_s),
            tokens=Lognormal(TOKENS),
        )


_PACED_FIRST_S, _PACED_GAP_S, _PACED_STREAMS = 0.05, 0.02, 32

WORKLOADS = {
    each.name: each
    for each in (
        Workload("burst", "64 tokens in one send, 32 streams at once", "mock-64-0-0-a"),
        Workload(
            "sends",
            "64 tokens, one send a token, 32 streams at once",
            "mock-64-0-0-s",
            simulated_gap_s=_SIMULATED_SEND_GAP_S,
        ),
        Workload(
            "paced",
            "the first token after 50 ms, one more every 20 ms, 32 streams at once",
            "mock-64-50000-20000-a",
            first_token_s=_PACED_FIRST_S,
            gap_s=_PACED_GAP_S,
            streams=_PACED_STREAMS,
            stagger_s=(_PACED_FIRST_S + _PACED_GAP_S * TOKENS) / _PACED_STREAMS,
        ),
        Workload(
            "nonstream",
            "whole answers of 64 tokens, 32 calls at once",
            "mock-64-0-0-a",
            streamed=False,
        ),
        Workload(
            "single", "64 tokens in one send, one stream at a time", "mock-64-0-0-a", streams=1
        ),
    )
}


def behaviours(workloads: Sequence[Workload]) -> tuple[ModelBehaviour, ...]:
    """The simulated models that these workloads need, each once."""
    return tuple({each.model: each.behaviour for each in workloads}.values())


def models(workloads: Sequence[Workload]) -> tuple[str, ...]:
    """The upstream's models that these workloads need, each once."""
    return tuple(dict.fromkeys(each.model for each in workloads))
