"""Keys of providers' accounts: sent in a header, shown nowhere."""

from __future__ import annotations


class ApiKey:
    """A secret that does not appear in any ``repr`` or ``str`` of itself."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not value:
            raise ValueError("the API key is empty")
        if any(ord(char) < 0x20 or ord(char) == 0x7F for char in value):
            raise ValueError(
                "the API key contains a control character, such as the newline at a file's end"
            )
        if not value.isascii() or " " in value:
            raise ValueError("the API key contains a character that no API key has")
        self._value = value

    def reveal(self) -> str:
        """Return the key itself, for the header that carries it."""
        return self._value

    def within(self, text: str) -> bool:
        """Tell whether ``text`` holds the key, in whatever case."""
        return self._value.lower() in text.lower()

    def __repr__(self) -> str:
        return "ApiKey(...)"
