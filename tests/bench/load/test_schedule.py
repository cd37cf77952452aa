"""Which request is due when."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.load.arrivals import RateProfile
from pointsman_bench.load.schedule import (
    STAYS,
    Schedule,
    balanced,
    drawn_schedule,
    trace_schedule,
)
from pointsman_bench.load.trace import Trace, TraceLine
from pointsman_bench.scenarios.scenario import Cap, Leavers

CAPS = (Cap(0.5, None), Cap(0.5, 0.001))


def drawn(
    *, seed: int = 1, rate: float = 100, arms: int = 2, leavers: Leavers | None = None
) -> Schedule:
    return drawn_schedule(
        "poisson",
        RateProfile(rate),
        20.0,
        prompts=7,
        caps=CAPS,
        arms=arms,
        leavers=leavers,
        seed=seed,
    )


@given(st.integers(1, 8))
def test_shares_of_all_processes_are_the_whole(processes: int) -> None:
    """Every request is sent by exactly one process, and each share keeps the order."""
    whole = drawn(rate=20)
    shares = [whole.share(i, processes) for i in range(processes)]
    numbers = np.concatenate([share.number for share in shares])
    assert sorted(numbers) == list(range(len(whole)))
    for share in shares:
        assert np.all(np.diff(share.due) >= 0)
        assert np.array_equal(share.template, whole.template[share.number])
        assert np.array_equal(share.arm, whole.arm[share.number])
        assert np.array_equal(share.leave_after, whole.leave_after[share.number])


@given(st.integers(0, 500), st.integers(1, 4), st.integers(0, 9))
def test_arms_are_balanced_in_every_block(count: int, arms: int, seed: int) -> None:
    """So both sides of an A/B meet the same moments of the run."""
    arm = balanced(count, arms, np.random.default_rng(seed))
    assert len(arm) == count
    whole = count // arms * arms
    for block in arm[:whole].reshape(-1, arms):
        assert sorted(block) == list(range(arms))


def test_the_order_within_blocks_is_random() -> None:
    """A fixed order would let one side always go first."""
    arm = balanced(1000, 2, np.random.default_rng(1))
    first = arm[::2].mean()
    assert 0.4 < first < 0.6


def test_templates_name_every_prompt_under_every_cap() -> None:
    """Template p · caps + c asks prompt p under cap c; all are drawn about as often."""
    templates = drawn(rate=500).template
    counts = np.bincount(templates, minlength=14)
    assert len(counts) == 14
    assert counts.min() > 0.8 * counts.mean()


def test_a_third_leaves_within_the_time_that_leavers_have() -> None:
    """The others stay for ever."""
    leave = drawn(rate=500, leavers=Leavers(1 / 3, 0.5)).leave_after
    leaving = leave[leave != STAYS]
    assert len(leaving) / len(leave) == pytest.approx(1 / 3, abs=0.03)
    assert leaving.min() >= 0
    assert leaving.max() <= 0.5
    assert leaving.mean() == pytest.approx(0.25, abs=0.02)


def test_nobody_leaves_unless_asked_to() -> None:
    """Without leavers all stay."""
    assert np.all(drawn().leave_after == STAYS)


def test_due_between_counts_the_start_and_not_the_end() -> None:
    """As slices do."""
    whole = drawn()
    zeros = np.zeros(4)
    schedule = Schedule(
        np.array([0.0, 1.0, 1.5, 2.0]), whole.number[:4], whole.template[:4], whole.arm[:4], zeros
    )
    assert schedule.due_between(1.0, 2.0) == 2
    assert schedule.due_between(0.0, 10.0) == 4


def test_a_trace_is_replayed_after_a_warm_up_of_its_own_beginning() -> None:
    """All of it is measured, from the end of the warm-up on."""
    lines = tuple(
        TraceLine(at, "p", leave_after_s=0.5 if at == 1.0 else None) for at in (0.0, 1.0, 2.5)
    )
    schedule = trace_schedule(Trace(lines), 1.0, 2.0, 1, 1)
    assert list(schedule.due) == [0.0, 1.0, 2.0, 3.0, 4.5]
    assert list(schedule.template) == [0, 1, 0, 1, 2]
    assert list(schedule.leave_after) == [STAYS, 0.5, STAYS, 0.5, STAYS]


def test_a_trace_can_be_replayed_faster() -> None:
    """Twice the speed halves all times."""
    lines = tuple(TraceLine(at, "p") for at in (1.0, 3.0))
    assert list(trace_schedule(Trace(lines), 2.0, 0.0, 1, 1).due) == [0.5, 1.5]
