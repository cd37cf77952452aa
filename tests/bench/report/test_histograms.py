"""Distributions out of encoded histograms."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from load_results import encoded
from pointsman_bench.report.histograms import Distribution, distribution, merged, of
from pointsman_bench.results import ResultFileError, new_histogram, recorded

SECONDS = st.lists(st.floats(1e-6, 500.0), min_size=1, max_size=60)


@settings(max_examples=20)  # walking over them one by one takes its time
@given(SECONDS)
def test_a_distribution_is_what_the_library_says_was_recorded(seconds: list[float]) -> None:
    """Reading counters at once gives just what walking over them one by one does."""
    text = encoded(seconds)
    found = distribution(text)
    pairs = [(int(v), int(c)) for v, c in zip(found.values, found.counts, strict=True)]
    assert pairs == recorded(text)


@given(SECONDS, st.floats(0.0, 1.0))
def test_a_quantile_is_an_observation(seconds: list[float], share: float) -> None:
    """At least that share lies at or below it, and less than that below it, to a bucket's width."""
    found = distribution(encoded(seconds)).quantile(share)
    rank = max(1, int(np.ceil(share * len(seconds) - 1e-9)))
    assert found == pytest.approx(sorted(seconds)[rank - 1], rel=0.0011, abs=1.1e-6)


@given(SECONDS, SECONDS)
def test_merging_is_recording_everything_into_one(a: list[float], b: list[float]) -> None:
    """The whole is the sum of its slices."""
    whole, parts = distribution(encoded(a + b)), [distribution(encoded(x)) for x in (a, b)]
    both = merged(parts)
    assert np.array_equal(both.values, whole.values)
    assert np.array_equal(both.counts, whole.counts)


def test_nothing_has_no_quantiles() -> None:
    """An empty distribution is not zero."""
    nothing = Distribution()
    assert (nothing.total, nothing.highest, nothing.quantile(0.5)) == (0, None, None)
    assert merged([nothing, nothing]).total == 0
    assert of({}, "ttft").total == 0


def test_a_quantile_with_few_beyond_is_not_steady() -> None:
    """Ten observations beyond it are asked for: p99 of a thousand is the first that is steady."""
    assert distribution(encoded([0.1] * 1000)).steady(0.99)
    assert not distribution(encoded([0.1] * 999)).steady(0.99)


def _repacked(inner: bytes) -> str:
    packed = zlib.compress(inner)
    cookie = base64.b64decode(encoded([0.1]))[:4]
    return base64.b64encode(cookie + struct.pack(">i", len(packed)) + packed).decode()


def _inner(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text)[8:])


def _other_layout() -> str:
    """A histogram of the library's, but from 1 to 1,000 with two digits."""
    return bytes(type(new_histogram())(1, 1000, 2).encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        "AAAA",
        encoded([0.1, 0.2])[:-8],
        _other_layout(),
        _repacked(_inner(encoded([0.1]))[:20]),
    ],
    ids=["empty", "no base64", "short", "cut off", "other layout", "no counters"],
)
def test_a_damaged_histogram_is_an_error_that_says_how_to_mend_it(text: str) -> None:
    """No string, whoever wrote it, is more than a `ResultFileError`."""
    with pytest.raises(ResultFileError, match="measure again"):
        distribution(text)


def test_no_histogram_unpacks_without_end() -> None:
    """A few kilobytes could become gigabytes: unpacking stops early."""
    with pytest.raises(ResultFileError, match="cut off or too large"):
        distribution(_repacked(_inner(encoded([0.1])) + b"\x02" * 2_000_000))


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_flipped_bytes_are_an_error_or_a_distribution(at: int, byte: int) -> None:
    """Damage is told, or harmless; it is never another exception."""
    raw = bytearray(_inner(encoded([0.1, 0.2, 3.0])))
    raw[at % len(raw)] = byte
    try:
        found = distribution(_repacked(bytes(raw)))
    except ResultFileError:
        return
    assert found.total >= 0
