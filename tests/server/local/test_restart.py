from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.providers.local.restart import RestartPolicy, Restarts

POLICY = RestartPolicy(max_restarts=3, window_s=100.0, first_delay_s=1.0, max_delay_s=3.0)


def test_delays_double_up_to_the_longest_and_then_it_gives_up() -> None:
    restarts = Restarts(POLICY)

    assert [restarts.crashed(float(now)) for now in range(4)] == [1.0, 2.0, 3.0, None]


def test_old_crashes_are_forgotten() -> None:
    restarts = Restarts(POLICY)
    for now in (0.0, 1.0, 2.0):
        restarts.crashed(now)

    assert restarts.crashed(99.9) is None
    assert restarts.crashed(100.0) == 3.0  # the first has left the window
    assert restarts.crashed(300.0) == 1.0


@given(st.lists(st.floats(0, 50), max_size=40))
def test_there_are_never_more_restarts_in_a_window_than_allowed(gaps: list[float]) -> None:
    restarts = Restarts(POLICY)
    now = 0.0
    granted: list[float] = []
    for gap in gaps:
        now += gap
        delay = restarts.crashed(now)
        if delay is not None:
            assert 0 < delay <= POLICY.max_delay_s
            granted.append(now)
        recent = [at for at in granted if at > now - POLICY.window_s]
        assert len(recent) <= POLICY.max_restarts
