"""When requests are due."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.load.arrivals import MAX_REQUESTS, Arrival, RateProfile, Step, due_times
from pointsman_bench.load.errors import UsageError

RATES = st.floats(0.5, 200)
LENGTHS = st.floats(0.5, 20)
FACTORS = st.floats(0.1, 20)


@st.composite
def profiles(draw: st.DrawFn) -> RateProfile:
    starts = sorted(draw(st.sets(st.floats(0.1, 18), max_size=4)))
    return RateProfile(draw(RATES), tuple(Step(start, draw(FACTORS)) for start in starts))


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(profiles(), LENGTHS, st.sampled_from(["poisson", "constant"]), st.integers(0, 9))
def test_due_times_rise_within_the_run(
    profile: RateProfile, length: float, arrival: Arrival, seed: int
) -> None:
    """No request is due before the one before it, before the start, or at the end or later."""
    due = due_times(arrival, profile, length, rng(seed))
    assert np.all(np.diff(due) >= 0)
    assert np.all((due >= 0) & (due < length))


@given(profiles(), LENGTHS)
def test_constant_arrivals_are_as_many_as_the_rate_says(
    profile: RateProfile, length: float
) -> None:
    """Never off by more than one, whatever the steps."""
    due = due_times("constant", profile, length, rng())
    assert abs(len(due) - profile.expected(length)) <= 1


@given(profiles(), LENGTHS, st.floats(0, 1))
def test_times_invert_expected(profile: RateProfile, length: float, share: float) -> None:
    """The time at which n requests are expected is the time at which n are expected."""
    count = profile.expected(length) * share
    at = float(profile.times(np.array([count]), length)[0])
    reached = RateProfile(profile.rate, profile.steps)._integral(length)
    assert np.interp(at, *reached) == pytest.approx(count, rel=1e-6, abs=1e-6)


def test_constant_arrivals_are_equally_spaced() -> None:
    """Ten a second are due every 100 ms, from the start on."""
    due = due_times("constant", RateProfile(10), 1.0, rng())
    assert due == pytest.approx(np.arange(10) / 10)


def test_a_step_changes_the_rate_from_its_start_on() -> None:
    """Ten times the rate between 1 and 2 s: 10, 100, 10."""
    profile = RateProfile(10, (Step(1.0, 10.0), Step(2.0, 1.0)))
    due = due_times("constant", profile, 3.0, rng())
    seconds = np.bincount(due.astype(int))
    assert list(seconds) == [10, 100, 10]


def test_poisson_gaps_are_exponential() -> None:
    """Mean and standard deviation of the gaps are both 1 / rate, and the median ln 2 / rate."""
    due = due_times("poisson", RateProfile(100), 1000.0, rng(7))
    gaps = np.diff(due)
    assert gaps.mean() == pytest.approx(0.01, rel=0.02)
    assert gaps.std() == pytest.approx(0.01, rel=0.02)
    assert np.median(gaps) == pytest.approx(np.log(2) / 100, rel=0.02)


def test_poisson_counts_vary_as_much_as_they_should() -> None:
    """Over many seconds, the variance of a second's count is its mean."""
    due = due_times("poisson", RateProfile(50), 2000.0, rng(3))
    counts = np.bincount(due.astype(int), minlength=2000)
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.1)


def test_how_many_poisson_arrivals_there_are_is_chance() -> None:
    """Over many runs, with a variance equal to the mean."""
    counts = [len(due_times("poisson", RateProfile(20), 5.0, rng(seed))) for seed in range(400)]
    assert np.mean(counts) == pytest.approx(100, rel=0.02)
    assert np.var(counts) == pytest.approx(100, rel=0.25)


def test_equal_seeds_give_equal_loads_and_others_do_not() -> None:
    """A run can be repeated."""
    one, same, other = (
        due_times("poisson", RateProfile(20), 10.0, rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one[:5], other[:5])


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    """The error names the option."""
    with pytest.raises(UsageError, match="--rate"):
        RateProfile(rate)


@pytest.mark.parametrize("steps", [(Step(0, 2),), (Step(2, 2), Step(1, 2)), (Step(1, 0),)])
def test_steps_out_of_order_or_without_a_rate_are_refused(steps: tuple[Step, ...]) -> None:
    """They would make the integral of the rate no function that can be inverted."""
    with pytest.raises(UsageError, match="rate steps"):
        RateProfile(1, steps)


def test_more_requests_than_fit_are_refused() -> None:
    """Before they are laid out in memory."""
    with pytest.raises(UsageError, match="at most"):
        due_times("constant", RateProfile(1000), MAX_REQUESTS / 999, rng())


@pytest.mark.parametrize("length", [0.0, -1.0, float("nan"), float("inf")])
def test_a_length_that_is_none_is_refused(length: float) -> None:
    """The error names the option."""
    with pytest.raises(UsageError, match="--duration"):
        due_times("constant", RateProfile(1), length, rng())
