"""Cuts a text of any length down to what the classifier reads.

The cut is made in characters, before tokenizing, because tokenizing a long text costs more than
running the network on it. What a prompt asks for stands almost always at its beginning or its end,
around whatever document it carries, so the head and the tail are kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Window:
    """How much of a text is read.

    Attributes:
        head_chars: characters kept from the beginning when the text is too long.
        tail_chars: characters kept from the end when the text is too long.
        head_tokens: tokens kept from the beginning of what the characters gave.
        tail_tokens: tokens kept from the end of what the characters gave.
    """

    head_chars: int
    tail_chars: int
    head_tokens: int
    tail_tokens: int

    @property
    def chars(self) -> int:
        """The most characters that are ever tokenized (a newline joins head and tail)."""
        return self.head_chars + self.tail_chars + 1

    @property
    def tokens(self) -> int:
        """The most tokens that the network is ever given."""
        return self.head_tokens + self.tail_tokens


def cut_text(text: str, window: Window) -> str:
    """Head and tail of ``text``, joined by a newline; the whole text where it fits.

    Lone surrogates, which no tokenizer can encode, become U+FFFD.
    """
    if len(text) > window.chars:
        text = text[: window.head_chars] + "\n" + text[-window.tail_chars :]
    if not text.isascii():
        text = _LONE_SURROGATE.sub("\ufffd", text)
    return text


def cut_tokens(ids: list[int], window: Window) -> list[int]:
    """Head and tail of ``ids``; all of them where they fit."""
    if len(ids) <= window.tokens:
        return ids
    return ids[: window.head_tokens] + ids[len(ids) - window.tail_tokens :]
