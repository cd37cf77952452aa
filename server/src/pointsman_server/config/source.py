"""A YAML file and the place of everything in it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from pointsman_server.config.errors import ConfigError, Problem

MAX_BYTES = 1024 * 1024

Location = Sequence[str | int]


class Source:
    """The parsed file. ``data`` is plain mappings, lists and scalars that remember their place."""

    def __init__(self, path: str, data: Any) -> None:
        self.path = path
        self.data = data

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read and parse ``path``.

        Raises:
            ConfigError: it cannot be read, or is not YAML.
        """
        name = str(path)
        try:
            raw = path.read_bytes()
        except OSError as error:
            mend = "give the right path with --config"
            problem = Problem(name, 1, 1, f"cannot be read: {error.strerror}", mend)
            raise ConfigError(problem) from None
        if len(raw) > MAX_BYTES:
            cause = f"has {len(raw)} bytes; the limit is {MAX_BYTES}"
            raise ConfigError(Problem(name, 1, 1, cause))
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise ConfigError(Problem(name, line, 1, "is not UTF-8")) from None
        return cls.parse(name, text)

    @classmethod
    def parse(cls, name: str, text: str) -> Source:
        """Parse ``text``.

        Raises:
            ConfigError: it is not YAML, or not a mapping.
        """
        try:
            data = YAML(typ="rt").load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            cause = (error.problem or "is not YAML").strip()
            mend = "remove one of the two" if isinstance(error, DuplicateKeyError) else ""
            raise ConfigError(Problem(name, line, column, cause.splitlines()[0], mend)) from None
        except (YAMLError, RecursionError) as error:
            cause = str(error).splitlines()[0] if str(error) else "is not YAML"
            raise ConfigError(Problem(name, 1, 1, cause)) from None
        if not isinstance(data, CommentedMap):
            mend = "start with 'version: 1'"
            raise ConfigError(Problem(name, 1, 1, "is not a mapping of settings", mend))
        return cls(name, data)

    def problem(self, location: Location, cause: str, mend: str = "") -> Problem:
        """A fault at ``location``, a path of keys and indexes such as ("models", "a", "tier")."""
        line, column = self._place(location)
        where = ".".join(map(str, location))
        return Problem(self.path, line, column, f"{where}: {cause}" if where else cause, mend)

    def _place(self, location: Location) -> tuple[int, int]:
        """Line and column of the value at ``location``, or of the nearest thing around it."""
        node, place = self.data, (1, 1)
        for step in location:
            if isinstance(node, CommentedMap) and step in node:
                # [key line, key column, value line, value column]; an error is read from its key
                key = node.lc.data[step]
                place = (key[0] + 1, key[1] + 1)
                node = node[step]
            elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
                item = node.lc.data[step]
                place = (item[0] + 1, item[1] + 1)
                node = node[step]
            else:
                break
        return place

    def explain(self, error: ValidationError, shape: type[BaseModel]) -> ConfigError:
        """Pydantic's complaints with their places, causes and mends."""
        problems = [self._explain(entry, shape) for entry in error.errors()]
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
            case _:
                return self.problem(location, str(entry["msg"]))


def _known_keys(shape: type[BaseModel], location: Location) -> list[str]:
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
