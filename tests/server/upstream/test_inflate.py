from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.upstream.errors import BadEncoding
from pointsman_server.upstream.inflate import MAX_PIECE_BYTES, Inflater

TEXT = b"data: hello\n\n" * 20_000
NOISE = random.Random(7).randbytes(150_000)


def pieces(inflater: Inflater, *parts: bytes) -> Iterator[bytes]:
    for part in parts:
        assert inflater.hungry
        inflater.feed(part)
        while piece := inflater.take():
            yield piece


@pytest.mark.parametrize("content", [TEXT, NOISE, b"", b"x", b"\x00" * MAX_PIECE_BYTES * 3])
@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_what_was_compressed_comes_out(
    encoding: str, compress: Callable[[bytes], bytes], content: bytes
) -> None:
    inflater = Inflater(encoding)
    assert b"".join(pieces(inflater, compress(content))) == content
    assert inflater.whole


@given(st.lists(st.integers(0, 3000), max_size=8))
def test_any_chunking_gives_the_same(cuts: list[int]) -> None:
    packed = gzip.compress(TEXT)
    edges = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    inflater = Inflater("gzip")
    parts = [packed[a:b] for a, b in pairwise(edges)]
    assert b"".join(pieces(inflater, *parts)) == TEXT
    assert inflater.whole


def test_members_that_were_compressed_one_by_one_are_one_body() -> None:
    members = [gzip.compress(b"one"), gzip.compress(TEXT), gzip.compress(b"three")]
    for parts in (members, [b"".join(members)]):
        inflater = Inflater("gzip")
        assert b"".join(pieces(inflater, *parts)) == b"one" + TEXT + b"three"
        assert inflater.whole


def test_a_bomb_comes_out_in_pieces_and_costs_no_more_than_one() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    inflater = Inflater("gzip")
    tracemalloc.start()
    sizes = [len(piece) for piece in pieces(inflater, bomb)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= MAX_PIECE_BYTES
    assert peak < 1 << 20


def test_a_body_that_is_empty_is_whole() -> None:
    assert Inflater("gzip").whole


@pytest.mark.parametrize("at", [1, 5, 10, 100, -9, -1])
def test_a_body_that_is_cut_is_not_whole(at: int) -> None:
    inflater = Inflater("gzip")
    assert TEXT.startswith(b"".join(pieces(inflater, gzip.compress(TEXT)[:at])))
    assert not inflater.whole


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("gzip", b"this is not gzip"),
        ("gzip", gzip.compress(TEXT)[:-8] + b"12345678"),
        ("gzip", gzip.compress(TEXT) + b"garbage"),
        ("deflate", zlib.compress(TEXT) + zlib.compress(b"more")),
    ],
)
def test_what_is_corrupt_is_said_to_be(encoding: str, sent: bytes) -> None:
    with pytest.raises(BadEncoding):
        list(pieces(Inflater(encoding), sent))


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", ""])
def test_another_encoding_was_not_asked_for(encoding: str) -> None:
    with pytest.raises(BadEncoding, match="not asked for"):
        Inflater(encoding)
