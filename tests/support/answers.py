"""Answers as the two dialects' wire has them, for `upstream.Upstream` to send."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Literal

from upstream import Pause, Reply, Send, Step

DialectName = Literal["openai", "anthropic"]

Json = dict[str, object]


def sse(data: Json | str, event: str = "") -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


def paced(events: Iterable[bytes], pause_s: float) -> list[Step]:
    """Each event a send of its own that counts one token, with pauses between."""
    steps: list[Step] = []
    for event in events:
        steps += [Send(event, tokens=1), Pause(pause_s)]
    return steps


def openai_chunk(delta: Json, finish_reason: str | None = None) -> bytes:
    """One chunk of a chat completion."""
    return sse(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": "scripted",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
        }
    )


def openai_usage(prompt: int, completion: int, cached: int = 0, reasoning: int = 0) -> bytes:
    """The chunk that reports usage and has no choices."""
    return sse(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": "scripted",
            "choices": [],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "prompt_tokens_details": {"cached_tokens": cached},
                "completion_tokens_details": {"reasoning_tokens": reasoning},
            },
        }
    )


def openai_events(
    texts: Sequence[str],
    finish_reason: str = "stop",
    *,
    prompt: int = 12,
    cached: int = 0,
    reasoning: int = 0,
) -> list[bytes]:
    """A whole streamed completion, one event a list entry, with as many output tokens as texts."""
    return [
        openai_chunk({"role": "assistant", "content": ""}),
        *(openai_chunk({"content": text}) for text in texts),
        openai_chunk({}, finish_reason),
        openai_usage(prompt, len(texts) + reasoning, cached, reasoning),
        sse("[DONE]"),
    ]


def openai_tool_piece(index: int, call_id: str, name: str, arguments: str) -> bytes:
    """A piece of a tool call; empty strings are left out."""
    function: Json = {"arguments": arguments}
    piece: Json = {"index": index, "function": function}
    if call_id:
        piece |= {"id": call_id, "type": "function"}
    if name:
        function["name"] = name
    return openai_chunk({"tool_calls": [piece]})


def anthropic_event(kind: str, **fields: object) -> bytes:
    """One event of a message."""
    return sse({"type": kind, **fields}, event=kind)


def anthropic_start(
    input_tokens: int = 12, cache_read: int = 0, cache_creation: int = 0, output_tokens: int = 1
) -> bytes:
    """The ``message_start`` event."""
    return anthropic_event(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "scripted",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": input_tokens,
                "cache_read_input_tokens": cache_read,
                "cache_creation_input_tokens": cache_creation,
                "output_tokens": output_tokens,
            },
        },
    )


def anthropic_text_block(index: int, texts: Sequence[str]) -> list[bytes]:
    """The events of one block of text."""
    return [
        anthropic_event(
            "content_block_start", index=index, content_block={"type": "text", "text": ""}
        ),
        *(
            anthropic_event(
                "content_block_delta", index=index, delta={"type": "text_delta", "text": text}
            )
            for text in texts
        ),
        anthropic_event("content_block_stop", index=index),
    ]


def anthropic_tool_block(index: int, call_id: str, name: str, pieces: Sequence[str]) -> list[bytes]:
    """The events of one call of a tool."""
    return [
        anthropic_event(
            "content_block_start",
            index=index,
            content_block={"type": "tool_use", "id": call_id, "name": name, "input": {}},
        ),
        *(
            anthropic_event(
                "content_block_delta",
                index=index,
                delta={"type": "input_json_delta", "partial_json": piece},
            )
            for piece in pieces
        ),
        anthropic_event("content_block_stop", index=index),
    ]


def anthropic_ending(stop_reason: str, output_tokens: int, thinking: int = 0) -> list[bytes]:
    """The last two events; the usage in them is cumulative."""
    usage: Json = {"output_tokens": output_tokens}
    if thinking:
        usage["output_tokens_details"] = {"thinking_tokens": thinking}
    return [
        anthropic_event(
            "message_delta", delta={"stop_reason": stop_reason, "stop_sequence": None}, usage=usage
        ),
        anthropic_event("message_stop"),
    ]


def anthropic_events(
    texts: Sequence[str], stop_reason: str = "end_turn", *, prompt: int = 12
) -> list[bytes]:
    """A whole streamed message, one event a list entry, with as many output tokens as texts."""
    return [
        anthropic_start(prompt),
        anthropic_event("ping"),
        *anthropic_text_block(0, texts),
        *anthropic_ending(stop_reason, len(texts)),
    ]


def text_events(dialect: DialectName, texts: Sequence[str]) -> list[bytes]:
    """A whole answer of text in either dialect."""
    return openai_events(texts) if dialect == "openai" else anthropic_events(texts)


def text_reply(dialect: DialectName, texts: Sequence[str], pause_s: float = 0.0) -> Reply:
    """A reply of text: in one send, or with a pause after each event."""
    events = text_events(dialect, texts)
    if pause_s:
        return Reply(paced(events, pause_s))
    return Reply((Send(b"".join(events), tokens=len(texts)),))
