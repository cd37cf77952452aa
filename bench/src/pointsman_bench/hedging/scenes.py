"""Traffic that hedging must cope with, and the bars that it must meet there."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pointsman_server.routing.hedging import HedgePolicy

from pointsman_bench.hedging.bars import Bars, Figure, Quantiles, figures, quantiles, worst_window
from pointsman_bench.hedging.replay import Replay, Served
from pointsman_bench.hedging.traffic import Request, Slowdown, Traffic, draw
from pointsman_bench.simulator.behaviour import Lognormal, Tail

WARM_UP = 1000
"""Requests that are not counted: a server that knows nothing yet hedges by its prior."""

_COSTS_ONLY = Bars(p50=1.05, p99=None, p999=None)


@dataclass(frozen=True, slots=True)
class Scene:
    """One kind of traffic. ``parts`` are the moments (shares of the whole) that it is split at."""

    name: str
    summary: str
    traffic: Traffic
    bars: Bars = Bars()
    parts: tuple[float, ...] = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a scene. Times are divided by what the prompt's length makes of them."""

    start: float
    end: float
    requests: int
    off: Quantiles
    on: Quantiles
    figures: tuple[Figure, ...]


SCENES = (
    Scene("tail", "2 % of calls take 20 times as long", Traffic()),
    Scene(
        "narrow", "the same, and the others vary less", Traffic(first_token=Lognormal(0.05, 0.3))
    ),
    Scene(
        "wide",
        "the same, and the others vary so much that the best delay gives a fifth",
        Traffic(first_token=Lognormal(0.05, 0.6)),
        Bars(p99=0.26),
    ),
    Scene("quiet", "10 requests a second", Traffic(rate=10.0, requests=10_000)),
    Scene("busy", "2,000 requests a second", Traffic(rate=2000.0, requests=60_000)),
    Scene(
        "lengths",
        "prompts from 10 to 60,000 tokens, whose length counts",
        Traffic(prompt=Lognormal(300.0, 1.5), per_token=0.001),
    ),
    Scene(
        "long answers",
        "answers of 20 s, so that the server learns late",
        Traffic(rate=30.0, first_token=Lognormal(0.5, 0.4), answer=Lognormal(20.0, 0.7)),
    ),
    Scene(
        "doubling",
        "half way everything becomes twice as slow",
        Traffic(slowdowns=(Slowdown(0.5, 1.0, 2.0),)),
        parts=(0.0, 0.5, 1.0),
    ),
    Scene(
        "brown-out",
        "for 10 s everything is four times as slow",
        Traffic(slowdowns=(Slowdown(0.5, 0.55, 4.0),)),
        _COSTS_ONLY,
        parts=(0.0, 0.5, 0.55, 1.0),
    ),
    Scene(
        "shared",
        "30 % of slowness lies in the request, which no hedge escapes",
        Traffic(tail=Tail(0.02, 20.0, shared=0.3)),
        Bars(p99=0.25, p999=None),
    ),
)


def play(scene: Scene, seed: int, policy: HedgePolicy = HedgePolicy()) -> tuple[Part, ...]:
    """Replay a scene; each part with its own figures."""
    requests = draw(scene.traffic, seed)
    rows = list(zip(requests, Replay(policy).run(requests), strict=True))
    came = [request.due_s for request in requests]
    hedges = sorted(done.hedged_at for _, done in rows if done.hedged_at is not None)
    length_s = scene.traffic.requests / scene.traffic.rate
    parts = []
    for start, end in pairwise(scene.parts):
        begun = max(bisect_left(came, start * length_s), WARM_UP)
        over = len(rows) if end >= 1 else bisect_left(came, end * length_s)
        worst = worst_window(came, hedges, came[begun], came[over - 1])
        parts.append(_part(scene, (start, end), rows[begun:over], worst))
    return tuple(parts)


def _part(
    scene: Scene,
    between: tuple[float, float],
    rows: Sequence[tuple[Request, Served]],
    worst: float,
) -> Part:
    factors = [scene.traffic.length_factor(request.prompt_tokens) for request, _ in rows]
    off = quantiles([r.first_token_s[0] / f for (r, _), f in zip(rows, factors, strict=True)])
    on = quantiles([s.first_token_s / f for (_, s), f in zip(rows, factors, strict=True)])
    extra = sum(done.hedged_at is not None for _, done in rows) / len(rows)
    return Part(*between, len(rows), off, on, figures(off, on, extra, worst, scene.bars))
