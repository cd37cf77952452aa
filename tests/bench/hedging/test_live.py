"""Real servers that take turns."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from pointsman_bench.hedging.live import DOUBLED, Settings, Side, measure, phase, simulated
from pointsman_bench.hedging.report import live_data
from pointsman_bench.hedging.sender import Block
from pointsman_bench.simulator.behaviour import Lognormal
from pointsman_bench.simulator.draw import draw


def side(first_token_s: list[float], *, calls: int, hedged: tuple[float, ...] = ()) -> Side:
    due = [number / 100 for number in range(len(first_token_s))]
    return Side([Block(first_token_s, due, list(hedged), [0.001] * len(due), 7)], calls)


def test_figures_of_a_phase() -> None:
    """Times come from the clients, extra calls from the upstream, and rounds are compared."""
    off, on = side([0.1] * 95 + [2.0] * 5, calls=100), side([0.1] * 95 + [0.4] * 5, calls=104)
    found = phase("usual", off, on)
    assert [figure.value for figure in found.figures] == pytest.approx([1.0, 0.2, 0.2, 0.04, 0.0])
    assert found.requests == 200
    assert list(found.p99_by_round) == pytest.approx([0.2])
    assert found.faults == ()


def test_a_late_sender_is_no_measure() -> None:
    """Where requests were sent late, or failed, the figures are not to be used, and why is said."""
    good = phase("usual", side([0.1] * 100, calls=100), side([0.1] * 100, calls=100))
    assert good.faults == ()
    assert "sent up to 12.0 ms late" in replace(good, late_p99_s=0.012).faults[0]
    assert "(3 UNAVAILABLE)" in replace(good, failures={"UNAVAILABLE": 3}).faults[0]


def test_the_upstream_can_become_twice_as_slow() -> None:
    """Late on its clock everything takes twice as long, and before it does not."""
    config = simulated(replace(Settings(), first_token=Lognormal(0.05)))
    model = config.models[1]
    early, late = (
        draw(model, config.changes, now, b"", None, random.Random(5)).first_token_s
        for now in (100.0, DOUBLED + 100.0)
    )
    assert late == pytest.approx(2 * early)


async def test_a_whole_run() -> None:
    """Both servers take their turns, only one hedges, and the upstream has seen all calls."""
    said: set[str] = set()
    settings = Settings(
        rounds=1,
        requests=250,
        rate=250.0,
        warm_up=50,
        first_token=Lognormal(0.02, 0.4),
        gap=Lognormal(0.002),
    )
    report = await measure(settings, lambda doing, done, total: said.add(doing))
    assert said == {
        "warming up",
        "usual, round 1 of 1, hedging off",
        "usual, round 1 of 1, hedging on",
        "twice as slow, round 1 of 1, hedging off",
        "twice as slow, round 1 of 1, hedging on",
    }
    extra = [figure.value for p in report.phases for figure in p.figures if figure.name == "extra"]
    assert all(0 <= share <= 0.08 for share in extra)
    assert sum(extra) > 0
    for each in report.phases:
        assert each.requests == pytest.approx(500, rel=0.2)
        assert not each.failures
    assert live_data(report)["met"] == report.met
