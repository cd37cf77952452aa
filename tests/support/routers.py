"""Routers to test with."""

from __future__ import annotations

from pointsman_server.domain.model import Model
from pointsman_server.registry.health import HealthView
from pointsman_server.registry.registry import Registry
from pointsman_server.routing.hedging import HedgePolicy
from pointsman_server.routing.router import Router, RoutingPolicy
from pointsman_server.routing.tree import DecisionTree


def make_router(
    *models: Model,
    tree: DecisionTree = DecisionTree(),
    hedge: HedgePolicy = HedgePolicy(),
    default_output_bound: int = 2048,
    health: HealthView | None = None,
) -> Router:
    """A router whose clock stands at 1,000 s, and whose decisions are called "d1"."""
    return Router(
        Registry(models),
        RoutingPolicy(tree, hedge, default_output_bound),
        health or HealthView(),
        clock=lambda: 1000.0,
        new_id=lambda: "d1",
    )
