"""Tool calls, put together from the pieces in which they are streamed."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from pointsman_server.domain.messages import ToolCall

MAX_CALLS = 128
MAX_ARGUMENT_BYTES = 4 << 20


class ToolCallError(ValueError):
    """The pieces do not make calls, or too many; the text is safe to show."""


@dataclass(slots=True)
class _Call:
    call_id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ToolCallAssembler:
    """Collects the pieces of one answer's tool calls, bounded in number and in size."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, index: int | None, call_id: str, name: str, arguments: str) -> None:
        """Add a piece; everything but what it adds may be empty.

        Servers exist that give every call the index 0, or none: a piece with a new id begins a
        new call whatever its index is.

        Raises:
            ToolCallError: there are too many calls, or they are too long.
        """
        call = self._by_index.get(index) if index is not None else None
        if index is None and self._calls and not call_id:
            call = self._calls[-1]
        if call is None or (call_id and call.call_id and call_id != call.call_id):
            call = _Call()
            self._calls.append(call)
            if index is not None:
                self._by_index[index] = call
        call.call_id = call.call_id or call_id
        call.name = call.name or name
        if arguments:
            call.arguments.append(arguments)
        # Pieces count too: each is a list entry, however short it is.
        self._size += len(arguments) + 1
        if len(self._calls) > MAX_CALLS or self._size > MAX_ARGUMENT_BYTES:
            raise ToolCallError("the model's tool calls are too many or too long")

    def calls(self, *, cut_off: bool) -> list[ToolCall]:
        """Return the calls in the order in which they began.

        ``cut_off`` says that the answer ended at its bound: a call whose arguments are then not
        JSON was not finished, and is left out.

        Raises:
            ToolCallError: a call has no name.
        """
        found: list[ToolCall] = []
        for number, call in enumerate(self._calls):
            # No arguments at all is how a tool without parameters is called.
            arguments = "".join(call.arguments) or "{}"
            if cut_off and not is_json(arguments):
                continue
            if not call.name:
                raise ToolCallError("the model called a tool without a name")
            found.append(ToolCall(call.call_id or f"call_{number}", call.name, arguments))
        return found


def is_json(text: str) -> bool:
    """Tell whether ``text`` is one JSON value."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True
