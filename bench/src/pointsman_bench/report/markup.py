"""HTML and SVG out of Python: elements whose text and attributes are always escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

VOID = frozenset({"meta", "br", "hr", "col", "rect", "line", "circle", "path", "polyline"})
"""Elements that are written without an end tag when they hold nothing."""


class Html(str):
    """Markup that is safe to put in a page as it stands; a plain ``str`` is text."""

    __slots__ = ()


_SPACES = "\n\t\u00a0\u2009\u202f"  # not printable to Python, but harmless

Attributes = Mapping[str, str | float]


def el(name: str, attributes: Attributes, *children: str) -> Html:
    """An element. Children that are no `Html` are text and get escaped.

    ``name`` and the names of attributes are the program's own, never somebody's input.
    """
    head = name + "".join(f' {key}="{_attribute(value)}"' for key, value in attributes.items())
    if not children and name in VOID:
        return Html(f"<{head}/>")
    return Html(f"<{head}>{join(children)}</{name}>")


def join(parts: Iterable[str]) -> Html:
    """Parts one after the other; those that are no `Html` get escaped."""
    return Html("".join(text(part) for part in parts))


def text(value: str) -> Html:
    """Text, escaped, and without characters that XML forbids; `Html` as it stands."""
    if isinstance(value, Html):
        return value
    return Html(escape(printable(value)))


def printable(value: str) -> str:
    """``value`` without control characters, which would move a cursor or break XML."""
    return "".join(c if c.isprintable() or c in _SPACES else "�" for c in value)


def _attribute(value: str | float) -> str:
    if isinstance(value, str):
        return text(str(value))
    return f"{value:.2f}".rstrip("0").rstrip(".")
