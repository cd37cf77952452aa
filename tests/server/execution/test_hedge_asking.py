"""A hedge that the budget refused is asked for again."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from pointsman_server.domain.attempts import AttemptReason
from pointsman_server.execution.hedge import HedgeRace, RacePlan, Start
from pointsman_server.execution.hedge_budget import HedgeBudget


class Asked(HedgeBudget):
    """Refuses a number of times, and keeps a book of who asked."""

    def __init__(self, refusals: float, share: float = 0.05) -> None:
        super().__init__(share)
        self.refusals = refusals
        self.asked: list[tuple[float, float]] = []

    def take(self, now: float, waited: float = 1.0) -> bool:
        self.asked.append((now, waited))
        return len(self.asked) > self.refusals


def begun(budget: HedgeBudget, hedge_after_s: float = 2.0) -> HedgeRace:
    plan = RacePlan(
        models=("a", "b"),
        first_token_s=(500.0, 500.0),
        idle_s=500.0,
        deadline=1000.0,
        hedge_model="b",
        hedge_after_s=hedge_after_s,
    )
    race = HedgeRace(plan, budget, lambda: 0.5)
    race.begin(0.0)
    return race


def test_a_refused_hedge_comes_later() -> None:
    """A call that stays silent gets its hedge once the budget allows, as one that has waited."""
    budget = Asked(refusals=3)
    race = begun(budget)
    while not (commands := race.tick(race.wake_at)):
        pass
    assert commands == [Start(1, "b", AttemptReason.HEDGE)]
    waits = [waited for _, waited in budget.asked]
    assert waits == pytest.approx([1.15**times for times in range(4)])
    assert all(math.isclose(now, 2.0 * waited) for now, waited in budget.asked)
    assert race.wake_at == 500.0, "there is one hedge, and no asking for another"


def test_an_answer_ends_the_asking() -> None:
    """Once there is a first token nobody asks for a hedge any more."""
    budget = Asked(refusals=math.inf)
    race = begun(budget)
    race.tick(2.0)
    race.first_token(0, 2.1)
    assert race.tick(3.0) == []
    assert len(budget.asked) == 1


def test_asking_ends() -> None:
    """A call asks a bounded number of times, also where its hedge was to fire at once."""
    for hedge_after_s in (0.0, 2.0):
        budget = Asked(refusals=math.inf)
        race = begun(budget, hedge_after_s)
        while race.wake_at < 500.0:
            assert race.tick(race.wake_at) == []
        assert len(budget.asked) == 26
        assert budget.asked[-1][1] > 30.0
        times = [now for now, _ in budget.asked]
        assert all(later - now > 0.001 for now, later in pairwise(times))


def test_where_there_is_no_budget_nobody_asks_twice() -> None:
    """A budget without a share never has anything to give."""
    budget = Asked(refusals=math.inf, share=0.0)
    race = begun(budget)
    race.tick(2.0)
    assert race.wake_at == 500.0
