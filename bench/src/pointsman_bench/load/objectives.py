"""Service level objectives: what makes an answer good. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pointsman_bench.load.errors import UsageError
from pointsman_bench.results import E2E, OVERHEAD, TPOT, TTFT, Objective

MEASURES = (TTFT, E2E, TPOT, OVERHEAD)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(us|µs|ms|s|m|min)?")
_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, None: 1.0, "m": 60.0, "min": 60.0}


def parse_duration(text: str, option: str) -> float:
    """Seconds of "500ms", "1.5s", "2m" or "20" (seconds).

    Raises:
        UsageError: naming ``option``.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{option}: {text!r} is no length of time; write 500ms, 1.5s or 2m")
    return float(found[1]) * _UNITS[found[2]]


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """Objectives of "ttft=500ms,e2e=5s".

    Raises:
        UsageError: naming what is wrong.
    """
    objectives: dict[str, Objective] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        metric, equals, limit = part.partition("=")
        metric = metric.strip()
        if not equals or metric not in MEASURES:
            raise UsageError(
                f"--slo: {part!r} is no objective; write METRIC=TIME with one of "
                f"{', '.join(MEASURES)}, such as ttft=500ms,e2e=5s"
            )
        if metric in objectives:
            raise UsageError(f"--slo: {metric} is written twice; keep one")
        seconds = parse_duration(limit, f"--slo {metric}")
        if seconds <= 0:
            raise UsageError(f"--slo {metric}: the limit is 0; give a time over 0")
        objectives[metric] = Objective(metric, seconds)
    return tuple(objectives.values())


def met(objectives: Sequence[Objective], measured: dict[str, float]) -> bool:
    """Whether an answer with these values (seconds) met all objectives.

    What an answer has no value of it has met: an answer of one token has no time per token. One
    without text has no first token, and its objective counts against its end.
    """
    return all(_value(o.metric, measured) <= o.limit_s for o in objectives)


def _value(metric: str, measured: dict[str, float]) -> float:
    if metric == TTFT and TTFT not in measured:
        return measured.get(E2E, 0.0)
    return measured.get(metric, 0.0)
