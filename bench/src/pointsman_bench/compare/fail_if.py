"""The gate: conditions such as ``ttft_p99 > +10%`` under which a comparison fails.

    condition := metric ("<" | ">") limit
    limit     := ["+" | "-"] number [unit]

With a sign the limit is a change of B against A, without one it is B's own value. Units: ``us``,
``ms``, ``s`` for times; ``B``, ``kB``, ``MB``, ``GB`` for memory; ``usd`` (or a ``$`` in front) for
money; ``/s`` for rates, which may be left out. ``%`` with a sign is a relative change of any
metric, without one a share's value; ``pp`` is percentage points of a share.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pointsman_bench.compare.judge import Finding
from pointsman_bench.compare.metrics import Metric, Single, metric, names
from pointsman_bench.report.units import Unit, format_change, format_percent_change, format_value

MAX_LENGTH = 200
_EXAMPLE = "such as 'ttft_p99 > +10%'"
_FORM = re.compile(
    r"\s*(?P<metric>[A-Za-z0-9_.]+)\s*(?P<op>[<>])\s*(?P<sign>[+\-−]?)\s*(?P<dollar>\$?)"
    r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(?P<unit>%|/s|[A-Za-zµ]{0,3})\s*"
)
_SCALES: dict[Unit, dict[str, float]] = {
    Unit.SECONDS: {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0},
    Unit.BYTES: {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9},
    Unit.USD: {"usd": 1.0, "$": 1.0},
    Unit.PER_SECOND: {"": 1.0, "/s": 1.0},
    Unit.SHARE: {"%": 0.01, "pp": 0.01},
    Unit.PLAIN: {"": 1.0},
    Unit.COUNT: {"": 1.0},
}


class FailIfError(ValueError):
    """A condition makes no sense; ``str()`` says where, why and how to mend it."""


class Kind(StrEnum):
    """What a limit is set on."""

    VALUE = "value"
    CHANGE = "change"
    RELATIVE = "relative change"


@dataclass(frozen=True, slots=True)
class Condition:
    """Fails where the metric's value or change lies beyond ``limit`` (base units; 0.1 is 10 %)."""

    text: str
    metric: Metric
    above: bool
    kind: Kind
    limit: float


class Result(StrEnum):
    """How a condition came out. Unclear: beyond the limit, but it may well be chance."""

    PASSED = "passed"
    FAILED = "failed"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Judged:
    """A condition and how it came out, with a sentence that says why."""

    condition: Condition
    result: Result
    why: str


def parse(text: str) -> Condition:
    """Read a condition.

    Raises:
        FailIfError: it makes no sense.
    """
    short = text if len(text) <= MAX_LENGTH else text[:MAX_LENGTH] + "…"
    found = _FORM.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        raise FailIfError(f"--fail-if {short!r}: write a metric, < or >, and a limit, {_EXAMPLE}")
    wanted = _metric(text, found["metric"])
    signed = bool(found["sign"])
    unit = "$" if found["dollar"] else found["unit"]
    if found["dollar"] and found["unit"]:
        raise FailIfError(f"--fail-if {text!r}: a $ in front takes no unit behind")
    negative = found["sign"] in ("-", "−")
    number = float(found["number"]) * (-1 if negative else 1)
    above = found["op"] == ">"
    if unit == "%" and signed:
        return Condition(text.strip(), wanted, above, Kind.RELATIVE, number / 100)
    kind = Kind.CHANGE if signed else Kind.VALUE
    return Condition(text.strip(), wanted, above, kind, number * _scale(text, wanted, unit, signed))


def _metric(text: str, name: str) -> Metric:
    try:
        return metric(name)
    except KeyError:
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else "."
        listed = ", ".join(names())
        raise FailIfError(
            f"--fail-if {text!r}: there is no metric {name!r}{hint} There are: {listed}"
        ) from None


def _scale(text: str, wanted: Metric, unit: str, signed: bool) -> float:
    scales = {n: f for n, f in _SCALES[wanted.unit].items() if n != "pp" or signed}
    if unit in scales:
        return scales[unit]
    if unit == "%":
        raise FailIfError(
            f"--fail-if {text!r}: {wanted.name} is no share; a % needs a sign, as in +10%"
        )
    said = f"has no unit {unit!r}" if unit else "needs a unit"
    if unit == "pp":
        said = "takes pp only with a sign, as in +1pp" if "%" in scales else "is no share: no pp"
    known = ", ".join(name or "no unit" for name in scales)
    raise FailIfError(f"--fail-if {text!r}: {wanted.name} {said}; it takes {known}, or +10%")


def check(condition: Condition, findings: Sequence[Finding]) -> Judged:
    """Hold a condition against what was found.

    A change for the worse fails where its estimate lies beyond the limit and its interval rules
    out that there is no change at all; else it is unclear. The estimate alone decides on B's own
    value, on a limit that asks for an improvement (``ttft_p99 > -10%``), and on what a run has but
    one value of.
    """
    name = condition.metric.name
    found = next((one for one in findings if one.metric.name == name), None)
    if found is None:
        return Judged(condition, Result.UNCLEAR, "neither side has it")
    measured = _measured(condition, found)
    if measured is None:
        return Judged(condition, Result.UNCLEAR, found.why or "A is 0: no relative change")
    said = _said(condition, measured)
    if not _beyond(condition, measured):
        return Judged(condition, Result.PASSED, said)
    doubt = _doubt(condition, found)
    if doubt:
        return Judged(condition, Result.UNCLEAR, f"{said}, but {doubt}")
    return Judged(condition, Result.FAILED, said)


def _measured(condition: Condition, found: Finding) -> float | None:
    """What the limit is set on; None where there is none."""
    if condition.kind is Kind.VALUE:
        return found.b
    if condition.kind is Kind.CHANGE:
        return found.difference
    if found.a == 0 and found.b is not None:  # from nothing to something is more than any percent
        return 0.0 if found.b == 0 else math.inf
    return None if found.ratio is None else found.ratio - 1


def _beyond(condition: Condition, value: float) -> bool:
    return value > condition.limit if condition.above else value < condition.limit


def _doubt(condition: Condition, found: Finding) -> str:
    """What keeps a limit that was passed from being held against B; "" for nothing."""
    asks_for_better = condition.limit < 0 if condition.above else condition.limit > 0
    if condition.kind is Kind.VALUE or asks_for_better or isinstance(found.metric.source, Single):
        return ""
    interval = found.difference_interval
    if interval is None:
        return found.why
    shown = interval.low > 0 if condition.above else interval.high < 0
    return "" if shown else "the interval does not rule out that nothing changed"


def _said(condition: Condition, measured: float) -> str:
    unit = condition.metric.unit
    match condition.kind:
        case Kind.VALUE:
            return f"B has {format_value(measured, unit)}"
        case Kind.CHANGE:
            return f"it changed by {format_change(measured, unit)}"
        case Kind.RELATIVE:
            return f"it changed by {format_percent_change(measured + 1)}"
