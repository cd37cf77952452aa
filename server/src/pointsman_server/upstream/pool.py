"""Which connection carries which call. Decides only: opening, closing and waiting are the client's.

A call leases a slot: with an idle connection in it, or to open one. At its end the slot goes to
whoever has waited longest, with the connection where that can carry another call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum, auto
from typing import Generic, TypeVar

C = TypeVar("C")
W = TypeVar("W")


class Turn(Enum):
    """What a call does where no idle connection is there for it."""

    OPEN = auto()
    WAIT = auto()


class Pool(Generic[C, W]):
    """At most ``limit`` connections ``C`` for all calls; those that wait are known by a ``W``.

    Of the idle connections the one used last is used first, so that the others can expire,
    ``idle_lifetime_s`` after their last use. Times are on any one clock, in seconds.
    """

    def __init__(self, limit: int, idle_lifetime_s: float) -> None:
        self._limit = limit
        self._lifetime = idle_lifetime_s
        self._leased = 0
        # In the order of their last use, which dicts keep.
        self._idle: dict[C, float] = {}
        self._waiting: deque[W] = deque()

    @property
    def leased(self) -> int:
        """How many slots calls hold."""
        return self._leased

    @property
    def idle(self) -> int:
        """How many connections wait for a call."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot."""
        return len(self._waiting)

    def lease(self) -> C | Turn:
        """Give a slot to a call, with its connection or with the duty to open one, or none."""
        if self._idle:
            self._leased += 1
            return self._idle.popitem()[0]
        if self._leased < self._limit:
            self._leased += 1
            return Turn.OPEN
        return Turn.WAIT

    def wait(self, waiter: W) -> None:
        """Queue a call that got no slot."""
        self._waiting.append(waiter)

    def leave(self, waiter: W) -> bool:
        """Take a waiter out of the queue; false where it has had its turn."""
        try:
            self._waiting.remove(waiter)
        except ValueError:
            return False
        return True

    def next(self) -> W | None:
        """Give a slot that a call has done with to the longest waiting, who is returned.

        Where nobody waits, say with `keep` or `free` what becomes of it.
        """
        return self._waiting.popleft() if self._waiting else None

    def keep(self, connection: C, now: float) -> None:
        """Take back a slot with a connection that can carry another call."""
        self._leased -= 1
        self._idle[connection] = now

    def free(self) -> None:
        """Take back a slot whose connection is closed or was never opened."""
        self._leased -= 1

    def drop(self, connection: C) -> None:
        """Forget a connection that has ended, if it was idle."""
        self._idle.pop(connection, None)

    def expire(self, now: float) -> list[C]:
        """Forget the connections that have been idle for too long: they are to be closed."""
        stale = [c for c, since in self._idle.items() if since + self._lifetime <= now]
        for connection in stale:
            del self._idle[connection]
        return stale

    @property
    def next_expiry(self) -> float | None:
        """When the next connection will have been idle for too long."""
        return next((since + self._lifetime for since in self._idle.values()), None)

    def dissolve(self) -> Iterable[W]:
        """Give a slot to all who wait, whatever the limit."""
        waiting, self._waiting = self._waiting, deque()
        self._leased += len(waiting)
        return waiting
