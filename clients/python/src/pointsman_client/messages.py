"""Conversations: messages of the API, made from strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from pointsman.v1.message_pb2 import Message, Part, Role, ToolCall, ToolResult

Prompt: TypeAlias = str | Message | Sequence[Message]
"""What a call is about: the user's words, one message, or a conversation, oldest first."""


def system(text: str) -> Message:
    """Make the instructions that precede a conversation."""
    return Message(role=Role.ROLE_SYSTEM, parts=[Part(text=text)])


def user(text: str) -> Message:
    """Make what the person or program being served says."""
    return Message(role=Role.ROLE_USER, parts=[Part(text=text)])


def assistant(text: str, tool_calls: Iterable[ToolCall] = ()) -> Message:
    """Make what the model said, and the tools that it asked for."""
    parts = [Part(text=text)] if text else []
    parts.extend(Part(tool_call=call) for call in tool_calls)
    return Message(role=Role.ROLE_ASSISTANT, parts=parts)


def tool_result(call_id: str, text: str, *, is_error: bool = False) -> Message:
    """Make a tool's answer to the model's call ``call_id``."""
    result = ToolResult(call_id=call_id, text=text, is_error=is_error)
    return Message(role=Role.ROLE_TOOL, parts=[Part(tool_result=result)])


def conversation(prompt: Prompt, system_text: str | None = None) -> list[Message]:
    """Spell a prompt out as messages, ``system_text`` first."""
    before = [] if system_text is None else [system(system_text)]
    if isinstance(prompt, str):
        return [*before, user(prompt)]
    if isinstance(prompt, Message):
        return [*before, prompt]
    return [*before, *prompt]
