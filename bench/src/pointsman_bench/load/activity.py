"""The run by wall clock: what happened in each second, whenever it was due. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pointsman_bench.results import Moment


@dataclass(slots=True)
class Second:
    """What happened in one second; ``area`` is the integral of the requests in flight over it."""

    sent: int = 0
    ended: int = 0
    failed: int = 0
    messages: int = 0
    area: float = 0.0

    def add(self, other: Second) -> None:
        """Add what another process saw in the same second."""
        self.sent += other.sent
        self.ended += other.ended
        self.failed += other.failed
        self.messages += other.messages
        self.area += other.area


@dataclass(slots=True)
class Activity:
    """Counts events into seconds from ``start`` (a monotonic clock's) on; before it, nowhere."""

    start: float
    seconds: dict[int, Second] = field(default_factory=dict)
    in_flight: int = 0
    _since: float = -math.inf

    def sent(self, now: float) -> None:
        """A request was sent."""
        self._pass_until(now)
        self.in_flight += 1
        self._second(now).sent += 1

    def message(self, now: float) -> None:
        """A message with text came."""
        self._second(now).messages += 1

    def ended(self, now: float, *, failed: bool) -> None:
        """A request ended."""
        self._pass_until(now)
        self.in_flight -= 1
        second = self._second(now)
        second.ended += 1
        second.failed += failed

    def add(self, other: Activity) -> None:
        """Add what another process saw."""
        for number, second in other.seconds.items():
            self.seconds.setdefault(number, Second()).add(second)

    def moments(self, until_s: float) -> tuple[Moment, ...]:
        """The seconds of the measured time, those without events too."""
        return tuple(
            Moment(
                start_s=float(number),
                sent=second.sent,
                ended=second.ended,
                failed=second.failed,
                messages=second.messages,
                in_flight=round(second.area, 3),
            )
            for number in range(math.ceil(until_s))
            for second in (self.seconds.get(number, Second()),)
        )

    def _second(self, now: float) -> Second:
        return self.seconds.setdefault(math.floor(now - self.start), Second())

    def _pass_until(self, now: float) -> None:
        """Spread the time since the last event over the seconds that it touched."""
        at = self._since - self.start
        end = now - self.start
        self._since = now
        if self.in_flight == 0 or math.isinf(at):
            return
        while at < end:
            number = math.floor(at)
            upto = min(end, number + 1.0)
            self.seconds.setdefault(number, Second()).area += self.in_flight * (upto - at)
            at = upto
