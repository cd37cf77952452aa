"""Traces: a file that says when to send what.

One JSON object a line (JSONL); empty lines are skipped. Fields:

    at_s               required: when the request is due, seconds from the start of the trace
    prompt             required: the text of one user message
    kind               a label of your own for the result's mix; "trace" where it is missing
    models             names of the server's models of which one must answer
    max_output_tokens  a bound on the answer's length
    max_cost_usd       a bound on what the answer may cost
    leave_after_s      the client leaves so long after the request was due

Lines may come in any order. Unknown fields are refused, so that a misspelt one is not passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from pointsman_bench.load.errors import UsageError

MAX_LINES = 1_000_000
MAX_LINE_BYTES = 1 << 20

_Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class TraceLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request of a trace; the module's docstring says what its fields mean."""

    at_s: _Seconds
    prompt: Annotated[str, msgspec.Meta(min_length=1)]
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "trace"
    models: tuple[str, ...] = ()
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    max_cost_usd: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    leave_after_s: _Seconds | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace, by rising time."""

    lines: tuple[TraceLine, ...]

    @property
    def length_s(self) -> float:
        """When its last request is due."""
        return self.lines[-1].at_s


def read_trace(path: Path) -> Trace:
    """Read a trace.

    Raises:
        UsageError: the file cannot be read, or a line is wrong: which, and in which field.
    """
    try:
        with path.open("rb") as file:
            return parse_trace(file, str(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; give a JSONL file") from None


def parse_trace(lines: Iterable[bytes], name: str) -> Trace:
    """Parse the lines of a trace; ``name`` is for errors, which never repeat a prompt.

    Raises:
        UsageError: a line is wrong: which, and in which field.
    """
    decoder = msgspec.json.Decoder(TraceLine)
    found: list[TraceLine] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(line) > MAX_LINE_BYTES:
            raise UsageError(f"{name}:{number}: over {MAX_LINE_BYTES} bytes; shorten the prompt")
        if len(found) == MAX_LINES:
            raise UsageError(f"{name}: over {MAX_LINES} lines; split it")
        try:
            found.append(decoder.decode(line))
        except msgspec.MsgspecError as error:
            mend = 'a line is like {"at_s": 0.25, "prompt": "…"}'
            raise UsageError(f"{name}:{number}: {error}; {mend}") from None
        except UnicodeDecodeError:
            raise UsageError(f"{name}:{number}: is not UTF-8; save it as UTF-8") from None
    if not found:
        raise UsageError(f"{name}: has no requests; give at least one line")
    return Trace(tuple(sorted(found, key=lambda line: line.at_s)))
