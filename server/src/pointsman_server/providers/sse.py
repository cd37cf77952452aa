"""Server-sent events, decoded incrementally and without I/O.

Follows the event stream format of the WHATWG HTML standard (section 9.2): lines end with LF, CR
or CRLF, a blank line dispatches, ``id`` and ``retry`` mean nothing here. Data stays bytes, so that
a chunk may end inside a UTF-8 sequence and the JSON decoder reads the text only once.
"""

from __future__ import annotations

SseEvent = tuple[str, bytes]
"""The event's type, empty where the stream named none, and its data."""

DEFAULT_MAX_EVENT_BYTES = 1 << 20

_BOM = b"\xef\xbb\xbf"


class SseLimitExceeded(ValueError):
    """A line or an event grew past its bound; the decoder must not be fed again.

    ``events`` are those that the same chunk had completed before it.
    """

    def __init__(self, limit: int, events: list[SseEvent]) -> None:
        self.events = events
        super().__init__(f"an event is longer than {limit} bytes")


class SseDecoder:
    """Turns the bytes of one response into its events; any chunking gives the same ones.

    ``max_event_bytes`` bounds one line as well as all the data of one event.
    """

    def __init__(self, max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._partial: list[bytes] = []
        self._partial_size = 0
        self._after_cr = False
        self._at_start = True
        self._event = ""
        self._data: list[bytes] = []
        self._data_size = 0

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Return the events that ``chunk`` completes, in order.

        Raises:
            SseLimitExceeded: a line or an event is too long.
        """
        if self._after_cr and chunk:
            # The CR ended its line at once, so that CR-only streams are not held back; an LF that
            # follows it belongs to the same line end.
            self._after_cr = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._after_cr = chunk[-1] == 0x0D
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events: list[SseEvent] = []
        if self._at_start and not self._partial and len(chunk) >= len(_BOM):
            self._at_start = False
            chunk = chunk.removeprefix(_BOM)
        if not (self._partial or self._data or self._event or self._at_start):
            whole, end, rest = chunk.rpartition(b"\n\n")
            blocks = whole.split(b"\n\n")
            if end and self._one_line_each(whole, blocks):
                events = [("", block[6:]) for block in blocks]
                chunk = rest
        *lines, rest = chunk.split(b"\n")
        if lines:
            self._complete(lines, events)
        if rest:
            # Pieces are joined only once their line ends: many small chunks of one long line cost
            # no more than one large chunk.
            self._partial.append(rest)
            self._partial_size += len(rest)
            if self._partial_size > self._limit + len(b"data: "):
                raise SseLimitExceeded(self._limit, events)
        return events

    def _one_line_each(self, whole: bytes, blocks: list[bytes]) -> bool:
        """Whether these are events of one line of data each, as nearly all of an answer's are."""
        return (
            whole.startswith(b"data: ")
            and whole.count(b"\n") == 2 * (len(blocks) - 1)
            and whole.count(b"\n\ndata: ") == len(blocks) - 1
            and max(map(len, blocks)) <= self._limit
        )

    def end(self) -> list[SseEvent]:
        """Return the event that the end of the body completes, if any.

        The standard drops an event whose blank line never came. Servers exist that close right
        after their last line, so it is handed out: whether it is whole is for its reader to see.

        Raises:
            SseLimitExceeded: the event is too long.
        """
        events: list[SseEvent] = []
        self._complete([b"", b""], events)
        return events

    def _complete(self, lines: list[bytes], events: list[SseEvent]) -> None:
        """Add to ``events`` what these whole lines complete."""
        if self._partial:
            self._partial.append(lines[0])
            lines[0] = b"".join(self._partial)
            self._partial.clear()
            self._partial_size = 0
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        for line in lines:
            if line.startswith(b"data: "):
                self._add(line[6:], events)
            elif line:
                self._field(line, events)
            else:
                if self._data:
                    data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                    events.append((self._event, data))
                    self._data = []
                    self._data_size = 0
                self._event = ""

    def _field(self, line: bytes, events: list[SseEvent]) -> None:
        if len(line) > self._limit + len(b"data: "):
            raise SseLimitExceeded(self._limit, events)
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._add(value, events)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")

    def _add(self, value: bytes, events: list[SseEvent]) -> None:
        self._data_size += len(value)
        # Empty data lines count too: each is a list entry that somebody else decides to send.
        if self._data_size + len(self._data) > self._limit:
            raise SseLimitExceeded(self._limit, events)
        self._data.append(value)
