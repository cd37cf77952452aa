"""JSON that providers send and callers embed, decoded strictly in shape and leniently in text."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from pointsman_server.domain.attempts import Failure, FailureKind
from pointsman_server.providers.base import ProviderError

T = TypeVar("T")

ABSENT = (b"", b"null")
"""What a `msgspec.Raw` field holds where the object had no such member, or a null one."""

_SURROGATES = re.compile(
    rb"\\\\"  # an escaped backslash, so that what follows it is not taken for an escape
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"  # half of one
)


def decode(decoder: msgspec.json.Decoder[T], data: bytes) -> T | None:
    """Decode ``data`` as the decoder's type; ``None`` where it is not that.

    Half a surrogate pair becomes U+FFFD: servers that cut text between UTF-16 units send those,
    and one lost emoji is better than a lost answer.
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        if b"\\u" not in data:
            return None
    try:
        return decoder.decode(_SURROGATES.sub(_whole_pairs, data))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _whole_pairs(match: re.Match[bytes]) -> bytes:
    found = match[0]
    return b"\\ufffd" if len(found) == 6 else found


def embedded_object(text: str, what: str) -> msgspec.Raw:
    """Make ``text``, a JSON object, ready to be part of a request body.

    Raises:
        ProviderError: REJECTED, it is not a JSON object; ``what`` names it in the message.
    """
    try:
        valid = isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        valid = False
    if not valid:
        raise ProviderError(Failure(FailureKind.REJECTED, f"{what} is not a JSON object"))
    return msgspec.Raw(text.encode())
