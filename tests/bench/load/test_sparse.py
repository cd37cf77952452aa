"""Counting latencies cheaply, in the histogram library's own layout."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pointsman_bench.results import HIGHEST_US, histogram, new_histogram, recorded
from pointsman_bench.sparse import Sparse, bucket

MICROSECONDS = st.integers(0, HIGHEST_US)


@given(st.lists(MICROSECONDS, max_size=50))
def test_what_comes_out_is_what_the_library_would_have_recorded(values: list[int]) -> None:
    """Bucket by bucket."""
    sparse, library = Sparse(), new_histogram()
    for value in values:
        sparse.record(value / 1e6)
        library.record_value(value)
    assert recorded(sparse.encode()) == recorded(library.encode().decode())


@given(st.lists(MICROSECONDS, min_size=1, max_size=50), st.sampled_from([0.0, 0.5, 0.99, 1.0]))
def test_quantiles_are_the_librarys(values: list[int], q: float) -> None:
    """So a verdict and a table never contradict each other."""
    sparse = Sparse()
    for value in values:
        sparse.record(value / 1e6)
    theirs = histogram(sparse.encode()).get_value_at_percentile(q * 100)
    ours = sparse.quantile(q)
    assert ours is not None
    assert bucket(round(ours * 1e6)) == bucket(theirs)


@given(MICROSECONDS)
def test_a_bucket_is_at_most_a_thousandth_wide(value: int) -> None:
    """Three significant digits."""
    low = bucket(value)
    assert 0 <= value - low <= value / 1000


@given(st.lists(MICROSECONDS, max_size=30), st.lists(MICROSECONDS, max_size=30))
def test_adding_is_counting_together(one: list[int], other: list[int]) -> None:
    """In either order."""
    parts, whole = [Sparse(), Sparse()], Sparse()
    for part, values in zip(parts, (one, other), strict=True):
        for value in values:
            part.record(value / 1e6)
            whole.record(value / 1e6)
    parts[0].add(parts[1])
    assert parts[0].counts == whole.counts
    assert whole.total == len(one) + len(other)


def test_what_is_out_of_range_is_counted_at_its_end() -> None:
    """Nothing gets lost."""
    sparse = Sparse()
    sparse.record(-1.0)
    sparse.record(3600.0)
    assert sorted(sparse.counts) == [0, bucket(HIGHEST_US)]


def test_nothing_recorded_has_no_quantile() -> None:
    """None rather than a number that was not measured."""
    assert Sparse().quantile(0.5) is None
