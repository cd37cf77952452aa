"""Decompression in bounded steps, for servers that compress although they were asked not to."""

from __future__ import annotations

import zlib

from pointsman_server.upstream.errors import BadEncoding

MAX_PIECE_BYTES = 1 << 16

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_STEP_BYTES = 1 << 14


class Inflater:
    """Undoes gzip or deflate without ever holding more than one piece of the result.

    Raises:
        BadEncoding: the encoding is another one.
    """

    def __init__(self, encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise BadEncoding("the body is compressed in a way that was not asked for")
        self._has_members = encoding != "deflate"
        self._member = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._input = memoryview(b"")
        self._more = False
        # A body that is empty is whole, although it holds no member.
        self._ended = True
        self._begun = False

    @property
    def hungry(self) -> bool:
        """Whether all that was fed has been used up."""
        return not self._more and not self._input

    @property
    def whole(self) -> bool:
        """Whether the body may end here."""
        return self.hungry and self._ended

    def feed(self, data: bytes) -> None:
        """Add input, once the inflater is `hungry`."""
        self._input = memoryview(data)

    def take(self) -> bytes:
        """Give the next piece, of at most `MAX_PIECE_BYTES`; empty where it takes more input.

        Raises:
            BadEncoding: the data is corrupt, or goes on after its end.
        """
        while not self.hungry:
            if self._ended:
                self._begin_member()
            step = self._member.unconsumed_tail
            if not self._more:
                # In small steps: what one leaves unused is copied, and a bomb's leaves almost all.
                step = bytes(self._input[:_STEP_BYTES])
                self._input = self._input[_STEP_BYTES:]
            try:
                piece = self._member.decompress(step, MAX_PIECE_BYTES)
            except zlib.error:
                raise BadEncoding("the body's compression is corrupt") from None
            # A full piece may have left output behind even where all the input is used.
            self._ended = self._member.eof
            self._more = not self._ended and len(piece) == MAX_PIECE_BYTES
            if self._member.unused_data:
                self._input = memoryview(self._member.unused_data + bytes(self._input))
            if piece:
                return piece
        return b""

    def _begin_member(self) -> None:
        # RFC 1952, section 2.2: a gzip file is a series of members.
        if self._begun:
            if not self._has_members:
                raise BadEncoding("the body goes on after the end of its compression")
            self._member = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._begun, self._ended = True, False
