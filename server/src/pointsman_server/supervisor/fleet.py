"""Which worker to start, drain and end, and when: decided from what happened, without any I/O.

Each of the `wanted` slots has a worker. In a reload a slot has two for a while: the new one is
started, and when it serves the old one is drained; then comes the next slot. What a method
returns is to be done in that order; times are seconds on one clock.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

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
from pointsman_server.supervisor.backoff import Crashes, RestartPolicy
from pointsman_server.supervisor.journal import Field
from pointsman_server.supervisor.members import Member, Patience, State


class Fleet:
    """The workers. ``draw`` gives random numbers from 0 to 1."""

    def __init__(
        self,
        wanted: int,
        draw: Callable[[], float],
        policy: RestartPolicy = RestartPolicy(),
        patience: Patience = Patience(),
    ) -> None:
        self._wanted = wanted
        self._draw = draw
        self._policy = policy
        self._patience = patience
        self._members: dict[int, Member] = {}
        self._crashes: dict[int, Crashes] = {}
        self._restart_at: dict[int, float] = {}
        self._next_number = 1
        self._announced = False
        self._in_force = 0
        self._roll: deque[int] | None = None
        self._rolled: list[int] = []
        self._candidate = 0
        self._queued: int | None = None
        self._successor: int | None = None
        self._predecessor: int | None = None
        self._ending: Finish | None = None
        self._signals = 0
        self._finished = False
        self.crashes = 0

    @property
    def wanted(self) -> int:
        """How many workers there are to be."""
        return self._wanted

    @property
    def stopping(self) -> bool:
        """Whether everything is to end."""
        return self._ending is not None

    def count(self) -> Counter[State]:
        """How many workers are in which state."""
        return Counter(m.state for m in self._members.values())

    def generations(self) -> set[int]:
        """Those of the configuration that may be asked for again."""
        queued = set() if self._queued is None else {self._queued}
        return {self._in_force, self._candidate} | queued

    def occupied(self, slot: int) -> bool:
        """Whether somebody takes, or will soon take, connections of this slot."""
        return not self.stopping and self._holder(slot) is not None

    def wake_at(self) -> float | None:
        """When to call `tick` next, if nothing happens before."""
        times = [m.deadline for m in self._members.values() if m.deadline is not None]
        if not self.stopping:
            times += self._restart_at.values()
        return min(times, default=None)

    def begin(self, now: float) -> list[Action]:
        """Start all workers."""
        return self._settle(now)

    def tick(self, now: float) -> list[Action]:
        """Do what is due."""
        actions: list[Action] = []
        for member in self._members.values():
            if member.deadline is None or member.deadline > now:
                continue
            member.deadline = None
            waited = f"{self._patience.start_s:g} s"
            late = member.state is State.STARTING
            member.overdue = f"it was not ready after {waited}" if late else "it did not end"
            actions.append(Kill(member.number))
        return actions + self._settle(now)

    def ready(self, now: float, number: int, workers: int, drain_s: float) -> list[Action]:
        """A worker serves.

        Args:
            now: the time.
            number: the worker's.
            workers: how many its configuration asks for.
            drain_s: how long calls may take when it is drained.
        """
        member = self._members.get(number)
        if member is None or member.state is not State.STARTING or member.overdue:
            return []
        member.state, member.deadline = State.READY, None
        member.ready_at, member.drain_s = now, drain_s
        actions: list[Action] = []
        if number == self._successor:
            self._successor, self._in_force = None, member.generation
            self._wanted = workers
            self._rolled.append(member.slot)
            for other in list(self._members.values()):
                if other.slot == member.slot and other is not member:
                    actions += self._succeeded(now, other)
        if not self._announced and self.count()[State.READY] == self._wanted:
            self._announced = True
            actions.append(Announce())
        return actions + self._settle(now)

    def exited(self, now: float, number: int, why: str, exit_code: int) -> list[Action]:
        """A worker's process has ended.

        Args:
            now: the time.
            number: the worker's.
            why: what is known of the reason, in a line or more.
            exit_code: what the command should end with, where this ends it.
        """
        member = self._members.pop(number, None)
        if member is None:
            return []
        why = member.overdue or why
        actions: list[Action] = []
        if member.state is State.LEAVING or self.stopping:
            if number == self._predecessor:
                self._predecessor = None
            if member.overdue:
                actions.append(Tell("warning", "worker_cut_off", {"worker": member.slot}))
        elif number == self._successor:
            actions.append(self._roll_failed(why))
        elif member.state is State.STARTING and not self._announced:
            self._ending = Finish(exit_code, why)
            actions += [self._kill(m) for m in self._members.values()]
        else:
            actions += self._crashed(now, member, why)
        return actions + self._settle(now)

    def reload(self, now: float, generation: int) -> list[Action]:
        """Replace all workers by such as are configured by ``generation``."""
        if self.stopping:
            return []
        self._queued = generation
        return self._settle(now)

    def stop(self, now: float, exit_code: int) -> list[Action]:
        """End everything: the first time let calls end, the second cut them, the third kill.

        Args:
            now: the time.
            exit_code: what to end with where calls are not let end.
        """
        self._signals += 1
        actions: list[Action] = []
        if self._signals == 1:
            self._ending = self._ending or Finish(0)
            self._roll = self._queued = None
            for member in list(self._members.values()):
                if member.state is not State.LEAVING:
                    actions += self._leave(now, member)
        else:
            self._ending = Finish(exit_code)
            for member in self._members.values():
                if self._signals > 2:
                    actions.append(self._kill(member))
                else:
                    member.deadline = now + self._patience.cut_s
                    actions.append(Cut(member.number))
        return actions + self._settle(now)

    def _settle(self, now: float) -> list[Action]:
        """Whatever follows from how things stand."""
        if self._ending is not None:
            if self._members or self._finished:
                return []
            self._finished = True
            return [self._ending]
        actions = self._roll_on(now)
        self._restart_at = {s: at for s, at in self._restart_at.items() if s < self._wanted}
        for slot in range(self._wanted):
            due = self._restart_at.get(slot, now) <= now
            if due and self._holder(slot) is None:
                actions.append(self._start(now, slot, self._in_force))
        if self._roll is None:
            for member in list(self._members.values()):
                if member.slot >= self._wanted and member.state is not State.LEAVING:
                    actions += self._leave(now, member)
        return actions

    def _roll_on(self, now: float) -> list[Action]:
        if self._successor is not None or self._predecessor is not None or not self._announced:
            return []
        actions: list[Action] = []
        while self._roll is not None or self._queued is not None:
            if self._roll is None and self._queued is not None:
                self._candidate, self._queued = self._queued, None
                self._roll, self._rolled = deque(range(self._wanted)), []
                actions.append(Tell("info", "reloading", {"workers": self._wanted}))
            while self._roll:
                slot = self._roll.popleft()
                if slot < self._wanted:
                    started = self._start(now, slot, self._candidate)
                    self._successor = started.number
                    return [*actions, started]
            self._roll = None
            actions.append(Tell("info", "reloaded", {"workers": self._wanted}))
        return actions

    def _roll_failed(self, why: str) -> Tell:
        kept = sorted({m.slot for m in self._members.values()} - set(self._rolled))
        self._successor = self._roll = None
        return Tell("error", "reload_failed", {"why": why, "replaced": self._rolled, "kept": kept})

    def _crashed(self, now: float, member: Member, why: str) -> list[Action]:
        if self._holder(member.slot) is not None:  # its successor is about to serve
            return [Tell("error", "worker_crashed", {"worker": member.slot, "why": why})]
        crashes = self._crashes.setdefault(member.slot, Crashes(self._policy))
        served_s = 0.0 if member.ready_at is None else now - member.ready_at
        delay_s = crashes.crashed(served_s, self._draw())
        self._restart_at[member.slot] = now + delay_s
        self.crashes += 1
        told: dict[str, Field] = {"worker": member.slot, "why": why}
        told["restart_in_s"] = round(delay_s, 3)
        actions: list[Action] = [Tell("error", "worker_crashed", told)]
        if crashes.looping:
            told = {"worker": member.slot, "crashes_in_a_row": crashes.in_a_row}
            actions.append(Tell("error", "worker_crash_loop", told))
        looping = [self._crashes.get(s) for s in range(self._wanted)]
        if not self.count()[State.READY] and all(c is not None and c.looping for c in looping):
            self._ending = Finish(1, f"all workers crash again and again; the last one: {why}")
            actions += [self._kill(m) for m in self._members.values()]
        return actions

    def _succeeded(self, now: float, member: Member) -> list[Action]:
        """Another worker has taken this one's slot."""
        if member.state is State.LEAVING:
            return []
        self._predecessor = member.number
        return self._leave(now, member)

    def _leave(self, now: float, member: Member) -> list[Action]:
        if member.state is State.STARTING:  # it has no calls, and would not listen yet
            return [self._kill(member)]
        member.state = State.LEAVING
        member.deadline = now + member.drain_s + self._patience.drain_margin_s
        return [Drain(member.number)]

    def _kill(self, member: Member) -> Kill:
        member.state, member.deadline = State.LEAVING, None
        return Kill(member.number)

    def _start(self, now: float, slot: int, generation: int) -> Start:
        self._restart_at.pop(slot, None)
        number, self._next_number = self._next_number, self._next_number + 1
        deadline = now + self._patience.start_s
        self._members[number] = Member(number, slot, generation, State.STARTING, deadline)
        return Start(number, slot, generation)

    def _holder(self, slot: int) -> Member | None:
        members = (m for m in self._members.values() if m.slot == slot)
        return next((m for m in members if m.state is not State.LEAVING), None)
