"""What follows from what a run is asked to do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman.v1.router_service_pb2 import CompleteRequest
from pointsman_bench.load.errors import UsageError
from pointsman_bench.load.options import LoadOptions, pins, prepare, trace_scenario
from pointsman_bench.load.trace import Trace, TraceLine
from pointsman_bench.results import Objective
from pointsman_bench.scenarios.prompts import ALL
from pointsman_bench.scenarios.table import (
    BUDGET_SQUEEZE,
    BURST,
    CANCEL_STORM,
    CHAT_MIXED,
    PROVIDER_OUTAGE,
    SCENARIOS,
    SLOW_TAIL,
)

TRACE = Trace(tuple(TraceLine(at, "p") for at in (0.0, 1.0, 4.0)))


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_can_be_run_as_it_stands_within_a_minute(name: str) -> None:
    """Its requests all have a template, and ten seconds are left for starting and ending."""
    prepared = prepare(LoadOptions(SCENARIOS[name]))
    assert prepared.warm_up_s + prepared.duration_s < 50
    assert len(prepared.schedule) > 100
    assert max(prepared.schedule.template) < len(prepared.templates)
    assert prepared.simulator is not None
    for template in prepared.templates:
        CompleteRequest.FromString(template.request)


def test_there_are_about_sixty_prompts_of_many_kinds_and_lengths() -> None:
    """All different, some short, some long."""
    assert len({prompt.text for prompt in ALL}) == len(ALL) >= 60
    assert len({prompt.kind for prompt in ALL}) >= 8
    lengths = sorted(len(prompt.text) for prompt in ALL)
    assert lengths[0] < 20
    assert lengths[-1] > 800


def test_the_outage_is_the_middle_third_of_whatever_is_measured() -> None:
    """For the simulator, and for who reads the result."""
    prepared = prepare(LoadOptions(PROVIDER_OUTAGE, duration_s=60.0))
    assert prepared.simulator is not None
    (change,) = prepared.simulator.changes
    assert (change.start_s, change.end_s) == pytest.approx((20.0, 40.0))
    assert set(change.models) == {"alder-mini", "alder-midi"}
    (phase,) = prepared.phases
    assert (phase.start_s, phase.end_s) == pytest.approx((20.0, 40.0))


def test_a_burst_is_ten_times_the_rate_in_its_phase() -> None:
    """Within chance."""
    prepared = prepare(LoadOptions(BURST, rate=50.0, duration_s=40.0, arrival="constant"))
    for phase in prepared.phases:
        start = prepared.warm_up_s + phase.start_s
        due = prepared.schedule.due_between(start, start + 4.0)
        assert due == pytest.approx(50 * 10 * 4, abs=2)
        assert prepared.schedule.due_between(start - 4.0, start) == pytest.approx(200, abs=2)


def test_a_running_server_has_no_outage() -> None:
    """Nor any phase, note or simulator that would say so."""
    prepared = prepare(LoadOptions(PROVIDER_OUTAGE, target="127.0.0.1:1"))
    assert prepared.simulator is None
    assert prepared.phases == ()
    assert any("Nothing was done to providers" in note for note in prepared.notes)


def test_an_ab_has_both_sides_and_says_what_they_share() -> None:
    """The baseline comes first, and every request says which side it is on."""
    prepared = prepare(LoadOptions(SLOW_TAIL, ab=True))
    assert [(arm.name, arm.hedging) for arm in prepared.arms] == [
        ("hedging off", False),
        ("hedging on", True),
    ]
    assert abs(int(prepared.schedule.arm.sum()) * 2 - len(prepared.schedule)) <= 1
    assert any("shared" in note for note in prepared.notes)


def test_only_capped_scenarios_are_checked_for_caps() -> None:
    """And what may be spent stands in the notes."""
    squeezed = prepare(LoadOptions(BUDGET_SQUEEZE))
    assert squeezed.capped
    assert any("at most 0.0004 USD" in note for note in squeezed.notes)
    assert not prepare(LoadOptions(CHAT_MIXED)).capped


def test_objectives_of_the_caller_replace_the_scenarios() -> None:
    """Also by none."""
    own = (Objective("ttft", 9.0),)
    assert prepare(LoadOptions(CHAT_MIXED, objectives=own)).objectives == own
    assert prepare(LoadOptions(CHAT_MIXED, objectives=())).objectives == ()
    assert prepare(LoadOptions(CHAT_MIXED)).objectives == CHAT_MIXED.objectives


def test_prompts_have_references_unless_they_are_to_repeat() -> None:
    """So that no cache serves more than it would in earnest."""
    assert prepare(LoadOptions(CHAT_MIXED, seed=7)).plan("t").reference == "7"
    repeated = prepare(LoadOptions(CHAT_MIXED, unique=False))
    assert repeated.plan("t").reference == ""
    assert any("Prompts repeat" in note for note in repeated.notes)


@given(st.floats(0.1, 30), st.sampled_from([0.5, 1.0, 2.0]))
def test_the_measured_time_is_whole_slices(duration: float, slice_s: float) -> None:
    """And never shorter than what was asked for."""
    prepared = prepare(
        LoadOptions(CHAT_MIXED, rate=1.0, duration_s=duration, slice_s=slice_s, warm_up_s=0.0)
    )
    slices = prepared.duration_s / slice_s
    assert slices == round(slices) >= 1
    assert prepared.duration_s >= duration - 1e-6
    assert prepared.duration_s < duration + slice_s


def test_a_trace_brings_its_own_times_and_prompts() -> None:
    """The measured time holds its last request."""
    options = LoadOptions(trace_scenario(CANCEL_STORM, "trace:x"), trace=TRACE, warm_up_s=0.0)
    prepared = prepare(options)
    assert prepared.duration_s == 5.0
    assert prepared.schedule.due_between(0.0, prepared.duration_s) == 3
    assert len(prepared.templates) == 3
    assert prepared.rate == pytest.approx(3 / 5)
    assert prepare(replace(options, speed=4.0)).duration_s == 2.0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"target": "a:1", "upstream": "http://b"}, "--target and --upstream"),
        ({"metrics": "http://b"}, "--metrics"),
        ({"upstream": "http://b"}, "--model"),
        ({"slice_s": 0.0}, "--slice"),
        ({"timeout_s": float("nan")}, "--timeout"),
        ({"duration_s": 0.0}, "--duration"),
        ({"rate": 0.0}, "--rate"),
        ({"trace": TRACE, "rate": 2.0}, "--speed"),
        ({"trace": TRACE, "speed": 0.0}, "--speed"),
    ],
)
def test_what_is_not_possible_is_refused_by_its_option(wrong: dict[str, object], says: str) -> None:
    """Before anything is started."""
    with pytest.raises(UsageError, match=says):
        prepare(replace(LoadOptions(CHAT_MIXED), **wrong))  # type: ignore[arg-type]


@given(st.sets(st.integers(0, 63), min_size=1, max_size=16), st.booleans())
def test_pinned_parts_use_cores_that_there_are(cores: set[int], simulated: bool) -> None:
    """Every part has at least one; from two on the server has one of its own."""
    each = pins(sorted(cores), simulated=simulated)
    for part in (each.server, each.simulator, each.generator):
        assert part
        assert set(part) <= cores
    if len(cores) > 1:
        assert not set(each.server) & {*each.simulator, *each.generator}
    if len(cores) > 2 and simulated:
        assert not set(each.simulator) & set(each.generator)
