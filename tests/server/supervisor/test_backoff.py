"""Waits before a crashed worker is started again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.supervisor.backoff import Crashes, RestartPolicy

POLICY = RestartPolicy(first_delay_s=0.1, max_delay_s=30.0, jitter=0.5, stable_s=60.0, loop_after=5)
draws = st.floats(min_value=0.0, max_value=1.0)
served = st.floats(min_value=0.0, max_value=1000.0)


def test_waits_double_up_to_the_longest() -> None:
    """Without chance: 0.1, 0.2, 0.4 … 25.6, and 30 from then on."""
    crashes = Crashes(POLICY)
    waits = [crashes.crashed(0.0, 0.0) for _ in range(12)]
    assert waits == pytest.approx([0.1 * 2**n for n in range(9)] + [30.0] * 3)


def test_a_worker_that_was_stable_begins_anew() -> None:
    crashes = Crashes(POLICY)
    for _ in range(6):
        crashes.crashed(59.9, 0.0)
    assert crashes.looping
    assert crashes.crashed(60.0, 0.0) == pytest.approx(0.1)
    assert not crashes.looping
    assert crashes.in_a_row == 1


def test_the_fifth_crash_in_a_row_is_a_loop() -> None:
    crashes = Crashes(POLICY)
    seen = []
    for _ in range(5):
        crashes.crashed(1.0, 0.5)
        seen.append(crashes.looping)
    assert seen == [False] * 4 + [True]


@given(st.lists(st.tuples(served, draws), min_size=1, max_size=200))
def test_every_wait_is_within_its_bounds(happened: list[tuple[float, float]]) -> None:
    """Chance takes at most its share off, and no wait is longer than the longest."""
    crashes = Crashes(POLICY)
    for served_s, draw in happened:
        wait = crashes.crashed(served_s, draw)
        whole = min(30.0, 0.1 * 2.0 ** (crashes.in_a_row - 1))
        assert whole * 0.5 - 1e-9 <= wait <= whole + 1e-9


def test_crashes_without_end_do_not_overflow() -> None:
    crashes = Crashes(POLICY)
    assert all(crashes.crashed(0.0, 1.0) <= 30.0 for _ in range(3000))
