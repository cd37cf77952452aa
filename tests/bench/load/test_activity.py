"""The run by wall clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.load.activity import Activity

START = 1000.0
STAYS = st.tuples(st.floats(-2, 8), st.floats(0.001, 4))


def played(stays: list[tuple[float, float]]) -> Activity:
    """Requests that are under way from a time for a time."""
    activity = Activity(START)
    events = [(at, True) for at, _ in stays] + [(at + length, False) for at, length in stays]
    for at, begins in sorted(events, key=lambda event: (event[0], not event[1])):
        if begins:
            activity.sent(START + at)
        else:
            activity.ended(START + at, failed=False)
    return activity


@given(st.lists(STAYS, max_size=20))
def test_the_time_in_flight_is_the_time_that_requests_took(
    stays: list[tuple[float, float]],
) -> None:
    """Summed over seconds, whatever their bounds cut."""
    activity = played(stays)
    area = sum(second.area for second in activity.seconds.values())
    assert area == pytest.approx(sum(length for _, length in stays), abs=1e-6)
    assert activity.in_flight == 0


@given(st.lists(STAYS, max_size=10), st.lists(STAYS, max_size=10))
def test_two_processes_add_up_to_one(
    one: list[tuple[float, float]], other: list[tuple[float, float]]
) -> None:
    """Moment by moment."""
    together = played(one)
    together.add(played(other))
    for mine, both in zip(together.moments(12), played(one + other).moments(12), strict=True):
        assert (mine.sent, mine.ended) == (both.sent, both.ended)
        assert mine.in_flight == pytest.approx(both.in_flight, abs=2e-3)


def test_events_are_counted_in_the_second_in_which_they_happen() -> None:
    """Not in the one in which the request was due."""
    activity = Activity(START)
    activity.sent(START + 0.5)
    activity.message(START + 1.2)
    activity.ended(START + 2.5, failed=True)
    moments = activity.moments(3)
    assert [m.sent for m in moments] == [1, 0, 0]
    assert [m.messages for m in moments] == [0, 1, 0]
    assert [m.ended for m in moments] == [0, 0, 1]
    assert [m.failed for m in moments] == [0, 0, 1]
    assert [m.in_flight for m in moments] == [0.5, 1.0, 0.5]


def test_the_warm_up_is_no_moment() -> None:
    """But what is still under way from it is in flight."""
    activity = played([(-1.0, 1.5)])
    (moment,) = activity.moments(1)
    assert (moment.sent, moment.ended, moment.in_flight) == (0, 1, 0.5)
