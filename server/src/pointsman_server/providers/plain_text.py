"""Reads those events of a stream that differ from an earlier one in nothing but their text.

Nearly all events of an answer do: the same JSON around one more piece of text. Once one of them has
been parsed, what lies before and after its text is known, and the next that begins and ends alike
needs no parsing: JSON with another string in the place of a string says the same with that string.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

MAX_LESSONS = 4
"""How often a stream may turn out to be different before its events are all parsed."""

_PROBE = "probe"


class PlainTextReader:
    """What lies around the text of one stream's events, once it is known.

    ``only_text`` parses an event: its text, where it has no other effect; else ``None``.
    """

    def __init__(self, only_text: Callable[[bytes], str | None]) -> None:
        self._only_text = only_text
        self._head = b""
        self._tail = b""
        self._lessons = 0

    @property
    def knows(self) -> bool:
        """Whether anything has been learned."""
        return bool(self._head)

    def read(self, event: bytes) -> str | None:
        """The event's text, without parsing it; ``None`` where it has to be parsed."""
        head, tail = self._head, self._tail
        if not (head and event.startswith(head) and event.endswith(tail)):
            return None
        try:
            # an event shorter than both gives what is refused below: an empty text
            text = event[len(head) : len(event) - len(tail)].decode()
        except UnicodeDecodeError:
            return None
        return text if _is_literal(text) else None

    def read_run(self, events: Sequence[bytes]) -> tuple[str, int]:
        """The text of the events up to the last that looks alike, and how many those are.

        All at once, which costs a tenth of reading them one by one; none where any of them has to
        be parsed. To be asked where something `knows`.
        """
        head, tail = self._head, self._tail
        lines = b"\n".join(events)
        end = lines.rfind(tail)
        if not (lines.startswith(head) and end >= len(head)):
            return "", 0
        if lines[end + len(tail) : end + len(tail) + 1] not in (b"", b"\n"):
            return "", 0
        # what lies between two texts is the same everywhere: if anything else lay there, it would
        # have quotes in it, as all JSON that is not the inside of a string has
        pieces = lines[len(head) : end].split(tail + b"\n" + head)
        try:
            texts = [piece.decode() for piece in pieces]
        except UnicodeDecodeError:
            return "", 0
        text = "".join(texts)
        return (text, len(pieces)) if _is_literal(text) else ("", 0)

    def learn(self, event: bytes, text: str) -> None:
        """Take an event that was found to have this text as the pattern of those to come."""
        if self._lessons >= MAX_LESSONS or not _is_literal(text):
            return
        self._lessons += 1
        quoted = b'"%b"' % text.encode()
        if event.count(quoted) != 1:
            return
        head, _, tail = event.partition(quoted)
        # the event may have other effects, the same string have stood elsewhere, and the text have
        # been spelt with escapes
        if self._only_text(b'%b"%b"%b' % (head, _PROBE.encode(), tail)) == _PROBE:
            self._head, self._tail = head + b'"', b'"' + tail


def _is_literal(text: str) -> bool:
    """Whether a JSON string may hold ``text`` as it is, and only as it is."""
    return bool(text) and text.isprintable() and '"' not in text and "\\" not in text
