"""Counting an answer's tokens: by patterns in its bytes, and by reading it.

The upstreams of these benches send one word and a space for each token: however a server joins
tokens, the words stay. Patterns are several times cheaper than reading and right nearly always. So
each call is counted by them; where the number is not the expected one, and for every so many calls
anyway, the answer is read in full, and that counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

import msgspec
from google.protobuf.message import DecodeError
from pointsman.v1.router_service_pb2 import CompleteResponse, GenerateResponse

_PREFIX = 5  # of a gRPC message: whether it is compressed, and its length

# ContentDelta in CompletionEvent (field 13) that begins with text (field 2): tag, length, tag,
# length, the text. Lengths of up to two bytes; what follows the text is never a printable byte.
_LENGTH = rb"(?:[\x01-\x7f]|[\x80-\xff][\x01-\x7f])"
_DELTA = re.compile(rb"\x6a" + _LENGTH + rb"\x12" + _LENGTH + rb"([ -~]+)")
_TEXTS = (b'"content":"', b'"content": "')
"""How a delta's text begins, in the two ways in which JSON is written."""
_DONE = b"data: [DONE]"


class AnswerError(Exception):
    """An answer is not whole; ``str()`` says what is wrong with it."""


class Answers(Protocol):
    """How answers of one kind are counted."""

    def glance(self, piece: bytes) -> int:
        """About how many tokens these bytes of an answer hold."""

    def read(self, pieces: list[bytes]) -> int:
        """How many tokens a whole answer has.

        Raises:
            AnswerError: it is not whole.
        """


def words(text: str) -> int:
    """How many tokens a text is of, where each token is a word."""
    return len(text.split())


def grpc_messages(pieces: list[bytes]) -> Iterator[bytes]:
    """The messages of a stream's DATA.

    Raises:
        AnswerError: the last one is cut off, or one is compressed.
    """
    data = b"".join(pieces)
    at = 0
    while at < len(data):
        if data[at]:
            raise AnswerError("a compressed message, which was not asked for")
        size = int.from_bytes(data[at + 1 : at + _PREFIX])
        message = data[at + _PREFIX : at + _PREFIX + size]
        at += _PREFIX + size
        if at > len(data):
            raise AnswerError("the last message is cut off")
        yield message


class Completions:
    """Streams of CompleteResponse; ``completed`` if the last event must be `Completed`."""

    def __init__(self, *, completed: bool = True) -> None:
        self._completed = completed

    def glance(self, piece: bytes) -> int:
        """The spaces in deltas, which are found by their tags."""
        return b"".join(_DELTA.findall(piece)).count(b" ")

    def read(self, pieces: list[bytes]) -> int:
        """The words of all deltas."""
        text, last = [], None
        for message in grpc_messages(pieces):
            try:
                response = CompleteResponse.FromString(message)
            except DecodeError:
                raise AnswerError("a message that is no CompleteResponse") from None
            for event in response.events:
                last = event.WhichOneof("event")
                if last == "delta":
                    text.append(event.delta.text)
        if self._completed and last != "completed":
            raise AnswerError(f"the last event is {last or 'missing'}, not completed")
        return words("".join(text))


class Generations:
    """One GenerateResponse."""

    def glance(self, piece: bytes) -> int:
        """Nothing: an answer that comes whole is cheaply read."""
        return 0

    def read(self, pieces: list[bytes]) -> int:
        """The words of its text."""
        messages = list(grpc_messages(pieces))
        if len(messages) != 1:
            raise AnswerError(f"{len(messages)} messages in a unary answer")
        try:
            return words(GenerateResponse.FromString(messages[0]).text)
        except DecodeError:
            raise AnswerError("a message that is no GenerateResponse") from None


class _Text(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Text = msgspec.field(default_factory=_Text)
    message: _Text = msgspec.field(default_factory=_Text)


class _Body(msgspec.Struct):
    choices: list[_Choice]


_BODY = msgspec.json.Decoder(_Body)


def _choices(body: bytes) -> list[_Choice]:
    try:
        return _BODY.decode(body).choices
    except msgspec.MsgspecError as error:
        raise AnswerError(f"a body that is none of a chat completion: {error}") from None


class EventStreams:
    """Server-sent events of chat.completion.chunk."""

    def glance(self, piece: bytes) -> int:
        """The deltas with text, by their JSON."""
        return sum(piece.count(text) - piece.count(text + b'"') for text in _TEXTS)

    def read(self, pieces: list[bytes]) -> int:
        """The words of all deltas."""
        text, done = [], False
        for line in b"".join(pieces).splitlines():
            if line.startswith(_DONE):
                done = True
            elif line.startswith(b"data:"):
                text += [choice.delta.content or "" for choice in _choices(line[5:])]
        if not done:
            raise AnswerError("the stream ended without data: [DONE]")
        return words("".join(text))


class Bodies:
    """One JSON chat.completion."""

    def glance(self, piece: bytes) -> int:
        """Nothing: an answer that comes whole is cheaply read."""
        return 0

    def read(self, pieces: list[bytes]) -> int:
        """The words of its message."""
        return words("".join(c.message.content or "" for c in _choices(b"".join(pieces))))
