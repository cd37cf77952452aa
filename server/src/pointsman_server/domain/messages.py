"""Conversation content: what callers send and models produce."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who wrote a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's request to invoke a tool. ``arguments_json`` is what the model wrote, unchecked."""

    call_id: str
    name: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the caller's tool returned for the call ``call_id``."""

    call_id: str
    text: str
    is_error: bool = False


Part = Text | ToolCall | ToolResult


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text in it: plain parts and tool results, in order."""
        return "\n".join(p.text for p in self.parts if isinstance(p, (Text, ToolResult)))

    @property
    def characters(self) -> int:
        """How long it is, tool calls included."""
        calls = (p for p in self.parts if isinstance(p, ToolCall))
        return len(self.text) + sum(len(c.name) + len(c.arguments_json) for c in calls)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that a model may ask the caller to invoke."""

    name: str
    description: str
    parameters_json_schema: str


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """How a model should generate. ``None`` leaves the choice to the policy, then the provider."""

    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop_sequences: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    response_json_schema: str | None = None
