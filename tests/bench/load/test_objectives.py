"""What makes an answer good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.load.errors import UsageError
from pointsman_bench.load.objectives import MEASURES, met, parse_duration, parse_objectives
from pointsman_bench.results import Objective

TIMES = st.floats(0.001, 100)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("1.5s", 1.5), ("20", 20), ("2m", 120), ("250 us", 0.00025), (" 3 s ", 3)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """A number without a unit is seconds."""
    assert parse_duration(text, "--x") == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1h30", "1e3", "ms"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """The error names the option and says what to write."""
    with pytest.raises(UsageError, match=r"--x: .*write 500ms"):
        parse_duration(text, "--x")


def test_objectives_are_read_in_order() -> None:
    """As they are written."""
    assert parse_objectives("ttft=500ms, e2e=5s") == (
        Objective("ttft", 0.5),
        Objective("e2e", 5.0),
    )
    assert parse_objectives("") == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ttft", "is no objective"),
        ("speed=1s", "is no objective"),
        ("ttft=1s,ttft=2s", "written twice"),
        ("ttft=0ms", "over 0"),
        ("e2e=fast", "no length of time"),
    ],
)
def test_what_is_no_objective_is_refused(text: str, says: str) -> None:
    """Each in its own words."""
    with pytest.raises(UsageError, match=says):
        parse_objectives(text)


@given(st.dictionaries(st.sampled_from(MEASURES), TIMES), TIMES, TIMES)
def test_a_stricter_limit_is_never_met_by_more(
    measured: dict[str, float], one: float, other: float
) -> None:
    """Goodput falls as objectives tighten."""
    strict, lax = sorted((one, other))
    for metric in MEASURES:
        if met([Objective(metric, strict)], measured):
            assert met([Objective(metric, lax)], measured)


@given(st.dictionaries(st.sampled_from(MEASURES), TIMES, min_size=1))
def test_all_objectives_must_be_met(measured: dict[str, float]) -> None:
    """One that is missed is enough to miss."""
    kept = [Objective(metric, value) for metric, value in measured.items()]
    assert met(kept, measured)
    metric, value = next(iter(measured.items()))
    assert not met([*kept, Objective(metric, value * 0.99)], measured)


def test_an_answer_without_text_is_judged_by_its_end() -> None:
    """It has no first token, and must not pass for one that had it at once."""
    assert not met([Objective("ttft", 0.5)], {"e2e": 0.6})
    assert met([Objective("ttft", 0.5)], {"e2e": 0.4})


def test_an_answer_of_one_token_has_no_time_per_token_to_miss() -> None:
    """There is nothing between tokens in it."""
    assert met([Objective("tpot", 0.001)], {"e2e": 9.0, "ttft": 9.0})


def test_a_limit_is_met_by_what_equals_it() -> None:
    """At most means at most."""
    assert met([Objective("ttft", 0.5)], {"ttft": 0.5})
