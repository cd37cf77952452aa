"""The simulated providers that scenarios route between: three accounts, six models."""

from __future__ import annotations

from dataclasses import replace

from pointsman_bench.scenarios.scenario import FleetModel
from pointsman_bench.simulator.behaviour import Lognormal, ModelBehaviour, Tail

FLEET = (
    FleetModel(
        "alder/mini",
        "cheap",
        0.10,
        0.40,
        ModelBehaviour("alder-mini", Lognormal(0.12, 0.35), Lognormal(0.008, 0.3)),
    ),
    FleetModel(
        "birch/mini",
        "cheap",
        0.12,
        0.50,
        ModelBehaviour("birch-mini", Lognormal(0.14, 0.35), Lognormal(0.009, 0.3)),
    ),
    FleetModel(
        "alder/midi",
        "middle",
        0.50,
        2.00,
        ModelBehaviour("alder-midi", Lognormal(0.18, 0.35), Lognormal(0.011, 0.3)),
    ),
    FleetModel(
        "cedar/midi",
        "middle",
        0.60,
        2.40,
        ModelBehaviour("cedar-midi", Lognormal(0.20, 0.35), Lognormal(0.012, 0.3)),
    ),
    FleetModel(
        "birch/maxi",
        "strong",
        3.00,
        12.00,
        ModelBehaviour("birch-maxi", Lognormal(0.26, 0.35), Lognormal(0.014, 0.3)),
    ),
    FleetModel(
        "cedar/maxi",
        "strong",
        4.00,
        16.00,
        ModelBehaviour("cedar-maxi", Lognormal(0.28, 0.35), Lognormal(0.016, 0.3)),
    ),
)
"""Shapes of times as hosted models have them, a few times faster, so that a run takes seconds."""


def with_tail(models: tuple[FleetModel, ...], tail: Tail) -> tuple[FleetModel, ...]:
    """The same models with a tail of slow calls."""
    return tuple(replace(m, behaviour=replace(m.behaviour, tail=tail)) for m in models)


def at_once(models: tuple[FleetModel, ...]) -> tuple[FleetModel, ...]:
    """The same models, each sending its whole answer with the first token: cheap to carry."""
    return tuple(replace(m, behaviour=replace(m.behaviour, gap=Lognormal(0.0))) for m in models)


def terse(models: tuple[FleetModel, ...], tokens: float) -> tuple[FleetModel, ...]:
    """The same models with shorter answers: ``tokens`` is their median."""
    return tuple(
        replace(m, behaviour=replace(m.behaviour, tokens=Lognormal(tokens, 0.5))) for m in models
    )


def of_provider(models: tuple[FleetModel, ...], provider: str) -> tuple[str, ...]:
    """The names of one provider's models."""
    return tuple(m.name for m in models if m.provider == provider)
