"""The scenarios that `bench load` knows."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman_bench.results import Objective
from pointsman_bench.scenarios.fleet import FLEET, at_once, of_provider, terse, with_tail
from pointsman_bench.scenarios.scenario import Burst, Cap, Event, Leavers, Scenario
from pointsman_bench.simulator.behaviour import Tail

TRACE = "trace:"
"""What the name of a scenario begins with that replays a file."""

CHAT_MIXED = Scenario(
    name="chat-mixed",
    summary="63 prompts of nine kinds at a steady rate, three well providers",
    rate=25.0,
    duration_s=20.0,
    models=FLEET,
)
SLOW_TAIL = Scenario(
    name="slow-tail",
    summary="2 % of calls take 20 times as long to their first token; hedging within 5 %",
    rate=60.0,
    duration_s=25.0,
    warm_up_s=6.0,
    models=with_tail(at_once(FLEET), Tail(share=0.02, factor=20.0)),
    objectives=(Objective("ttft", 1.0),),
    notes=("Answers come at once with their first token, so that the time to it is what differs.",),
)
PROVIDER_OUTAGE = Scenario(
    name="provider-outage",
    summary="one of three providers answers 503 to everything in the middle third",
    rate=25.0,
    duration_s=24.0,
    models=terse(FLEET, 24),
    events=(Event("alder is down", of_provider(FLEET, "alder"), 1 / 3, 2 / 3),),
    objectives=(Objective("ttft", 1.0), Objective("e2e", 5.0)),
)
BURST = Scenario(
    name="burst",
    summary="ten times the rate for two short spells",
    rate=12.0,
    duration_s=24.0,
    models=terse(at_once(FLEET), 24),
    bursts=(Burst(0.25, 0.35, 10.0), Burst(0.65, 0.75, 10.0)),
)
CANCEL_STORM = Scenario(
    name="cancel-storm",
    summary="a third of the clients leave at random moments",
    rate=30.0,
    duration_s=20.0,
    models=FLEET,
    leavers=Leavers(share=1 / 3, within_s=0.9),
    notes=(
        "A client that leaves is `cancelled`, unless its answer was whole before; nothing may be "
        "left under way behind it, which the checks look at.",
    ),
)
BUDGET_SQUEEZE = Scenario(
    name="budget-squeeze",
    summary="requests with ever tighter bounds on what they may cost",
    rate=25.0,
    duration_s=20.0,
    models=terse(FLEET, 40),
    caps=(Cap(0.3, None), Cap(0.3, 0.002), Cap(0.25, 0.0004), Cap(0.15, 0.00005)),
    max_output_tokens=200,
    notes=(
        "This measures the bound of each request (RoutingConstraints.max_cost_usd_nanos): which "
        "models still serve, what is refused, and whether an answer ever cost more. It says "
        "nothing of budgets over users or time.",
    ),
)

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        CHAT_MIXED,
        SLOW_TAIL,
        PROVIDER_OUTAGE,
        BURST,
        CANCEL_STORM,
        BUDGET_SQUEEZE,
    )
}
