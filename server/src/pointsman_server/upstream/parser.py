"""What a connection delivers, read as responses. No I/O; any chunking gives the same result.

httptools does the reading. Here is what it leaves open: which responses are the last word, where a
body ends that has no length, and how much may come without bringing the answer on.
"""

from __future__ import annotations

import httptools

from pointsman_server.upstream.errors import Interrupted, NotHttp

MAX_BARREN_BYTES = 1 << 16
"""How much may arrive in a row that is neither body nor the end: bounds heads and trailers."""

MAX_FIELDS = 256

Fields = list[tuple[bytes, bytes]]


class ResponseParser:
    """Reads one response at a time.

    ``pieces`` is the body as it came, for its reader to take away; ``status`` is zero until the
    head is whole, ``complete`` is true after the end of the body.
    """

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.status = 0
        self.fields: Fields = []
        self.keep_alive = False
        self.complete = False
        # The callbacks' names are httptools'. A piece of the body costs no call of Python's own.
        self.on_body = self.pieces.append
        self._incoming: Fields = []
        self._barren = 0
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        # RFC 9112, section 2.2, lets a recipient take a bare LF for a line's end, and old servers
        # pad the size of a chunk. Neither is a danger where one response belongs to one request.
        self._parser.set_dangerous_leniencies(
            lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    def reset(self) -> None:
        """Make ready for the next response, once this one is `complete`."""
        self.pieces.clear()
        self.status = 0
        self.complete = False
        self._incoming = []
        self._barren = 0

    def feed(self, data: bytes | memoryview) -> None:
        """Read what arrived.

        What comes after the end of the response is nobody's: the connection must not be kept.

        Raises:
            NotHttp: this is no HTTP/1.1 head, or too large a one.
            Interrupted: the body's framing is wrong.
        """
        if self.complete or self._parser is None:
            self.keep_alive = False
            return
        status, before = self.status, len(self.pieces)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.complete:
                raise self._broken() from None
            self.keep_alive = False
        if not status and self.status and len(data) > MAX_BARREN_BYTES:
            self._check_size()
        if len(self.pieces) != before:
            self._barren = 0
        elif not self.complete:
            self._barren += len(data)
            if self._barren > MAX_BARREN_BYTES:
                raise self._broken()

    def end(self) -> None:
        """Take note that the peer has closed, which is how a body without a length ends."""
        if self.status and not self.complete:
            names = {name.lower(): value.rstrip() for name, value in self.fields}
            chunked = names.get(b"transfer-encoding", b"").lower().endswith(b"chunked")
            self.complete = not chunked and b"content-length" not in names
        self.keep_alive = False

    def detach(self) -> None:
        """Read no more: frees what refers to this object as this one to it."""
        self._parser = None

    def on_message_begin(self) -> None:
        """Refuse a second response: nobody asked for it."""
        if self.complete:
            raise ValueError("a response that was not asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, or a trailer until the connection's next response."""
        if len(self._incoming) >= MAX_FIELDS:
            raise ValueError("too many headers")
        self._incoming.append((name, value))

    def on_headers_complete(self) -> None:
        """Take over the head, unless it is an interim one (RFC 9110, section 15.2)."""
        parser = self._parser
        if parser is None:
            return
        status = parser.get_status_code()
        if status >= 200:
            self.status = status
            self.keep_alive = parser.should_keep_alive()
            self.fields = self._incoming
        elif status < 100:
            raise ValueError("no status of HTTP's")
        self._incoming = []

    def on_message_complete(self) -> None:
        """Take note of the end."""
        self.complete = self.status > 0

    def _check_size(self) -> None:
        if sum(len(name) + len(value) for name, value in self.fields) > MAX_BARREN_BYTES:
            self.status, self.complete = 0, False
            self.pieces.clear()
            raise NotHttp

    def _broken(self) -> NotHttp | Interrupted:
        return Interrupted() if self.status else NotHttp()
