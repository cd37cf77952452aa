"""Requests that are drawn from a seed."""

from __future__ import annotations

import statistics

import pytest
from pointsman_bench.hedging.traffic import Slowdown, Traffic, draw
from pointsman_bench.simulator.behaviour import Lognormal, Tail

PLAIN = Traffic(requests=20_000)


def test_equal_seeds_draw_equal_requests() -> None:
    """A seed gives the same requests again, another one others."""
    assert draw(PLAIN, 3) == draw(PLAIN, 3)
    assert draw(PLAIN, 3) != draw(PLAIN, 4)


def test_they_come_at_the_rate() -> None:
    """So many a second, in order."""
    due = [request.due_s for request in draw(PLAIN, 1)]
    assert due == sorted(due)
    assert due[-1] == pytest.approx(200.0, rel=0.03)


def test_a_share_is_slow() -> None:
    """Of either model's calls so many take so many times as long, each by its own lot."""
    slow = [[time > 0.5 for time in r.first_token_s] for r in draw(PLAIN, 1)]
    assert statistics.mean(first for first, _ in slow) == pytest.approx(0.02, abs=0.003)
    assert statistics.mean(second for _, second in slow) == pytest.approx(0.02, abs=0.003)
    assert sum(first and second for first, second in slow) < 25
    assert statistics.median(r.first_token_s[0] for r in draw(PLAIN, 1)) == pytest.approx(
        0.05, rel=0.03
    )


def test_slowness_may_be_shared() -> None:
    """With a share of slowness in the request, the second model is slow on it too."""
    drawn = draw(Traffic(tail=Tail(0.02, 20.0, shared=0.3)), 1)
    slow = [r for r in drawn if r.first_token_s[0] > 0.5]
    both = sum(r.first_token_s[1] > 0.5 for r in slow) / len(slow)
    assert both == pytest.approx(0.3 + 0.7 * 0.02, abs=0.08)


def test_length_counts() -> None:
    """A long prompt takes as much longer as is said."""
    traffic = Traffic(first_token=Lognormal(0.1), tail=Tail(), per_token=0.001)
    for request in draw(traffic, 1)[:200]:
        expected = 0.1 * (1 + request.prompt_tokens / 1000)
        assert list(request.first_token_s) == pytest.approx([expected, expected])


def test_slowdowns_multiply() -> None:
    """What happens meanwhile slows both models down, for as long as it lasts."""
    traffic = Traffic(
        first_token=Lognormal(0.1),
        tail=Tail(),
        slowdowns=(Slowdown(0.25, 0.75, 2.0), Slowdown(0.5, 1.0, 3.0)),
    )
    for request in draw(traffic, 1):
        quarter = min(3, int(request.due_s / 50))  # the last may be due a little late
        expected = 0.1 * (1, 2, 6, 3)[quarter]
        assert list(request.first_token_s) == pytest.approx([expected, expected])
