"""Whether a run's numbers may be used."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.load.verdict import TIMER_S, Evidence, Limits, judge
from pointsman_bench.results import Check

GOOD = Evidence(
    due=1000,
    sent=1000,
    answered=990,
    lag_p99_s=0.002,
    median_ttft_s=0.2,
    generator_busiest=0.3,
    simulator_late_p99_s=0.001,
    simulator_busy=0.2,
    processes_wanted=3,
    cores=8,
)
LIMITS = Limits()


def test_a_run_without_fault_is_valid_without_a_word() -> None:
    """No reasons, no warnings."""
    verdict = judge(GOOD, LIMITS)
    assert (verdict.valid, verdict.reasons, verdict.warnings) == (True, (), ())


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"lag_p99_s": 0.0101}, "the generator lagged: p99 10.1 ms"),
        ({"lag_p99_s": 0.004, "median_ttft_s": 0.03}, "limit 3 ms"),
        ({"not_sent_for_limit": 3}, "3 requests were not sent"),
        ({"lost_processes": 1}, "1 processes of the generator died or were not done in time"),
        ({"sent": 999}, "only 999 of 1000"),
        ({"sent": 0, "due": 0}, "nothing was measured"),
        ({"simulator_late_p99_s": 0.02}, "the simulated upstream was late itself: p99 20 ms"),
        ({"checks": (Check("a = b", False, "1 and 2"),)}, "accounts differ: a = b: 1 and 2"),
    ],
)
def test_each_fault_makes_a_run_invalid_and_is_named(fault: dict[str, object], says: str) -> None:
    """One is enough, and it is the only one named."""
    verdict = judge(replace(GOOD, **fault), LIMITS)  # type: ignore[arg-type]
    assert not verdict.valid
    assert len(verdict.reasons) == 1
    assert says in verdict.reasons[0]


@pytest.mark.parametrize(
    ("worry", "says"),
    [
        ({"answered": 99}, "only 99 answers"),
        ({"generator_busiest": 0.81}, "81% of a core"),
        ({"simulator_busy": 0.9}, "upstream used 90% of a core"),
        ({"cores": 2}, "shared 2 cores"),
        ({"elsewhere": 0.11}, "other programs used 11%"),
        ({"interrupted": True}, "interrupted"),
        ({"interrupted": True, "sent": 400}, "interrupted"),
    ],
)
def test_a_worry_is_a_warning_and_no_more(worry: dict[str, object], says: str) -> None:
    """The numbers may be used, with that in mind."""
    verdict = judge(replace(GOOD, **worry), LIMITS)  # type: ignore[arg-type]
    assert verdict.valid
    assert len(verdict.warnings) == 1
    assert says in verdict.warnings[0]


@given(st.floats(0, 0.1), st.floats(0, 10) | st.none())
def test_validity_is_exactly_the_lag_within_its_limit(lag: float, median: float | None) -> None:
    """Whatever else is well."""
    verdict = judge(replace(GOOD, lag_p99_s=lag, median_ttft_s=median), LIMITS)
    late = GOOD.simulator_late_p99_s
    assert late is not None
    assert verdict.valid is (lag <= LIMITS.of(median) and late <= LIMITS.of(median))


@given(st.floats(0, 10))
def test_the_limit_lies_between_a_timers_tick_and_the_most_lag(median: float) -> None:
    """A faster server makes it stricter, down to what a timer can do."""
    assert TIMER_S <= LIMITS.of(median) <= LIMITS.max_lag_s
    assert LIMITS.of(median) <= LIMITS.of(median + 0.1)


def test_the_limits_can_be_set() -> None:
    """By who knows what is measured."""
    late = replace(GOOD, lag_p99_s=0.05, simulator_late_p99_s=0.05)
    assert not judge(late, Limits(max_lag_s=0.1)).valid  # 10 % of the median binds
    assert judge(late, Limits(max_lag_s=0.1, max_share=0.3)).valid
