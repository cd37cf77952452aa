"""A fleet of made-up processes, to any of which anything may happen at any time."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pointsman_server.supervisor.actions import Action, Announce, Cut, Drain, Finish, Kill, Start
from pointsman_server.supervisor.backoff import RestartPolicy
from pointsman_server.supervisor.fleet import Fleet
from pointsman_server.supervisor.members import Patience, State

WANTED = 3
BROKEN = 10
"""Generations of the configuration that this divides never start."""


class Yard(RuleBasedStateMachine):
    """Plays the processes. What the fleet wants is checked as it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.slots: dict[int, Start] = {}
        self.serving: set[int] = set()
        self.draining: set[int] = set()
        self.killed: set[int] = set()
        self.seen: set[int] = set()
        self.wanted = WANTED
        self.signals = 0
        self.announced = False
        self.finished = False
        self.reloads = 0
        self.fleet = Fleet(WANTED, lambda: 0.3, RestartPolicy(loop_after=1000), Patience())
        self.perform(self.fleet.begin(self.now))

    def perform(self, actions: list[Action]) -> None:
        for action in actions:
            assert not self.finished, "nothing comes after the end"
            match action:
                case Start(number, _, generation):
                    assert number not in self.seen
                    assert self.signals == 0, "nothing is started when all is to end"
                    assert generation in self.fleet.generations()
                    self.seen.add(number)
                    self.slots[number] = action
                case Drain(number):
                    assert number in self.serving
                    assert number not in self.draining, "one is drained once"
                    self.draining.add(number)
                    if self.signals == 0 and self.slots[number].slot < self.wanted:
                        assert self.successors(number), "another one serves in its place"
                case Cut(number):
                    assert self.signals > 1
                    assert number in self.slots
                case Kill(number):
                    assert number in self.slots
                    self.killed.add(number)
                case Announce():
                    assert not self.announced
                    self.announced = True
                case Finish():
                    assert not self.slots
                    self.finished = True

    def successors(self, number: int) -> list[int]:
        slot = self.slots[number].slot
        return [
            n
            for n in self.serving - self.draining - self.killed
            if n > number and self.slots[n].slot == slot
        ]

    def starting(self) -> list[int]:
        return sorted(self.slots.keys() - self.serving - self.killed)

    @precondition(lambda self: self.starting())
    @rule(data=st.data(), more=st.integers(-1, 1))
    def one_gets_ready(self, data: st.DataObject, more: int) -> None:
        number = data.draw(st.sampled_from(self.starting()))
        generation = self.slots[number].generation
        if generation and generation % BROKEN == 0:
            return
        workers = self.wanted
        if generation not in {0} | {self.slots[n].generation for n in self.serving}:
            workers = min(5, max(1, self.wanted + more))
        self.serving.add(number)
        before = self.fleet.wanted
        actions = self.fleet.ready(self.now, number, workers, 30.0)
        if self.fleet.wanted != before:
            self.wanted = self.fleet.wanted
        self.perform(actions)

    @precondition(lambda self: self.slots)
    @rule(data=st.data())
    def one_ends(self, data: st.DataObject) -> None:
        if not self.announced and self.signals == 0:
            return  # the command's end: there is an example of it
        number = data.draw(st.sampled_from(sorted(self.slots)))
        del self.slots[number]
        for group in (self.serving, self.draining, self.killed):
            group.discard(number)
        self.perform(self.fleet.exited(self.now, number, "it died", 1))

    @precondition(lambda self: self.killed - self.serving)
    @rule(data=st.data())
    def one_that_is_being_killed_has_said_that_it_is_ready(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.killed - self.serving)))
        assert self.fleet.ready(self.now, number, self.wanted, 30.0) == []

    @rule(seconds=st.floats(0.0, 100.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.perform(self.fleet.tick(self.now))

    @rule()
    def a_reload_is_asked_for(self) -> None:
        self.reloads += 1
        self.perform(self.fleet.reload(self.now, self.reloads))

    @precondition(lambda self: self.announced)
    @rule(code=st.sampled_from([130, 143]))
    def a_signal_comes(self, code: int) -> None:
        self.signals += 1
        self.perform(self.fleet.stop(self.now, code))

    @invariant()
    def there_is_at_most_one_process_more_than_slots(self) -> None:
        """Of those that are neither draining nor ended."""
        staying = self.slots.keys() - self.draining - self.killed
        slots = {self.slots[n].slot for n in staying}
        assert len(staying) <= len(slots) + 1

    @invariant()
    def the_next_alarm_is_in_the_future(self) -> None:
        at = self.fleet.wake_at()
        assert at is None or at >= self.now - 1e-6 or self.fleet.tick(self.now) == []

    @invariant()
    def the_books_agree(self) -> None:
        count = self.fleet.count()
        assert count.total() == len(self.slots)
        assert count[State.READY] == len(self.serving - self.draining - self.killed)

    @invariant()
    def no_slot_is_forgotten(self) -> None:
        """Each has a worker, or waits for a time that is known."""
        if self.signals or self.finished:
            return
        for slot in range(self.fleet.wanted):
            assert self.fleet.occupied(slot) or self.fleet.wake_at() is not None

    def teardown(self) -> None:
        """From wherever it has come: all processes end and so does the command."""
        if self.finished or not self.announced:
            return
        for _ in range(3):
            self.signals += 1
            self.perform(self.fleet.stop(self.now, 143))
        for number in sorted(self.slots):
            del self.slots[number]
            self.perform(self.fleet.exited(self.now, number, "it died", 1))
        assert self.finished
        assert self.fleet.wake_at() is None


TestYard = Yard.TestCase
TestYard.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
