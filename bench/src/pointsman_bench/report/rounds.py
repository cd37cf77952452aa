"""Several systems, measured in interleaved rounds: medians, and ratios against one of them.

A ratio is taken within a round, where both systems saw the same state of the machine, and only
then its median over the rounds; the range from the lowest to the highest round says how far it can
be trusted. `rounds_text` and `rounds_html` show it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pointsman_bench.report.units import NOTHING, Unit, digits, format_value

MAX_SYSTEMS = MAX_METRICS = 64
MAX_ROUNDS = 1000


class RoundsError(ValueError):
    """A table that makes no sense; ``str()`` names the field and says how to mend it."""


class Better(StrEnum):
    """Which way is better."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Metric:
    """A column. Values are in base units; ``explains`` is a sentence for whoever asks."""

    key: str
    title: str
    unit: Unit
    better: Better = Better.NEITHER
    explains: str = ""


@dataclass(frozen=True, slots=True)
class RoundsTable:
    """``values[system][metric.key]`` holds one value a round, None where there is none.

    Raises:
        RoundsError: a field makes no sense.
    """

    title: str
    metrics: tuple[Metric, ...]
    systems: tuple[str, ...]
    values: Mapping[str, Mapping[str, Sequence[float | None]]]
    reference: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_names("systems", self.systems, MAX_SYSTEMS)
        _check_names("metrics", [metric.key for metric in self.metrics], MAX_METRICS)
        if self.reference not in self.systems:
            raise RoundsError(f"reference: {self.reference!r} is none of {', '.join(self.systems)}")
        for system, row in self.values.items():
            if system not in self.systems:
                raise RoundsError(f"values: {system!r} is none of {', '.join(self.systems)}")
            for key, values in row.items():
                self._check_values(f"values[{system}][{key}]", key, values)

    def _check_values(self, where: str, key: str, values: Sequence[float | None]) -> None:
        known = [metric.key for metric in self.metrics]
        if key not in known:
            raise RoundsError(f"{where}: no such metric; there are {', '.join(known)}")
        if len(values) != self.rounds:
            raise RoundsError(
                f"{where}: {len(values)} values where others have {self.rounds}; "
                "put None for a round without one"
            )
        if any(value is not None and not math.isfinite(value) for value in values):
            raise RoundsError(f"{where}: a value is not finite; put None for a round without one")

    @property
    def rounds(self) -> int:
        """How many rounds there were: as many as the first system has values."""
        each = (len(values) for row in self.values.values() for values in row.values())
        found = next(each, 0)
        if found > MAX_ROUNDS:
            raise RoundsError(f"values: {found} rounds; at most {MAX_ROUNDS}")
        return found

    def of(self, system: str, key: str) -> Sequence[float | None]:
        """A value a round."""
        return self.values.get(system, {}).get(key, (None,) * self.rounds)


def _check_names(field: str, names: Sequence[str], most: int) -> None:
    if not names:
        raise RoundsError(f"{field}: none; give at least one")
    if len(names) > most:
        raise RoundsError(f"{field}: {len(names)}; at most {most}")
    if len(set(names)) < len(names):
        raise RoundsError(f"{field}: a name comes twice; give each its own")


@dataclass(frozen=True, slots=True)
class Cell:
    """A system's values of a metric over the rounds, and their ratio to the reference's."""

    rounds: int
    median: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None


def cell(table: RoundsTable, system: str, key: str) -> Cell:
    """Median, minimum and maximum over the rounds.

    The ratio is None where no round has a value of both, or the reference's was 0 in one.
    """
    mine, theirs = table.of(system, key), table.of(table.reference, key)
    values = [value for value in mine if value is not None]
    if not values:
        return Cell(0)
    pairs = [(a, b) for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None]
    own = (statistics.median(values), min(values), max(values))
    if not pairs or any(b == 0 for _, b in pairs):
        return Cell(len(values), *own)
    ratios = [a / b for a, b in pairs]
    return Cell(len(values), *own, statistics.median(ratios), min(ratios), max(ratios))


def ratio_text(found: Cell) -> str:
    """A ratio with its range over the rounds, such as "×1.23 (1.10–1.41)"."""
    if found.ratio is None or found.ratio_low is None or found.ratio_high is None:
        return NOTHING
    ratio = f"×{digits(found.ratio)}"
    if found.rounds == 1:
        return ratio
    return f"{ratio} ({digits(found.ratio_low)}–{digits(found.ratio_high)})"


def range_text(found: Cell, unit: Unit) -> str:
    """From the lowest round to the highest."""
    if found.low is None or found.rounds == 1:
        return NOTHING
    return f"{format_value(found.low, unit)} – {format_value(found.high, unit)}"


def best(table: RoundsTable, key: str) -> str | None:
    """The system with the best median of a metric; None where neither way is better."""
    metric = next(metric for metric in table.metrics if metric.key == key)
    medians = {s: c.median for s in table.systems if (c := cell(table, s, key)).median is not None}
    if metric.better is Better.NEITHER or len(medians) < 2:
        return None
    choose = min if metric.better is Better.LOWER else max
    return choose(medians, key=lambda system: medians[system] or 0.0)


def rounds_as_dict(table: RoundsTable) -> dict[str, object]:
    """For machines: every value, and each `Cell`, in base units."""
    return {
        "title": table.title,
        "reference": table.reference,
        "rounds": table.rounds,
        "metrics": {
            m.key: {"title": m.title, "unit": m.unit.value, "better": m.better.value}
            for m in table.metrics
        },
        "systems": {
            system: {m.key: _cell_as_dict(table, system, m.key) for m in table.metrics}
            for system in table.systems
        },
        "notes": list(table.notes),
    }


def _cell_as_dict(table: RoundsTable, system: str, key: str) -> dict[str, object]:
    found = cell(table, system, key)
    return {
        "values": list(table.of(system, key)),
        "median": found.median,
        "range": [found.low, found.high],
        "ratio": found.ratio,
        "ratio_range": [found.ratio_low, found.ratio_high],
    }
