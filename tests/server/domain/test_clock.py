"""Identifiers."""

from __future__ import annotations

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain import clock


def test_version_and_variant() -> None:
    """An identifier is a UUID of version 7 and of the standard's variant, in canonical form."""
    for _ in range(200):
        text = clock.uuid7()
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert parsed.version == 7
        assert parsed.variant == uuid.RFC_4122


def test_it_begins_with_the_time() -> None:
    """Its first 48 bits are the Unix time in milliseconds."""
    before = time.time_ns() // 1_000_000
    stamp = uuid.UUID(clock.uuid7()).int >> 80
    assert before <= stamp <= time.time_ns() // 1_000_000


@given(st.tuples(st.integers(0, 2**48 - 1), st.integers(0, 2**48 - 1)))
def test_sorted_by_time(millis: tuple[int, int]) -> None:
    """As text, identifiers of different milliseconds are in the order of time."""
    with pytest.MonkeyPatch.context() as patch:
        made = []
        for ms in millis:
            patch.setattr(time, "time_ns", lambda ms=ms: ms * 1_000_000 + 999_999)
            made.append(clock.uuid7())
    if millis[0] != millis[1]:
        assert (made[0] < made[1]) == (millis[0] < millis[1])
    assert [uuid.UUID(m).int >> 80 for m in made] == list(millis)


def test_all_the_rest_is_random() -> None:
    """The other 74 bits take both values, and no two identifiers are equal."""
    seen = [uuid.UUID(clock.uuid7()).int for _ in range(200)]
    assert len(set(seen)) == 200
    fixed = (0xF << 76) | (0x3 << 62)
    random_bits = ((1 << 80) - 1) & ~fixed
    ones, zeros = 0, 0
    for value in seen:
        ones |= value
        zeros |= ~value
    assert ones & zeros & random_bits == random_bits
