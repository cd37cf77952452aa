"""Hedging meets its bars, whatever the traffic: replayed with the server's own parts."""

from __future__ import annotations

import pytest
from pointsman_bench.hedging.scenes import SCENES, WARM_UP, Scene, play

BY_NAME = {scene.name: scene for scene in SCENES}


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "busy"])
def test_every_bar_is_met(name: str) -> None:
    """p99 to a fifth, p99.9 to three tenths, at most 6 % more calls, and 5 % in any ten seconds."""
    for part in play(BY_NAME[name], seed=1):
        missed = [figure for figure in part.figures if not figure.met]
        assert not missed, f"{name}, from {part.start:.0%}: {missed}"
        assert part.on.p999 <= part.off.p999


def test_parts_are_split_by_time() -> None:
    """Each request belongs to one part, but for those that only warm the server up."""
    scene = BY_NAME["doubling"]
    short = Scene("short", "", scene.traffic, parts=(0.0, 0.25, 1.0))
    first, second = play(short, seed=1)
    assert first.requests + second.requests == scene.traffic.requests - WARM_UP
    assert first.requests == pytest.approx(scene.traffic.requests / 4 - WARM_UP, rel=0.1)
    assert second.off.p50 > 1.3 * first.off.p50
