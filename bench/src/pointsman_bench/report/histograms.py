"""Distributions out of encoded histograms, as arrays: merged, and asked for quantiles."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pointsman_bench.results import ResultFileError, histogram, new_histogram

Integers = NDArray[np.int64]
MICRO = 1e-6

ENOUGH_BEYOND = 10
"""A quantile with fewer observations beyond it is one or two requests' luck."""


def _none() -> Integers:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often which value was seen: ``values`` rise, in microseconds; ``counts`` belong to them.

    Values are the upper ends of a histogram's buckets, so quantiles err upwards, by 0.1 % at most.
    """

    values: Integers = field(default_factory=_none)
    counts: Integers = field(default_factory=_none)

    @property
    def total(self) -> int:
        """How many observations there are."""
        return int(self.counts.sum())

    @property
    def highest(self) -> float | None:
        """The largest value, in seconds; None without observations."""
        return float(self.values[-1]) * MICRO if len(self.values) else None

    def quantile(self, share: float) -> float | None:
        """The smallest value, in seconds, that at least ``share`` of the observations keep to.

        None without observations.
        """
        if not len(self.values):
            return None
        below = np.cumsum(self.counts)
        rank = max(1, int(np.ceil(share * below[-1] - 1e-9)))
        return float(self.values[np.searchsorted(below, rank)]) * MICRO

    def steady(self, share: float) -> bool:
        """Whether at least `ENOUGH_BEYOND` observations lie beyond the quantile."""
        return self.total * (1 - share) >= ENOUGH_BEYOND - 1e-9

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values in seconds, and the share of observations that are no larger than each."""
        return self.values.astype(np.float64) * MICRO, np.cumsum(self.counts) / max(1, self.total)


def distribution(encoded: str) -> Distribution:
    """Decode a histogram.

    Raises:
        ResultFileError: it is damaged.
    """
    try:
        _check(base64.b64decode(encoded, validate=True))
        found = histogram(encoded)
        counts = np.ctypeslib.as_array(found.counts).astype(np.int64)
    except (ValueError, TypeError, IndexError, struct.error, zlib.error) as error:
        raise ResultFileError(f"a histogram in the file is damaged ({error}): {_MEND}") from None
    if counts.min() < 0:
        raise ResultFileError(f"a histogram in the file has a count below 0: {_MEND}")
    used = np.flatnonzero(counts)
    return Distribution(_upper_ends()[used], counts[used])


_MEND = "measure again with `pointsman bench load`"
_OUTER = struct.Struct(">ii")
"""Cookie and length, before the compressed part."""
_LENGTH = slice(4, 8)
"""Where the inner header has the length of what follows it; the rest of it is the layout."""
_HEADER = 40
MAX_UNPACKED = 1024 * 1024
"""Five times what all counters of the layout take, so that no file unpacks without end."""


def _check(raw: bytes) -> None:
    """Whether it is a histogram of the layout that all of ours have.

    Raises:
        ValueError, struct.error, zlib.error: it is not.
    """
    cookie, length = _OUTER.unpack_from(raw)
    if (cookie, length) != (_layout()[0], len(raw) - _OUTER.size):
        raise ValueError("its length is wrong")
    unpacker = zlib.decompressobj()
    inner = unpacker.decompress(raw[_OUTER.size :], MAX_UNPACKED)
    if not unpacker.eof:
        raise ValueError("it is cut off or too large")
    if _without_length(inner) != _layout()[1]:
        raise ValueError("it has another layout")


def _without_length(inner: bytes) -> bytes:
    return inner[: _LENGTH.start] + inner[_LENGTH.stop : _HEADER]


@cache
def _layout() -> tuple[int, bytes]:
    """The outer cookie and the inner header of our own histograms."""
    raw = base64.b64decode(new_histogram().encode())
    cookie, _ = _OUTER.unpack_from(raw)
    return int(cookie), _without_length(zlib.decompress(raw[_OUTER.size :]))


@cache
def _upper_ends() -> Integers:
    """The largest value of each counter's bucket, in microseconds."""
    ours = new_histogram()
    lowest = (ours.get_value_from_index(n) for n in range(ours.counts_len))
    return np.array([ours.get_highest_equivalent_value(value) for value in lowest], np.int64)


def of(histograms: Mapping[str, str], metric: str) -> Distribution:
    """The distribution of a metric, empty where it has none.

    Raises:
        ResultFileError: it is damaged.
    """
    encoded = histograms.get(metric)
    return Distribution() if encoded is None else distribution(encoded)


def merged(parts: Iterable[Distribution]) -> Distribution:
    """All observations of all ``parts``."""
    listed = [part for part in parts if len(part.values)]
    if not listed:
        return Distribution()
    values = np.concatenate([part.values for part in listed])
    counts = np.concatenate([part.counts for part in listed])
    distinct, place = np.unique(values, return_inverse=True)
    total = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(total, place, counts)
    return Distribution(distinct, total)
