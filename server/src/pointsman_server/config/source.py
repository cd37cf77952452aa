"""A configuration file and the place of everything in it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pointsman_server.config.document import Document, DocumentError, Location
from pointsman_server.config.errors import ConfigError, Problem

MAX_BYTES = 256 * 1024
MAX_PROBLEMS = 50

_EXPECTED = {
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping",
    "float_type": "must be a number",
    "int_parsing_size": "is too large a number",
    "int_type": "must be a whole number",
    "invalid_key": "is not text, as a key must be",
    "list_type": "must be a list",
    "model_type": "must be a mapping of settings",
    "string_type": "must be text",
}


class Source:
    """The parsed file. ``data`` is plain mappings, lists and scalars."""

    def __init__(self, path: str, document: Document) -> None:
        self.path = path
        self.data = document.data
        self._document = document

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read and parse ``path``.

        Raises:
            ConfigError: it cannot be read, or is not YAML.
        """
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            mend = "give the right path with --config"
            raise ConfigError(Problem(str(path), 1, 1, f"cannot be read: {why}", mend)) from None
        return cls.decode(str(path), raw)

    @classmethod
    def decode(cls, name: str, raw: bytes) -> Source:
        """Parse what was read from the file called ``name``.

        Raises:
            ConfigError: it is too long, not UTF-8, not YAML, or not a mapping.
        """
        if len(raw) > MAX_BYTES:
            raise ConfigError(Problem(name, 1, 1, f"is longer than {MAX_BYTES} bytes"))
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            column = error.start - raw.rfind(b"\n", 0, error.start)
            raise ConfigError(Problem(name, line, column, "is not UTF-8")) from None
        return cls.parse(name, text)

    @classmethod
    def parse(cls, name: str, text: str) -> Source:
        """Parse ``text``.

        Raises:
            ConfigError: it is not YAML, or not a mapping.
        """
        try:
            return cls(name, Document(text))
        except DocumentError as error:
            problems = (Problem(name, f.line, f.column, f.cause, f.mend) for f in error.faults)
            raise ConfigError(*problems) from None

    def problem(self, location: Location, cause: str, mend: str = "") -> Problem:
        """A fault at ``location``, a path of keys and indexes such as ("models", "a", "tier")."""
        line, column = self._document.place(location)
        where = ".".join(map(str, location))
        return Problem(self.path, line, column, f"{where}: {cause}" if where else cause, mend)

    def explain(self, error: ValidationError, shape: type[BaseModel]) -> ConfigError:
        """Pydantic's complaints with their places, causes and mends."""
        entries = error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]
        problems = [self._explain(entry, shape) for entry in entries]
        return ConfigError(*dict.fromkeys(problems))

    def _explain(self, entry: Any, shape: type[BaseModel]) -> Problem:
        location: tuple[str | int, ...] = tuple(entry["loc"])
        match entry["type"]:
            case "extra_forbidden":
                known = _known_keys(shape, location[:-1])
                close = difflib.get_close_matches(str(location[-1]), known, n=1)
                mend = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
                return self.problem(location, "is not a setting", mend)
            case "missing":
                return self.problem(location, "is required")
            case "literal_error":
                expected = entry["ctx"]["expected"]
                return self.problem(location, f"must be {expected}")
            case "value_error":
                cause, _, mend = str(entry["ctx"]["error"]).partition("; ")
                return self.problem(location, cause, mend)
            case kind:
                said = str(entry["msg"]).replace("Input should be", "must be")
                return self.problem(location, _EXPECTED.get(kind, said))


def _known_keys(shape: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The settings that may stand at ``location`` of a file shaped like ``shape``."""
    current: Any = shape
    for step in location:
        field = current.model_fields.get(step) if _is_model(current) else None
        if field is not None:
            current = field.annotation
        if not _is_model(current):
            current = _model_inside(current)
        if current is None:
            return []
    return sorted(current.model_fields) if _is_model(current) else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _model_inside(kind: Any) -> Any:
    """The model class in an annotation such as dict[str, Model | None]."""
    for argument in getattr(kind, "__args__", ()):
        found = argument if _is_model(argument) else _model_inside(argument)
        if found is not None:
            return found
    return None
