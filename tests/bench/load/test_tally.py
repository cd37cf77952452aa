"""Counting by arm and slice, and adding up what processes counted."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.load.reading import LEFT, OK, Reading
from pointsman_bench.load.tally import SLOWEST, WARM_UP, Slicing, Tallies, Tally
from pointsman_bench.results import E2E, FAILURE, GAP, LAG, TTFT, Counts, Objective

OBJECTIVES = (Objective(TTFT, 0.5),)
REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(WARM_UP, 3),
        st.sampled_from([OK, "UNAVAILABLE", LEFT]),
        st.floats(0.01, 2),
    ),
    max_size=40,
)


def reading(status: str = OK, took_s: float = 0.3, due: float = 10.0) -> Reading:
    """A request that had text halfway."""
    one = Reading(due, due)
    one.decision_id = f"{due}"
    one.first_text = one.last_text = due + took_s / 2
    one.gaps = [0.01, 0.02]
    one.end(due + took_s, status)
    return one


def tallied(requests: list[tuple[int, int, str, float]]) -> Tallies:
    tallies = Tallies()
    for arm, slice_, status, took in requests:
        tallies.sent(arm, slice_, 0.001)
        tallies.ended(
            reading(status, took),
            arm=arm,
            slice_=slice_,
            kind="k",
            cap=None,
            objectives=OBJECTIVES,
            start=0.0,
        )
    return tallies


@given(REQUESTS, REQUESTS)
def test_what_two_processes_counted_adds_up(
    one: list[tuple[int, int, str, float]], other: list[tuple[int, int, str, float]]
) -> None:
    """To what one would have counted alone; also after being pickled."""
    together = tallied(one)
    together.add(pickle.loads(pickle.dumps(tallied(other))))
    alone = tallied(one + other)
    assert together.by_slice.keys() == alone.by_slice.keys()
    for key, tally in alone.by_slice.items():
        assert together.by_slice[key].counts == tally.counts
        mine = {m: s.counts for m, s in together.by_slice[key].latencies.items()}
        assert mine == {m: s.counts for m, s in tally.latencies.items()}
    for arm, slowest in alone.slowest.items():
        assert sorted(x[0] for x in together.slowest[arm]) == sorted(x[0] for x in slowest)


@given(REQUESTS)
def test_every_request_ends_in_exactly_one_way(
    requests: list[tuple[int, int, str, float]],
) -> None:
    """Sent = answered + failed + cancelled, slice by slice."""
    for tally in tallied(requests).by_slice.values():
        counts = tally.counts
        assert counts.sent == counts.answered + counts.failed + counts.cancelled
        assert counts.good <= counts.answered
        assert tally.latency(LAG).total == counts.sent
        assert tally.latency(E2E).total == counts.answered
        assert tally.latency(FAILURE).total == counts.failed
        assert tally.latency(GAP).total == 2 * counts.sent


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_counts_add_up_field_by_field(numbers: list[int]) -> None:
    """Numbers and mixes alike."""
    whole = Counts()
    for number in numbers:
        whole.add(Counts(sent=number, cost=2 * number, models={"a": number, f"b{number}": 1}))
    assert (whole.sent, whole.cost, whole.models["a"]) == (
        sum(numbers),
        2 * sum(numbers),
        sum(numbers),
    )
    assert whole.models.keys() == {"a", *(f"b{n}" for n in numbers)}


def test_only_whole_answers_within_the_objectives_are_good() -> None:
    """A failure that came soon is none."""
    tallies = tallied([(0, 0, OK, 0.9), (0, 0, OK, 1.1), (0, 0, "UNAVAILABLE", 0.1)])
    assert tallies.of(0, 0).counts.good == 1


def test_the_slowest_requests_are_kept_to_look_for() -> None:
    """The slowest of all that were measured, and no more than some; no warm-up, nobody who left."""
    tallies = tallied([(0, WARM_UP, OK, 50.0), (0, 0, LEFT, 40.0)])
    tallies.add(tallied([(0, 0, OK, 0.1 * i) for i in range(1, 2 * SLOWEST)]))
    tallies.add(tallied([(0, 1, "UNAVAILABLE", 9.0)]))
    took = sorted((x[0] for x in tallies.slowest[0]), reverse=True)
    assert len(took) == SLOWEST
    assert took[0] == pytest.approx(9.0)
    assert took[1] == pytest.approx(0.1 * (2 * SLOWEST - 1))
    slowest = max(tallies.slowest[0])[2]
    assert (slowest.outcome, slowest.e2e_s, slowest.ttft_s) == ("UNAVAILABLE", None, 4.5)


def test_requests_as_slow_as_each_other_can_be_kept() -> None:
    """They are never compared by anything but their time."""
    assert len(tallied([(0, 0, OK, 1.0)] * 50).slowest[0]) == SLOWEST


@pytest.mark.parametrize(
    ("due", "slice_"), [(0.0, WARM_UP), (1.999, WARM_UP), (2.0, 0), (2.499, 0), (2.5, 1), (9.9, 15)]
)
def test_slices_count_from_the_end_of_the_warm_up(due: float, slice_: int) -> None:
    """By when a request was due."""
    assert Slicing(2.0, 0.5).slice_of(due) == slice_


def test_an_empty_tally_has_no_histograms() -> None:
    """A result file says nothing of what was not measured."""
    assert Tally().encoded() == {}
