"""Which two arms are compared, and the whole comparison of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pointsman_bench.compare.estimate import Method
from pointsman_bench.compare.fail_if import Condition, check
from pointsman_bench.compare.judge import judge
from pointsman_bench.compare.report import Comparison, unlike
from pointsman_bench.compare.slices import Side, paired, side
from pointsman_bench.report.loading import load
from pointsman_bench.results import Arm, LoadResult


class NotComparable(Exception):
    """The two must not be compared; ``str()`` says why and what to do."""


def sides(a: Path, b: Path | None, arm: str | None) -> tuple[Side, Side]:
    """The arms to compare: of two files, or the first two of one file.

    Raises:
        ResultFileError: a file cannot be read.
        NotComparable: an arm that is asked for is not there, or there is nothing to compare with.
    """
    first = load(a)
    if b is not None:
        second = load(b)
        return (
            side(str(a), first, _arm(a, first, arm)),
            side(str(b), second, _arm(b, second, arm)),
        )
    if arm is not None:
        raise NotComparable("--arm chooses an arm of two results: give B too, or leave it out")
    if len(first.arms) < 2:
        raise NotComparable(
            f"{a} has one arm only: give a second result to compare it with, or measure both sides "
            "in one run with `pointsman bench load --ab`"
        )
    return side(str(a), first, first.arms[0]), side(str(a), first, first.arms[1])


def _arm(path: Path, result: LoadResult, name: str | None) -> Arm:
    if name is None:
        return result.arms[0]
    for one in result.arms:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in result.arms)
    raise NotComparable(f"--arm {name!r}: {path} has none of that name; it has {known}")


def refuse_invalid(pair: Sequence[Side]) -> None:
    """Refuse sides whose numbers must not be used.

    Raises:
        NotComparable: one is invalid.
    """
    for one in pair:
        verdict = one.result.verdict
        if not verdict.valid:
            reasons = "; ".join(verdict.reasons) or "it does not say why"
            raise NotComparable(
                f"{one.label} is INVALID ({reasons}), so a comparison would prove nothing: "
                "measure again, or say --force"
            )


def compared(
    pair: tuple[Side, Side],
    method: Method,
    conditions: Sequence[Condition],
    progress: Callable[[str], None],
) -> Comparison:
    """Compare, and hold the conditions against what is found.

    Raises:
        ResultFileError: a histogram is damaged.
    """
    a, b = pair
    findings = tuple(judge(a, b, method, progress))
    checked = tuple(check(condition, findings) for condition in conditions)
    return Comparison(a, b, findings, checked, method, paired(a, b), tuple(unlike(a, b)))
