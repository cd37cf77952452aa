"""Providers that do what the prompt says, for clients that cannot reach into this process.

The prompts are those of the TypeScript client's conformance program (clients/typescript); any other
is answered by "Hello, world".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from answers import openai_chunk, openai_events, openai_tool_piece, openai_usage, sse, text_reply
from upstream import Cut, Hang, Pause, Reply, SeenRequest, Send, whole

HALF = Send(openai_chunk({"content": "half"}))
HELLO = text_reply("openai", ["Hello", ", ", "world"])


def prompt_of(request: SeenRequest) -> str:
    """The last message of a request."""
    return _contents(request)[-1]


def first_account(request: SeenRequest) -> Reply:
    """How the account answers that is asked first."""
    return _answer(request, first=True)


def second_account(request: SeenRequest) -> Reply:
    """How the account answers that is the other's fallback and hedge."""
    return _answer(request, first=False)


def _answer(request: SeenRequest, *, first: bool) -> Reply:
    name, _, rest = prompt_of(request).partition(":")
    if name.endswith(" at the first") and not first:
        return HELLO
    answer = ANSWERS.get(name.removesuffix(" at the first").rstrip(","))
    return answer(request, rest.strip(), first) if answer else HELLO


def _hang(_: SeenRequest, __: str, ___: bool) -> Reply:
    return Reply([Hang()])


def _hang_after_half(_: SeenRequest, __: str, ___: bool) -> Reply:
    return Reply([HALF, Hang()])


def _cut_after_half(_: SeenRequest, __: str, ___: bool) -> Reply:
    return Reply([HALF, Pause(0.02), Cut()])


def _fail(_: SeenRequest, __: str, first: bool) -> Reply:
    if first:
        return whole("oops", 500, "text/plain")
    return whole("{}", 429, headers=(("retry-after", "7"),))


def _refuse(_: SeenRequest, __: str, ___: bool) -> Reply:
    return whole(json.dumps({"error": {"code": "content_filter", "message": "no"}}), 400)


def _use_a_tool(_: SeenRequest, __: str, ___: bool) -> Reply:
    call = openai_tool_piece(0, "c1", "look", '{"at": "it"}')
    return Reply([Send(call + openai_chunk({}, "tool_calls") + openai_usage(5, 6) + sse("[DONE]"))])


def _say(_: SeenRequest, rest: str, __: bool) -> Reply:
    return text_reply("openai", [rest])


def _words(_: SeenRequest, rest: str, __: bool) -> Reply:
    count, *at_once = rest.split(" ", 1)
    texts = [f"{i} " for i in range(int(count))]
    if at_once:
        return Reply([Send(b"".join(openai_events(texts)))])
    return text_reply("openai", texts, pause_s=0.001)


def _history(request: SeenRequest, _: str, __: bool) -> Reply:
    return text_reply("openai", ["|".join(_contents(request))])


ANSWERS: dict[str, Callable[[SeenRequest, str, bool], Reply]] = {
    "hang": _hang,
    "hang after half": _hang_after_half,
    "cut after half": _cut_after_half,
    "fail everywhere": _fail,
    "refuse this": _refuse,
    "use a tool": _use_a_tool,
    "say": _say,
    "words": _words,
    "history": _history,
}


def _contents(request: SeenRequest) -> list[str]:
    body: Any = request.json
    return [message["content"] for message in body["messages"]]
