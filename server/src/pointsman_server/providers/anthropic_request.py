"""A `ModelCall` as the body of a messages request."""

from __future__ import annotations

import msgspec

from pointsman_server.domain.messages import Message, Role, Text, Tool, ToolCall, ToolResult
from pointsman_server.providers.base import ModelCall
from pointsman_server.providers.wire import embedded_object

_NO_PARAMETERS = '{"type":"object","properties":{}}'


class _TextBlock(msgspec.Struct):
    text: str
    type: str = "text"


class _ToolUse(msgspec.Struct):
    id: str
    name: str
    input: msgspec.Raw
    type: str = "tool_use"


class _ToolResult(msgspec.Struct):
    tool_use_id: str
    content: str
    is_error: bool
    type: str = "tool_result"


_Block = _TextBlock | _ToolUse | _ToolResult


class _Turn(msgspec.Struct):
    role: str
    content: list[_Block]


class _Tool(msgspec.Struct, omit_defaults=True):
    name: str
    input_schema: msgspec.Raw
    description: str = ""


class _Format(msgspec.Struct):
    schema: msgspec.Raw
    type: str = "json_schema"


class _OutputConfig(msgspec.Struct):
    format: _Format


class _Body(msgspec.Struct, omit_defaults=True):
    model: str
    max_tokens: int
    messages: list[_Turn]
    stream: bool
    system: str | None = None
    stop_sequences: list[str] | None = None
    tools: list[_Tool] | None = None
    output_config: _OutputConfig | None = None


def messages_request(call: ModelCall) -> bytes:
    """Write the body that asks for ``call``, streamed: only a streamed call can be cancelled.

    System messages, wherever they stand, become the system prompt. ``temperature`` and ``top_p``
    are dropped, since the API refuses them at any value; ``seed`` does not exist there.

    Raises:
        ProviderError: REJECTED, a schema is not a JSON object.
    """
    options = call.generation
    schema = options.response_json_schema
    system = [message.text for message in call.messages if message.role is Role.SYSTEM]
    body = _Body(
        model=call.model.provider_model,
        max_tokens=call.max_output_tokens,
        messages=_turns(call.messages),
        stream=True,
        system="\n\n".join(text for text in system if text) or None,
        stop_sequences=list(options.stop_sequences) or None,
        tools=[_tool(tool) for tool in options.tools] or None,
        output_config=None if schema is None else _output_config(schema),
    )
    return msgspec.json.encode(body)


def _turns(messages: tuple[Message, ...]) -> list[_Turn]:
    """Merge each run of messages of the same side into one turn.

    Results of tools come first in their turn, as the API demands; empty texts, which it refuses,
    are left out.
    """
    turns: list[_Turn] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = [_block(part) for part in message.parts if part != Text("")]
        if not blocks:
            continue
        if turns and turns[-1].role == role:
            turns[-1].content += blocks
        else:
            turns.append(_Turn(role, blocks))
    for turn in turns:
        turn.content.sort(key=lambda block: not isinstance(block, _ToolResult))
    return turns


def _block(part: Text | ToolCall | ToolResult) -> _Block:
    match part:
        case Text(text):
            return _TextBlock(text)
        case ToolCall(call_id, name, arguments_json):
            return _ToolUse(call_id, name, _input(arguments_json))
        case ToolResult(call_id, text, is_error):
            return _ToolResult(call_id, text, is_error)


def _input(arguments_json: str) -> msgspec.Raw:
    """Make an object of what a model wrote as arguments, which nobody has checked."""
    try:
        valid = isinstance(msgspec.json.decode(arguments_json), dict)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        valid = False
    if valid:
        return msgspec.Raw(arguments_json.encode())
    if not arguments_json.strip():
        return msgspec.Raw(b"{}")
    return msgspec.Raw(msgspec.json.encode({"invalid_arguments": arguments_json}))


def _tool(tool: Tool) -> _Tool:
    schema = embedded_object(
        tool.parameters_json_schema or _NO_PARAMETERS, f"the schema of the tool {tool.name!r}"
    )
    return _Tool(name=tool.name, input_schema=schema, description=tool.description)


def _output_config(schema: str) -> _OutputConfig:
    return _OutputConfig(_Format(embedded_object(schema, "the response's JSON schema")))
