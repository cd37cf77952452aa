"""A `ModelCall` as the body of a chat-completions request."""

from __future__ import annotations

from typing import Literal

import msgspec

from pointsman_server.domain.messages import Message, Role, Text, Tool, ToolCall, ToolResult
from pointsman_server.providers.base import ModelCall
from pointsman_server.providers.wire import embedded_object

MaxTokensField = Literal["max_tokens", "max_completion_tokens"]

RESPONSE_SCHEMA_NAME = "response"

_NO_PARAMETERS = '{"type":"object","properties":{}}'


class _CalledFunction(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct):
    id: str
    function: _CalledFunction
    type: str = "function"


class _TextMessage(msgspec.Struct):
    role: str
    content: str


class _AssistantMessage(msgspec.Struct):
    # ``content`` is said even where it is null: some servers' chat templates need it.
    content: str | None
    tool_calls: list[_Call]
    role: str = "assistant"


class _ToolMessage(msgspec.Struct):
    tool_call_id: str
    content: str
    role: str = "tool"


_WireMessage = _TextMessage | _AssistantMessage | _ToolMessage


class _Function(msgspec.Struct):
    name: str
    description: str
    parameters: msgspec.Raw


class _Tool(msgspec.Struct):
    function: _Function
    type: str = "function"


class _Schema(msgspec.Struct):
    name: str
    schema: msgspec.Raw


class _ResponseFormat(msgspec.Struct):
    json_schema: _Schema
    type: str = "json_schema"


class _StreamOptions(msgspec.Struct):
    include_usage: bool


class _Body(msgspec.Struct, omit_defaults=True):
    model: str
    messages: list[_WireMessage]
    stream: bool
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: list[str] | None = None
    tools: list[_Tool] | None = None
    response_format: _ResponseFormat | None = None


def chat_completion_request(
    call: ModelCall, *, max_tokens_field: MaxTokensField, ask_for_usage: bool
) -> bytes:
    """Write the body that asks for ``call``, streamed: only a streamed call can be cancelled.

    Raises:
        ProviderError: REJECTED, a schema is not a JSON object.
    """
    options = call.generation
    bound = call.max_output_tokens
    schema = options.response_json_schema
    body = _Body(
        model=call.model.provider_model,
        messages=[wire for message in call.messages for wire in _messages(message)],
        stream=True,
        stream_options=_StreamOptions(include_usage=True) if ask_for_usage else None,
        max_tokens=bound if max_tokens_field == "max_tokens" else None,
        max_completion_tokens=bound if max_tokens_field == "max_completion_tokens" else None,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
        stop=list(options.stop_sequences) or None,
        tools=[_tool(tool) for tool in options.tools] or None,
        response_format=None if schema is None else _response_format(schema),
    )
    return msgspec.json.encode(body)


def _messages(message: Message) -> list[_WireMessage]:
    """Split a message as the wire wants it: each tool result is a message of its own there."""
    wire: list[_WireMessage] = [
        _ToolMessage(tool_call_id=part.call_id, content=part.text)
        for part in message.parts
        if isinstance(part, ToolResult)
    ]
    texts = [part.text for part in message.parts if isinstance(part, Text)]
    calls = [
        # Servers exist that decode the arguments for their chat template: never an empty string.
        _Call(id=part.call_id, function=_CalledFunction(part.name, part.arguments_json or "{}"))
        for part in message.parts
        if isinstance(part, ToolCall)
    ]
    if calls:
        content = "\n".join(texts) if texts else None
        wire.append(_AssistantMessage(content=content, tool_calls=calls))
    elif texts or not wire:
        # One string rather than a list of parts, which not every compatible server takes.
        role = Role.USER if message.role is Role.TOOL else message.role
        wire.append(_TextMessage(role=role.value, content="\n".join(texts)))
    return wire


def _tool(tool: Tool) -> _Tool:
    parameters = embedded_object(
        tool.parameters_json_schema or _NO_PARAMETERS, f"the schema of the tool {tool.name!r}"
    )
    return _Tool(_Function(tool.name, tool.description, parameters))


def _response_format(schema: str) -> _ResponseFormat:
    return _ResponseFormat(
        _Schema(RESPONSE_SCHEMA_NAME, embedded_object(schema, "the response's JSON schema"))
    )
