"""Conversations: protobuf to domain and back, and what makes one well-formed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pointsman.v1 import message_pb2

from pointsman_server.api.names import ROLES
from pointsman_server.api.validate import Violations
from pointsman_server.domain.messages import Message, Part, Role, Text, ToolCall, ToolResult

MAX_MESSAGES = 4096
MAX_PARTS = 16_384
"""In all messages together."""

_PARTS_OF_ROLE: dict[Role, tuple[type, ...]] = {
    Role.SYSTEM: (Text,),
    Role.USER: (Text,),
    Role.ASSISTANT: (Text, ToolCall),
    Role.TOOL: (ToolResult,),
}


def to_messages(
    field: str, messages: Sequence[message_pb2.Message], violations: Violations
) -> tuple[Message, ...]:
    """Each message by itself; whether they make a conversation is `to_conversation`'s matter."""
    if not violations.count(field, len(messages), MAX_MESSAGES, "messages"):
        return ()
    if not violations.count(field, sum(len(m.parts) for m in messages), MAX_PARTS, "parts"):
        return ()
    converted = (
        _message(f"{field}[{i}]", message, violations) for i, message in enumerate(messages)
    )
    return tuple(m for m in converted if m is not None)


def to_conversation(
    field: str,
    messages: Sequence[message_pb2.Message],
    violations: Violations,
    history: Sequence[Message] = (),
) -> tuple[Message, ...]:
    """What a model is to answer, after ``history``, which is a beginning such as `to_history`'s."""
    noted = len(violations)
    converted = to_messages(field, messages, violations)
    if len(violations) == noted:  # else there are holes in it, which would be noted again
        _check_conversation(field, converted, history, violations)
    return converted


def to_history(
    field: str, messages: Sequence[message_pb2.Message], violations: Violations
) -> tuple[Message, ...]:
    """The beginning of a conversation; calls at its end may wait for their results."""
    noted = len(violations)
    converted = to_messages(field, messages, violations)
    open_calls: dict[str, str] = {}
    if len(violations) == noted and not _pair_calls(field, converted, open_calls, violations):
        _note_open(open_calls, violations)
    return converted


def _check_conversation(
    field: str, messages: Sequence[Message], history: Sequence[Message], violations: Violations
) -> None:
    if not messages:
        violations.add(field, "is required")
        return
    last = messages[-1]
    if last.role not in (Role.USER, Role.TOOL):
        problem = f"the last message is the {last.role.value}'s: there is nothing to answer"
        violations.add(f"{field}[{len(messages) - 1}].role", problem)
    elif last.role is Role.USER and not last.text.strip():
        violations.add(f"{field}[{len(messages) - 1}].parts", "the prompt is empty")
    open_calls: dict[str, str] = {}
    _pair_calls("", history, open_calls, Violations())
    open_calls = dict.fromkeys(open_calls, field)
    _pair_calls(field, messages, open_calls, violations)
    _note_open(open_calls, violations)


def _pair_calls(
    field: str, messages: Sequence[Message], open_calls: dict[str, str], violations: Violations
) -> bool:
    """Pair tool calls with results; whether no other message came before a result.

    ``open_calls`` has the path of each call that waits for its result, by its id.
    """
    for i, message in enumerate(messages):
        if open_calls and message.role is not Role.TOOL:
            return False
        for j, part in enumerate(message.parts):
            at = f"{field}[{i}].parts[{j}]"
            if isinstance(part, ToolCall):
                if part.call_id in open_calls:
                    violations.add(f"{at}.tool_call.call_id", f"{part.call_id!r} is used twice")
                open_calls[part.call_id] = f"{at}.tool_call.call_id"
            elif isinstance(part, ToolResult) and open_calls.pop(part.call_id, None) is None:
                problem = f"answers no tool call: {part.call_id!r} is not open here"
                violations.add(f"{at}.tool_result.call_id", problem)
    return True


def _note_open(open_calls: dict[str, str], violations: Violations) -> None:
    for call_id, at in open_calls.items():
        violations.add(at, f"the call {call_id!r} has no tool result after it")


def _message(field: str, message: message_pb2.Message, violations: Violations) -> Message | None:
    role = violations.enum(f"{field}.role", message.role, ROLES)
    if not message.parts:
        violations.add(f"{field}.parts", "is required")
    if role is None:
        return None
    parts: list[Part] = []
    for i, part in enumerate(message.parts):
        converted = _part(f"{field}.parts[{i}]", part, violations)
        if converted is None:
            continue
        if not isinstance(converted, _PARTS_OF_ROLE[role]):
            kind = part.WhichOneof("content")
            violations.add(f"{field}.parts[{i}].{kind}", f"cannot stand in a {role.value} message")
        parts.append(converted)
    return Message(role, tuple(parts))


def _part(field: str, part: message_pb2.Part, violations: Violations) -> Part | None:
    match part.WhichOneof("content"):
        case "text":
            return Text(part.text)
        case "tool_call":
            call = part.tool_call
            _required(f"{field}.tool_call.call_id", call.call_id, violations)
            _required(f"{field}.tool_call.name", call.name, violations)
            # not checked: it is what a model wrote, and callers give back what they were given
            return ToolCall(call.call_id, call.name, call.arguments_json)
        case "tool_result":
            result = part.tool_result
            _required(f"{field}.tool_result.call_id", result.call_id, violations)
            return ToolResult(result.call_id, result.text, result.is_error)
        case _:
            violations.add(field, "is empty, or a kind of content that this server does not know")
            return None


def _required(field: str, value: str, violations: Violations) -> None:
    if not value:
        violations.add(field, "is required")


def to_tool_call_pb(call: ToolCall) -> message_pb2.ToolCall:
    """A tool call for the wire."""
    return message_pb2.ToolCall(
        call_id=call.call_id, name=call.name, arguments_json=call.arguments_json
    )


def answer_message(text: Iterable[str], calls: Iterable[ToolCall]) -> Message | None:
    """What the assistant said, as a message; ``None`` where it said nothing."""
    said = "".join(text)
    parts: tuple[Part, ...] = ((Text(said),) if said else ()) + tuple(calls)
    return Message(Role.ASSISTANT, parts) if parts else None


def recent(history: Sequence[Message], max_characters: int) -> tuple[Message, ...]:
    """As much of the end of ``history`` as fits, after the system messages that it begins with.

    It is cut before a user's message, so that no tool result loses its call; the last of these and
    what follows it are kept in any case.
    """
    excess = sum(m.characters for m in history) - max_characters
    if excess <= 0:
        return tuple(history)
    begin = next((i for i, m in enumerate(history) if m.role is not Role.SYSTEM), len(history))
    head, rest = history[:begin], history[begin:]
    cut = 0
    for i, message in enumerate(rest):
        if message.role is Role.USER:
            cut = i
            if excess <= 0:
                break
        excess -= message.characters
    return (*head, *rest[cut:])
