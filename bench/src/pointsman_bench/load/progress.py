"""How a run goes, for whoever watches it: a live line, or now and then a plain one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pointsman_bench.load.plan import Progress
from pointsman_bench.sparse import Sparse

PLAIN_EVERY_S = 5.0


@dataclass(slots=True)
class Tracker:
    """Adds up what the processes say. Pure: times are passed in."""

    length_s: float
    warm_up_s: float
    start: float = 0.0
    sent: int = 0
    ended: int = 0
    failed: int = 0
    ttft: Sparse = field(default_factory=Sparse)
    lag: Sparse = field(default_factory=Sparse)
    in_flight: dict[int, int] = field(default_factory=dict)
    rate: float = 0.0
    _counted: tuple[float, int] = (0.0, 0)

    def begin(self, start: float) -> None:
        """The warm-up begins at ``start``."""
        self.start = start
        self._counted = (start, 0)

    def add(self, progress: Progress, now: float) -> None:
        """One process said how it goes."""
        self.sent += progress.sent
        self.ended += progress.ended
        self.failed += progress.failed
        self.in_flight[progress.index] = progress.in_flight
        for into, counts in ((self.ttft, progress.ttft), (self.lag, progress.lag)):
            other = Sparse()
            other.counts = counts
            into.add(other)
        since, before = self._counted
        if now - since >= 1.0:
            self.rate = (self.sent - before) / (now - since)
            self._counted = (now, self.sent)

    def line(self, now: float) -> str:
        """How it goes, in a line."""
        at = max(0.0, now - self.start) if self.start else 0.0
        if at > self.length_s:
            stage = "last answers"
        else:
            stage = "warm-up" if at < self.warm_up_s else "measuring"
        return (
            f"{stage} {min(at, self.length_s):.0f}/{self.length_s:.0f} s  "
            f"{self.rate:.0f} req/s  {sum(self.in_flight.values())} in flight  "
            f"ttft p50 {_ms(self.ttft.quantile(0.5))} p99 {_ms(self.ttft.quantile(0.99))}  "
            f"{self.failed} failed  lag p99 {_ms(self.lag.quantile(0.99))}"
        )


class Display:
    """Shows a tracker on standard error."""

    def __init__(self, tracker: Tracker, console: Console) -> None:
        self.tracker = tracker
        self._console = console
        self._live: Live | None = None
        self._said = 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it meanwhile: live on a terminal, else a line now and then."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    def progress(self, progress: Progress) -> None:
        """One process said how it goes."""
        now = time.monotonic()
        self.tracker.add(progress, now)
        line = self.tracker.line(now)
        if self._live is not None:
            self._live.update(Text(line), refresh=True)
        elif now - self._said >= PLAIN_EVERY_S:
            self._said = now
            self._console.print(line, style="dim", highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, style="dim", highlight=False, soft_wrap=True)


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.3g} ms"
