"""One page of metrics out of several processes' pages, in Prometheus' text format.

Counters and histograms are summed, and what a process that ended had counted stays in the sum: a
sum that fell by one process's share would look to Prometheus as if everything were counted anew.
Gauges are summed over those that live. What a process counts after its last report and before it
crashes is lost, as it would be with a process alone.

Uses the standard library alone: the parent of several workers imports it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

_CREATED = "_created"
_KEPT = ("counter", "histogram", "summary")

Value = Fraction | float
"""A number; exact where it is finite. Sums of floats depend on their order, and one that is less by
its last bit than on the page before would be a counter that has been reset."""


@dataclass(slots=True)
class Family:
    """A metric: its two comment lines, its type, and its series' values by name and labels."""

    comments: list[str]
    kind: str = "untyped"
    samples: dict[str, Value] = field(default_factory=dict)


Page = dict[str, Family]


def parse(text: str) -> Page:
    """A page of ``prometheus_client.generate_latest``.

    Raises:
        ValueError: it is none.
    """
    page: Page = {}
    family = Family([])
    for line in text.splitlines():
        if line.startswith("# "):
            word, name, *rest = line[2:].split(" ", 2)
            if word == "HELP":
                family = page.setdefault(name, Family([]))
            elif word == "TYPE":
                family = page.setdefault(name, family)
                family.kind = rest[0]
            family.comments.append(line)
        elif line:
            series, _, value = line.rpartition(" ")
            if not series or not page:
                raise ValueError("not a page of metrics")
            number = float(value)
            family.samples[series] = Fraction(number) if math.isfinite(number) else number
    return page


def add(total: Page, page: Page, *, gauges: bool = True) -> None:
    """Add ``page`` to ``total``; without ``gauges`` only what outlives its process."""
    for name, family in page.items():
        born = name.endswith(_CREATED)
        if not gauges and not born and family.kind not in _KEPT:
            continue
        into = total.setdefault(name, Family(family.comments, family.kind))
        for series, value in family.samples.items():
            if born:
                into.samples[series] = min(value, into.samples.get(series, math.inf))
            else:
                into.samples[series] = value + into.samples.get(series, 0)


def render(page: Page) -> str:
    """The page as text."""
    lines: list[str] = []
    for family in page.values():
        lines += family.comments
        lines += [f"{series} {_number(float(value))}" for series, value in family.samples.items()]
    return "\n".join(lines) + "\n" if lines else ""


class Totals:
    """The sum over processes that come and go."""

    def __init__(self) -> None:
        self._ended: Page = {}
        self._latest: dict[int, Page] = {}

    def reported(self, process: int, text: str) -> None:
        """A process says what it has counted since it was started.

        Raises:
            ValueError: ``text`` is no page of metrics.
        """
        self._latest[process] = parse(text)

    def ended(self, process: int) -> None:
        """A process has ended; what it counted by its last report remains."""
        add(self._ended, self._latest.pop(process, {}), gauges=False)

    def page(self, more: Iterable[str] = ()) -> str:
        """All of it as one page, with further pages after it."""
        total: Page = {}
        for page in (*self._latest.values(), self._ended):
            add(total, page)
        return render(total) + "".join(more)


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)
