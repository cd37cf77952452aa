"""The gate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.compare.bootstrap import Interval
from pointsman_bench.compare.fail_if import (
    FailIfError,
    Kind,
    Result,
    check,
    parse,
)
from pointsman_bench.compare.judge import Finding, Outcome
from pointsman_bench.compare.metrics import metric, names


@pytest.mark.parametrize(
    ("text", "kind", "above", "limit"),
    [
        ("ttft_p99 > +10%", Kind.RELATIVE, True, 0.1),
        ("ttft_p99.9>+10 %", Kind.RELATIVE, True, 0.1),
        ("  goodput < -5%  ", Kind.RELATIVE, False, -0.05),
        ("goodput < −5%", Kind.RELATIVE, False, -0.05),
        ("ttft_p99 > +5ms", Kind.CHANGE, True, 0.005),
        ("ttft_p99 > 200 ms", Kind.VALUE, True, 0.2),
        ("ttft_p99 > 1.5s", Kind.VALUE, True, 1.5),
        ("overhead_p50 > 900us", Kind.VALUE, True, 0.0009),
        ("failed_share > 1%", Kind.VALUE, True, 0.01),
        ("failed_share > +0.5pp", Kind.CHANGE, True, 0.005),
        ("failed_share > +10%", Kind.RELATIVE, True, 0.1),
        ("cost_per_1k_answers > +$0.01", Kind.CHANGE, True, 0.01),
        ("cost_per_1k_answers > 2usd", Kind.VALUE, True, 2.0),
        ("server_memory > 200MB", Kind.VALUE, True, 2e8),
        ("goodput < 30", Kind.VALUE, False, 30.0),
        ("goodput < 30/s", Kind.VALUE, False, 30.0),
        ("attempts_per_request > 1.1", Kind.VALUE, True, 1.1),
    ],
)
def test_conditions_are_read(text: str, kind: Kind, above: bool, limit: float) -> None:
    """With a sign it is a change, without one a value; units are converted."""
    made = parse(text)
    assert (made.kind, made.above) == (kind, above)
    assert made.limit == pytest.approx(limit)
    assert made.text == text.strip()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "write a metric, < or >, and a limit, such as 'ttft_p99 > \\+10%'"),
        ("ttft_p99", "write a metric"),
        ("ttft_p99 > +10% and goodput < 1", "write a metric"),
        ("ttft_p99 => 10ms", "write a metric"),
        ("__import__('os').system('x')", "write a metric"),
        ("ttft_p99 > 1e9%", "write a metric"),
        ("ttft_p99 > " + "9" * 500, "write a metric"),
        ("ttfr_p99 > +10%", r"no metric 'ttfr_p99'; did you mean ttft_p99\? There are: ttft_p50"),
        ("ttft_p99 > 200", "ttft_p99 needs a unit; it takes us, µs, ms, s, or \\+10%"),
        ("ttft_p99 > 10%", "ttft_p99 is no share; a % needs a sign"),
        ("ttft_p99 > 10MB", "ttft_p99 has no unit 'MB'; it takes us"),
        ("failed_share > 1pp", "takes pp only with a sign"),
        ("goodput > +1pp", "goodput is no share: no pp"),
        ("goodput > $5", r"goodput has no unit '\$'"),
        ("cost_per_1k_answers > $5usd", "takes no unit behind"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_hint(text: str, message: str) -> None:
    """The error quotes it, names the metric and lists what there is."""
    with pytest.raises(FailIfError, match=message):
        parse(text)


def test_an_unknown_metric_lists_all_there_are() -> None:
    """Nobody has to look them up."""
    with pytest.raises(FailIfError) as caught:
        parse("nonsense > 1")
    assert all(name in str(caught.value) for name in names())


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Never another exception, and never an error longer than its input deserves."""
    said = ""
    try:
        parse(text)
    except FailIfError as error:
        said = str(error)
    assert len(said) < 2500


def finding(
    name: str,
    a: float | None,
    b: float | None,
    interval: tuple[float, float] | None = None,
    why: str = "",
) -> Finding:
    both = a is not None and b is not None
    return Finding(
        metric(name),
        a,
        b,
        Outcome.UNKNOWN,
        b - a if a is not None and b is not None else None,
        None if interval is None else Interval(*interval),
        b / a if both and a and b is not None else None,
        why=why,
    )


@pytest.mark.parametrize(
    ("text", "found", "result"),
    [
        ("ttft_p99 > +10%", finding("ttft_p99", 1.0, 1.2, (0.1, 0.3)), Result.FAILED),
        ("ttft_p99 > +10%", finding("ttft_p99", 1.0, 1.05, (0.01, 0.1)), Result.PASSED),
        ("ttft_p99 > +10%", finding("ttft_p99", 1.0, 1.2, (-0.1, 0.5)), Result.UNCLEAR),
        ("ttft_p99 > +100ms", finding("ttft_p99", 1.0, 1.2, (0.1, 0.3)), Result.FAILED),
        ("ttft_p99 > +300ms", finding("ttft_p99", 1.0, 1.2, (0.1, 0.5)), Result.PASSED),
        ("ttft_p99 > 1.1s", finding("ttft_p99", 1.0, 1.2, (-1.0, 1.0)), Result.FAILED),
        ("ttft_p99 > 1.2s", finding("ttft_p99", 1.0, 1.2), Result.PASSED),
        ("goodput < -5%", finding("goodput", 100.0, 90.0, (-15.0, -5.0)), Result.FAILED),
        ("goodput < -5%", finding("goodput", 100.0, 90.0, (-15.0, 5.0)), Result.UNCLEAR),
        # a limit that asks for an improvement is not met by the lack of evidence
        ("ttft_p99 > -10%", finding("ttft_p99", 1.0, 0.95, (-0.2, 0.1)), Result.FAILED),
        ("ttft_p99 > -10%", finding("ttft_p99", 1.0, 0.8, (-0.3, -0.1)), Result.PASSED),
        # from nothing to something is more than any percentage
        ("failed_share > +10%", finding("failed_share", 0.0, 0.1, (0.05, 0.2)), Result.FAILED),
        ("failed_share > +10%", finding("failed_share", 0.0, 0.0, (0.0, 0.0)), Result.PASSED),
        # one value a run: it decides alone; too few observations: they do not
        ("server_memory > +10%", finding("server_memory", 1e8, 2e8, why="one"), Result.FAILED),
        ("ttft_p99 > +10%", finding("ttft_p99", 1.0, 2.0, why="too few"), Result.UNCLEAR),
        ("ttft_p99 > +10%", finding("ttft_p99", None, 2.0, why="A has none"), Result.UNCLEAR),
        ("ttft_p50 > +10%", finding("ttft_p99", 1.0, 2.0, (0.5, 1.5)), Result.UNCLEAR),
    ],
)
def test_a_condition_fails_only_on_evidence(text: str, found: Finding, result: Result) -> None:
    """Beyond the limit and not by chance; what may be chance is unclear."""
    judged = check(parse(text), [found])
    assert judged.result is result, judged.why
    assert judged.why
