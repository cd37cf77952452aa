"""Decompression in bounded steps, for servers that compress although they were asked not to."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

MAX_PIECE_BYTES = 1 << 16

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class InflateError(ValueError):
    """The body is not what its content encoding says, or in one that was not asked for."""


class Inflater:
    """Undoes gzip or deflate without ever holding more than one piece of the result."""

    def __init__(self, encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise InflateError("the body is compressed in a way that was not asked for")
        self._inner = zlib.decompressobj(_GZIP_OR_ZLIB)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give the pieces that ``data`` makes available, each of at most `MAX_PIECE_BYTES`.

        Raises:
            InflateError: the data is corrupt.
        """
        while not self._inner.eof:
            try:
                piece = self._inner.decompress(data, MAX_PIECE_BYTES)
            except zlib.error:
                raise InflateError("the body's compression is corrupt") from None
            if piece:
                yield piece
            data = self._inner.unconsumed_tail
            if not data and len(piece) < MAX_PIECE_BYTES:
                return
