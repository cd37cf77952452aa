"""Bytes to messages, with an error that names the field where they are not valid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from pointsman_server.domain.errors import FieldViolation, InvalidRequest

M = TypeVar("M", bound=Message)

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 32
_MAX_VARINT_BYTES = 10
_MAX_FIELDS = 20_000
"""How many fields to look at for the one at fault: a refusal must not hold up the event loop."""


def parse(kind: type[M], data: bytes, max_bytes: int) -> M:
    """The message of type ``kind`` in ``data``.

    Raises:
        InvalidRequest: it is longer than ``max_bytes``, or not such a message. The violation names
            the field where that can be told, and "" (the whole message) where not.
    """
    if len(data) > max_bytes:
        problem = f"the request has {len(data)} bytes; the limit is {max_bytes}"
        raise InvalidRequest(FieldViolation("", problem))
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        path = _invalid_text(data, kind.DESCRIPTOR, 0, iter(range(_MAX_FIELDS)))
        if path is not None:
            raise InvalidRequest(FieldViolation(path, "is not valid UTF-8")) from None
        problem = f"the bytes are not a {kind.DESCRIPTOR.full_name}"
        raise InvalidRequest(FieldViolation("", problem)) from None
    return message


def _invalid_text(data: bytes, kind: Any, depth: int, looks: Iterator[int]) -> str | None:
    """The path of the first string field that is not UTF-8; ``None`` where none is found.

    Protobuf's own error does not say which field it was. Runs only on a message already refused.
    ``kind`` is a message descriptor, whose type differs between protobuf's implementations;
    ``looks`` yields once for each field that may still be looked at.
    """
    seen: dict[int, int] = {}
    for number, value in _length_delimited(data, looks):
        field = kind.fields_by_number.get(number)
        if field is None:
            continue
        index = seen.get(number, 0)
        seen[number] = index + 1
        name = f"{field.name}[{index}]" if field.is_repeated else field.name
        if field.type == FieldDescriptor.TYPE_STRING:
            try:
                value.decode()
            except UnicodeDecodeError:
                return name
        elif field.type == FieldDescriptor.TYPE_MESSAGE and depth < _MAX_DEPTH:
            inner = _invalid_text(value, field.message_type, depth + 1, looks)
            if inner is not None:
                return f"{name}.{inner}"
    return None


def _length_delimited(data: bytes, looks: Iterator[int]) -> Iterator[tuple[int, bytes]]:
    """The (field number, bytes) of each length-delimited field, until the end or nonsense."""
    position = 0
    while position < len(data) and next(looks, None) is not None:
        tag, position = _varint(data, position)
        wire_type = tag & 7
        if wire_type == _VARINT:
            _, position = _varint(data, position)
        elif wire_type == _FIXED64:
            position += 8
        elif wire_type == _FIXED32:
            position += 4
        elif wire_type == _BYTES:
            length, position = _varint(data, position)
            if position + length > len(data):
                return
            yield tag >> 3, data[position : position + length]
            position += length
        else:
            return


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """The varint at ``position`` and where it ends: at the end of ``data`` where it is none."""
    value = 0
    for i, byte in enumerate(data[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, position + i + 1
    return value, len(data)
