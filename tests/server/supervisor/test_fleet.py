"""Which worker is started, drained and ended, and when."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pointsman_server.supervisor.actions import (
    Action,
    Announce,
    Cut,
    Drain,
    Finish,
    Kill,
    Start,
    Tell,
)
from pointsman_server.supervisor.backoff import RestartPolicy
from pointsman_server.supervisor.fleet import Fleet
from pointsman_server.supervisor.members import Patience, State

POLICY = RestartPolicy(first_delay_s=1.0, max_delay_s=8.0, jitter=0.0, stable_s=60.0, loop_after=3)
PATIENCE = Patience(start_s=60.0, drain_margin_s=5.0, cut_s=5.0)


def fleet_of(wanted: int) -> Fleet:
    return Fleet(wanted, lambda: 0.0, POLICY, PATIENCE)


def serving(wanted: int = 2) -> Fleet:
    """A fleet whose workers, 1 to ``wanted``, all serve since time 0."""
    fleet = fleet_of(wanted)
    fleet.begin(0.0)
    for number in range(1, wanted + 1):
        ready(fleet, 0.0, number, wanted)
    return fleet


def ready(fleet: Fleet, now: float, number: int, workers: int = 2) -> list[Action]:
    return fleet.ready(now, number, workers, drain_s=30.0)


def died(fleet: Fleet, now: float, number: int, why: str = "signal 9") -> list[Action]:
    return fleet.exited(now, number, why, exit_code=1)


def told(actions: Sequence[Action]) -> list[str]:
    return [a.event for a in actions if isinstance(a, Tell)]


def done(actions: Sequence[Action]) -> list[Action]:
    """All but what is only told."""
    return [a for a in actions if not isinstance(a, Tell)]


def test_all_workers_are_started_at_once() -> None:
    assert fleet_of(3).begin(0.0) == [Start(1, 0, 0), Start(2, 1, 0), Start(3, 2, 0)]


def test_serving_is_said_when_the_last_is_ready_and_once() -> None:
    fleet = fleet_of(2)
    fleet.begin(0.0)
    assert ready(fleet, 1.0, 2) == []
    assert ready(fleet, 2.0, 1) == [Announce()]
    died(fleet, 3.0, 1)
    fleet.tick(10.0)
    assert ready(fleet, 11.0, 3) == []


def test_a_worker_that_cannot_start_at_the_beginning_ends_the_command() -> None:
    """With what it said and its exit code; the others are not waited for."""
    fleet = fleet_of(3)
    fleet.begin(0.0)
    ready(fleet, 1.0, 1, 3)
    assert fleet.exited(2.0, 2, "no such key", 2) == [Kill(1), Kill(3)]
    assert died(fleet, 2.1, 1) == []
    assert fleet.exited(2.2, 3, "no such key either", 2) == [Finish(2, "no such key")]
    assert fleet.wake_at() is None


def test_a_worker_that_is_never_ready_is_ended() -> None:
    fleet = fleet_of(1)
    fleet.begin(0.0)
    assert fleet.wake_at() == 60.0
    assert fleet.tick(59.9) == []
    assert fleet.tick(60.0) == [Kill(1)]
    (finish,) = died(fleet, 60.1, 1)
    assert finish == Finish(1, "it was not ready after 60 s")


def test_a_crashed_worker_is_started_again_after_a_wait() -> None:
    """The others are left alone, and its slot is taken by nobody meanwhile."""
    fleet = serving(2)
    (crash,) = died(fleet, 10.0, 1)
    assert crash == Tell(
        "error", "worker_crashed", {"worker": 0, "why": "signal 9", "restart_in_s": 1.0}
    )
    assert not fleet.occupied(0)
    assert fleet.occupied(1)
    assert fleet.wake_at() == 11.0
    assert fleet.tick(10.9) == []
    assert fleet.tick(11.0) == [Start(3, 0, 0)]
    assert fleet.occupied(0)
    assert fleet.crashes == 1


def test_waits_grow_and_a_crash_loop_is_told() -> None:
    """Also where the worker cannot even be started any more. It is tried on, for others serve."""
    fleet = serving(2)
    now, number, waits, events = 0.0, 1, [], []
    for _ in range(6):
        actions = died(fleet, now, number)
        events += told(actions)
        assert done(actions) == []
        at = fleet.wake_at()
        assert at is not None
        waits.append(at - now)
        now = at
        (start,) = fleet.tick(now)
        assert isinstance(start, Start)
        number = start.number
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert events.count("worker_crashed") == 6
    assert events.count("worker_crash_loop") == 4


def test_when_all_crash_again_and_again_the_command_ends() -> None:
    """So that whatever has started it sees that it does not serve."""
    fleet = serving(2)
    now, waiting = 0.0, [1, 2]
    finish: list[Action] = []
    for _ in range(3):
        for number in waiting:
            finish = died(fleet, now, number, "no memory")
        now += 10.0
        waiting = [a.number for a in fleet.tick(now) if isinstance(a, Start)]
    message = "all workers crash again and again; the last one: no memory"
    assert done(finish) == [Finish(1, message)]
    assert waiting == []


def test_stopping_drains_all_and_ends_well() -> None:
    fleet = serving(2)
    assert fleet.stop(1.0, 143) == [Drain(1), Drain(2)]
    assert not fleet.occupied(0)
    assert died(fleet, 2.0, 1) == []
    assert died(fleet, 3.0, 2) == [Finish(0)]


def test_a_worker_that_does_not_drain_is_ended() -> None:
    """After what its configuration allows and a little more."""
    fleet = serving(1)
    fleet.stop(1.0, 143)
    assert fleet.wake_at() == 36.0
    assert fleet.tick(36.0) == [Kill(1)]
    assert died(fleet, 36.1, 1) == [Tell("warning", "worker_cut_off", {"worker": 0}), Finish(0)]


def test_a_second_signal_cuts_and_a_third_kills() -> None:
    """The exit code says that calls were not let end."""
    fleet = serving(2)
    fleet.stop(1.0, 143)
    assert fleet.stop(2.0, 130) == [Cut(1), Cut(2)]
    assert fleet.wake_at() == 7.0
    assert fleet.stop(3.0, 130) == [Kill(1), Kill(2)]
    died(fleet, 4.0, 1)
    assert died(fleet, 4.0, 2) == [Finish(130)]


def test_what_is_cut_and_does_not_end_is_killed() -> None:
    fleet = serving(1)
    fleet.stop(1.0, 143)
    fleet.stop(2.0, 143)
    assert fleet.tick(7.0) == [Kill(1)]
    assert done(died(fleet, 7.1, 1)) == [Finish(143)]


def test_stopping_while_starting_waits_for_nothing() -> None:
    fleet = fleet_of(2)
    fleet.begin(0.0)
    assert fleet.stop(1.0, 143) == [Kill(1), Kill(2)]
    died(fleet, 1.1, 1)
    assert died(fleet, 1.2, 2) == [Finish(0)]


def test_nothing_is_started_again_once_all_is_to_end() -> None:
    fleet = serving(2)
    died(fleet, 1.0, 1)
    assert fleet.stop(1.5, 143) == [Drain(2)]
    assert fleet.tick(20.0) == []
    assert fleet.reload(21.0, 1) == []
    assert died(fleet, 22.0, 2) == [Finish(0)]


def test_a_reload_replaces_one_after_the_other() -> None:
    """A worker is drained when its successor serves; the next waits until it has ended."""
    fleet = serving(2)
    assert fleet.reload(1.0, 7) == [Tell("info", "reloading", {"workers": 2}), Start(3, 0, 7)]
    assert ready(fleet, 2.0, 3) == [Drain(1)]
    assert died(fleet, 3.0, 1) == [Start(4, 1, 7)]
    assert ready(fleet, 4.0, 4) == [Drain(2)]
    assert died(fleet, 5.0, 2) == [Tell("info", "reloaded", {"workers": 2})]
    assert fleet.generations() == {7}
    assert fleet.count() == {State.READY: 2}


def test_a_configuration_that_does_not_start_is_not_taken() -> None:
    """The old workers go on, and one that crashes comes back with the old configuration."""
    fleet = serving(2)
    fleet.reload(1.0, 7)
    assert fleet.exited(2.0, 3, "line 3 is wrong", 2) == [
        Tell("error", "reload_failed", {"why": "line 3 is wrong", "replaced": [], "kept": [0, 1]})
    ]
    died(fleet, 3.0, 1)
    assert fleet.tick(4.0) == [Start(4, 0, 0)]


def test_a_reload_that_fails_half_way_says_what_was_replaced() -> None:
    """The new configuration, which has served, is then what a crashed worker gets."""
    fleet = serving(2)
    fleet.reload(1.0, 7)
    ready(fleet, 2.0, 3)
    died(fleet, 3.0, 1)
    (failed,) = died(fleet, 4.0, 4, "no memory")
    assert isinstance(failed, Tell)
    assert failed.fields == {"why": "no memory", "replaced": [0], "kept": [1]}
    died(fleet, 5.0, 2)
    assert fleet.tick(6.0) == [Start(5, 1, 7)]


def test_a_successor_that_is_never_ready_fails_the_reload() -> None:
    fleet = serving(1)
    fleet.reload(1.0, 7)
    assert fleet.tick(61.0) == [Kill(2)]
    (failed,) = died(fleet, 61.1, 2)
    assert isinstance(failed, Tell)
    assert failed.fields["why"] == "it was not ready after 60 s"


def test_a_worker_that_crashes_while_its_successor_starts_is_not_started_again() -> None:
    fleet = serving(1)
    fleet.reload(1.0, 7)
    assert told(died(fleet, 2.0, 1)) == ["worker_crashed"]
    assert fleet.occupied(0)
    assert fleet.wake_at() == 61.0
    assert ready(fleet, 3.0, 2, 1) == [Tell("info", "reloaded", {"workers": 1})]


def test_where_both_the_worker_and_its_successor_fail_the_old_configuration_comes_back() -> None:
    fleet = serving(1)
    fleet.reload(1.0, 7)
    died(fleet, 2.0, 1)
    assert done(died(fleet, 3.0, 2)) == [Start(3, 0, 0)]


def test_a_slot_that_waits_for_a_restart_is_reloaded_at_once() -> None:
    fleet = serving(2)
    died(fleet, 1.0, 1)
    assert done(fleet.reload(1.1, 7)) == [Start(3, 0, 7)]
    assert done(ready(fleet, 1.2, 3)) == [Start(4, 1, 7)]
    assert ready(fleet, 1.3, 4) == [Drain(2)]


def test_a_restart_under_way_is_overtaken_by_the_reload() -> None:
    """It has the old configuration: when the successor serves, it is ended before it does."""
    fleet = serving(1)
    died(fleet, 1.0, 1)
    assert fleet.tick(2.0) == [Start(2, 0, 0)]
    fleet.reload(2.1, 7)
    assert ready(fleet, 2.2, 3, 1) == [Kill(2)]
    assert told(died(fleet, 2.3, 2)) == ["reloaded"]


def test_a_reload_during_a_reload_comes_after_it() -> None:
    """With the newest configuration; those between are passed over and forgotten."""
    fleet = serving(1)
    fleet.reload(1.0, 1)
    assert fleet.reload(1.1, 2) == []
    assert fleet.reload(1.2, 3) == []
    assert fleet.generations() == {0, 1, 3}
    assert ready(fleet, 2.0, 2, 1) == [Drain(1)]
    assert done(died(fleet, 3.0, 1)) == [Start(3, 0, 3)]


def test_a_reload_before_all_serve_waits_for_that() -> None:
    fleet = fleet_of(1)
    fleet.begin(0.0)
    assert fleet.reload(0.5, 1) == []
    assert done(ready(fleet, 1.0, 1, 1)) == [Announce(), Start(2, 0, 1)]


@pytest.mark.parametrize("more", [1, 2])
def test_a_reload_can_add_workers(more: int) -> None:
    fleet = serving(2)
    fleet.reload(1.0, 7)
    wanted = 2 + more
    added = [Start(4 + n, 2 + n, 7) for n in range(more)]
    assert done(ready(fleet, 2.0, 3, wanted)) == [Drain(1), *added]


def test_a_reload_can_take_workers_away() -> None:
    """They are drained last, so that never fewer serve than are wanted."""
    fleet = serving(3)
    fleet.reload(1.0, 7)
    assert ready(fleet, 2.0, 4, 1) == [Drain(1)]
    assert done(died(fleet, 3.0, 1)) == [Drain(2), Drain(3)]
    assert not fleet.occupied(1)
    died(fleet, 4.0, 2)
    died(fleet, 4.0, 3)
    assert fleet.count() == {State.READY: 1}
    assert fleet.wake_at() is None


def test_a_slot_that_is_taken_away_is_not_restarted() -> None:
    """Although its worker had crashed and its restart was due."""
    fleet = serving(2)
    died(fleet, 1.0, 2)
    fleet.reload(1.1, 7)
    ready(fleet, 1.2, 3, 1)
    assert told(died(fleet, 1.3, 1)) == ["reloaded"]
    assert fleet.wake_at() is None
    assert fleet.tick(9.0) == []


def test_a_worker_that_still_drains_is_left_to_it() -> None:
    """Taken away by one reload, its slot is wanted again by the next, and replaced by a third."""
    fleet = serving(2)
    fleet.reload(1.0, 1)
    ready(fleet, 2.0, 3, 1)
    assert Drain(2) in died(fleet, 3.0, 1)
    fleet.reload(4.0, 2)
    assert done(ready(fleet, 5.0, 4, 2)) == [Drain(3), Start(5, 1, 2)]
    assert told(died(fleet, 6.0, 3)) == ["reloaded"]
    ready(fleet, 6.1, 5, 2)
    fleet.reload(6.2, 3)
    assert ready(fleet, 6.3, 6, 2) == [Drain(4)]
    assert died(fleet, 6.4, 4) == [Start(7, 1, 3)]
    assert ready(fleet, 6.5, 7, 2) == [Drain(5)]
    assert fleet.count() == {State.READY: 2, State.LEAVING: 2}
    assert fleet.tick(39.9) == [Kill(2)]


def test_what_is_said_of_unknown_workers_is_nothing() -> None:
    fleet = serving(1)
    assert ready(fleet, 1.0, 99) == []
    assert died(fleet, 1.0, 99) == []
    assert ready(fleet, 1.0, 1) == []
