"""The server's own hedging, in simulated time."""

from __future__ import annotations

import pytest
from pointsman_bench.hedging.replay import Replay, Served
from pointsman_bench.hedging.traffic import Request
from pointsman_server.routing.hedging import HedgePolicy


def request(due_s: float, first: float, second: float = 0.1) -> Request:
    return Request(due_s, 100, (first, second), answer_s=1.0)


def times(served: list[Served]) -> list[float]:
    """First-token times and moments of hedges (-1 for none), in turn."""
    return [
        time
        for each in served
        for time in (each.first_token_s, -1.0 if each.hedged_at is None else each.hedged_at)
    ]


def test_who_is_fast_is_not_hedged() -> None:
    """A request whose model answers in time has that model's time."""
    served = Replay(HedgePolicy(), prior_s=1.0).run([request(0.5, 3.9)])
    assert times(served) == pytest.approx([3.9, -1.0])


def test_who_is_slow_is_hedged() -> None:
    """At four times the prior the second model is called, and whoever is first answers."""
    late, lost = request(0.5, 9.0, 0.2), request(20.0, 4.3, 7.0)
    served = Replay(HedgePolicy(), prior_s=1.0).run([late, lost])
    assert times(served) == pytest.approx([4.2, 4.5, 4.3, 24.0])


def test_no_share_no_hedge() -> None:
    """Where hedging may cost nothing nobody is hedged."""
    served = Replay(HedgePolicy(extra_share=0.0)).run([request(0.0, 50.0)])
    assert times(served) == pytest.approx([50.0, -1.0])


def test_the_delay_is_learned() -> None:
    """After some requests the delay follows what the model does, once they have ended."""
    usual = [request(float(second), 0.1) for second in range(40)]
    served = Replay(HedgePolicy(), prior_s=1.0).run([*usual, request(60.0, 9.0)])
    assert times(served)[-2:] == pytest.approx([0.2, 60.1])


def test_the_budget_holds() -> None:
    """Where all are slow, only so many are hedged as the share allows; the others wait."""
    everybody = [request(second / 10, 9.0) for second in range(400)]
    served = Replay(HedgePolicy(extra_share=0.05), prior_s=0.1).run(everybody)
    assert 10 <= sum(each.hedged_at is not None for each in served) <= 2 + 0.05 * 400
    assert [round(s.first_token_s, 6) for s in served if s.hedged_at is None] == [9.0] * (
        400 - sum(each.hedged_at is not None for each in served)
    )
