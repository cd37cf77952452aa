"""A YAML document as plain values, and the place of each of them.

Values are built here from the parser's nodes rather than by the parser's own constructors: these
repeat values, and so secrets, in what they say of a key that is written twice, they know no place
for what came by an alias, and a scalar that is not what its tag says makes them fail in ways of
their own.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

MAX_DEPTH = 32
MAX_VALUES = 100_000

Location = Sequence[str | int]

_TAG = "tag:yaml.org,2002:"
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_BASES = {"0x": 16, "0o": 8, "0b": 2}
_TOO_DEEP = f"is nested more than {MAX_DEPTH} deep"
_UNKNOWN_TAG = ("a tag (!) that is not known", "put quotes around text that begins with !")
_EXPLAINED = {
    # a secret that begins with * or ! looks like an alias or a tag
    "undefined alias": (
        "an alias (*) to an anchor (&) that is not there",
        "put quotes around text that begins with *",
    ),
    "tag handle": _UNKNOWN_TAG,
    "maximum depth": (_TOO_DEEP, ""),
    "'\\t'": ("a tab where there can be none", "indent with spaces"),
    "another document": ("a second document", "remove the line '---' and what follows it"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a document; ``line`` and ``column`` count from 1."""

    line: int
    column: int
    cause: str
    mend: str = ""


class DocumentError(Exception):
    """A document that cannot be read."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(f.cause for f in faults))


class Document:
    """A mapping: ``data`` is made of dicts, lists, text, numbers, booleans and ``None``."""

    def __init__(self, text: str) -> None:
        """Parse ``text``.

        Raises:
            DocumentError: it is not YAML, not a mapping, or says more than a configuration can.
        """
        root = _compose(text)
        if not isinstance(root, MappingNode):
            raise DocumentError(Fault(1, 1, "is not a mapping of settings", "begin: 'version: 1'"))
        builder = _Builder()
        if builder.size(root) > MAX_VALUES:
            cause = f"has over {MAX_VALUES} values, with what its aliases (*) stand for"
            raise DocumentError(Fault(1, 1, cause))
        if builder.faults:
            raise DocumentError(*builder.faults)
        self.data: dict[str, Any] = builder.value(root)
        if builder.faults:
            raise DocumentError(*builder.faults)
        self._root: Node = root

    def place(self, location: Location) -> tuple[int, int]:
        """Line and column of the key or item at ``location``, or of the nearest thing around it."""
        node, place = self._root, (1, 1)
        for step in location:
            if isinstance(node, MappingNode):
                entry = _entries(node).get(str(step))
                if entry is None:
                    break
                key, node = entry  # what is wrong with a setting is read from its key
                place = _place(key)
            elif isinstance(node, SequenceNode) and step in range(len(node.value)):
                node = node.value[int(step)]
                place = _place(node)
            else:
                break
        return place


def _compose(text: str) -> Any:
    parser = YAML(typ="safe", pure=True)
    parser.max_depth = MAX_DEPTH
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)  # the later one counts
            return parser.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise DocumentError(Fault(line, column, *_explained(error.problem))) from None
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise DocumentError(Fault(line, column, "a character that YAML does not take")) from None
    except (YAMLError, RecursionError, ValueError, AssertionError) as error:
        raise DocumentError(Fault(1, 1, *_explained(str(error)))) from None


def _explained(said: str | None) -> tuple[str, str]:
    """Cause and mend of what the parser said; no name out of the document is repeated."""
    cause = (said or "").strip().partition("\n")[0]
    for part, explained in _EXPLAINED.items():
        if part in cause:
            return explained
    return cause or "is not YAML", ""


class _Builder:
    """Values out of nodes; what aliases stand for is built once, so that they multiply nothing."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._sizes: dict[int, int] = {}
        self._values: dict[int, Any] = {}

    def size(self, node: Node, depth: int = 0) -> int:
        """How many values ``node`` stands for once every alias is written out."""
        known = self._sizes.get(id(node))
        if known is None and depth > MAX_DEPTH:  # by aliases; the parser bounds what is written
            self._note(node, _TOO_DEEP)
            return 0
        if known is None:
            if not str(node.tag).startswith(_TAG):
                self._note(node, *_UNKNOWN_TAG)
            self._sizes[id(node)] = -1  # under way
            known = 1 + sum(self.size(n, depth + 1) for n in _children(node))
            self._sizes[id(node)] = known
        elif known < 0:
            self._note(node, "an alias (*) stands inside of what it refers to")
            return 0
        return known

    def value(self, node: Node) -> Any:
        """The value of ``node``."""
        if isinstance(node, ScalarNode):
            return _scalar(node)
        if id(node) not in self._values:
            if isinstance(node, MappingNode):
                self._values[id(node)] = self._mapping(node)
            else:
                self._values[id(node)] = [self.value(n) for n in _children(node)]
        return self._values[id(node)]

    def _mapping(self, node: MappingNode) -> dict[str, Any]:
        seen: set[str] = set()
        for key, value in node.value:
            if _is_merge(key) and not all(isinstance(n, MappingNode) for n in _merged(value)):
                self._note(key, "'<<' takes a mapping, or a list of them")
            elif not isinstance(key, ScalarNode):
                self._note(key, "a key is text, not a list or a mapping")
            elif key.value in seen:
                self._note(key, f"{key.value!r} is written twice", "remove one of the two")
            else:
                seen.add(key.value)
        return {name: self.value(value) for name, (_, value) in _entries(node).items()}

    def _note(self, node: Node, cause: str, mend: str = "") -> None:
        self.faults.append(Fault(*_place(node), cause, mend))


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [n for pair in node.value for n in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _entries(node: MappingNode) -> dict[str, tuple[Node, Node]]:
    """Key and value nodes by name: those that are written, and then those that are merged in."""
    entries: dict[str, tuple[Node, Node]] = {
        k.value: (k, v) for k, v in node.value if isinstance(k, ScalarNode)
    }
    for key, value in node.value:
        if _is_merge(key):
            del entries[key.value]
            for other in _merged(value):
                if isinstance(other, MappingNode):
                    entries = {**_entries(other), **entries}
    return entries


def _is_merge(key: Node) -> bool:
    return isinstance(key, ScalarNode) and str(key.tag) == f"{_TAG}merge"


def _merged(value: Node) -> list[Node]:
    return list(value.value) if isinstance(value, SequenceNode) else [value]


def _scalar(node: ScalarNode) -> str | int | float | bool | None:
    """What the scalar says it is, or its text where it is not."""
    text: str = node.value
    plain = text.replace("_", "").lower()
    try:
        match str(node.tag).removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return _BOOLEANS.get(plain, text)
            case "int":
                return int(plain, _BASES.get(plain.lstrip("+-")[:2], 10))
            case "float":
                return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        pass
    return text


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
