"""The bytes of answers, made beforehand: sending an answer is one slice and one write."""

from __future__ import annotations

from itertools import accumulate, cycle, islice

import msgspec

from pointsman_bench.simulator.behaviour import MAX_TOKENS

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)

_TEXT = (
    "The signal box stands where four lines meet. A train from the north waits for the points to "
    "be set, and the pointsman looks at the list once more before he pulls the lever. Nothing is "
    "said about it in the evening, because nothing happened: every train took the right track. "
)
_WORDS = tuple(f"{word} " for word in _TEXT.split())
_REASONS = {
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    529: "Site is overloaded",
    404: "Not Found",
    400: "Bad Request",
}
_CODES = {429: "rate_limit_exceeded", 404: "model_not_found", 400: "invalid_request_error"}


class Payload:
    """The events of one model's answers, framed as chunks of HTTP/1.1.

    All answers say the same, so that the events of any stretch of tokens are one slice of bytes.
    """

    def __init__(self, model: str) -> None:
        self._name = msgspec.json.encode(model)
        events = [self._delta(word) for word in islice(cycle(_WORDS), MAX_TOKENS)]
        self._events = memoryview(b"".join(events))
        self._ends = [0, *accumulate(map(len, events))]

    def opening(self) -> bytes:
        """Head and first event, which names the role."""
        return STREAM_HEAD + self._event(b'{"role":"assistant","content":""}', b"null")

    def tokens(self, first: int, count: int) -> memoryview:
        """Events of ``count`` tokens from number ``first`` on."""
        return self._events[self._ends[first] : self._ends[first + count]]

    def closing(self, finish: str, input_tokens: int, output_tokens: int, *, usage: bool) -> bytes:
        """Finish event, usage where asked for, end marker, last chunk."""
        parts = [self._event(b"{}", b'"%s"' % finish.encode())]
        if usage:
            parts.append(_chunk(self._frame(b"[]", _usage(input_tokens, output_tokens))))
        return b"".join([*parts, _chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"])

    def whole(self, finish: str, input_tokens: int, output_tokens: int) -> bytes:
        """A whole answer at once, for callers who want no stream."""
        text = msgspec.json.encode("".join(islice(cycle(_WORDS), output_tokens)))
        body = (
            b'{"id":"chatcmpl-0","object":"chat.completion","created":1,"model":%s,"choices":'
            b'[{"index":0,"message":{"role":"assistant","content":%s},"finish_reason":"%s"}],'
            b'"usage":%s}'
            % (self._name, text, finish.encode(), _usage(input_tokens, output_tokens))
        )
        return json_answer(body)

    def _delta(self, word: str) -> bytes:
        return self._event(b'{"content":%s}' % msgspec.json.encode(word), b"null")

    def _event(self, delta: bytes, finish: bytes) -> bytes:
        choice = b'[{"index":0,"delta":%s,"finish_reason":%s}]' % (delta, finish)
        return _chunk(self._frame(choice, b""))

    def _frame(self, choices: bytes, usage: bytes) -> bytes:
        return (
            b'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":1,"model":%s,'
            b'"choices":%s%s}\n\n' % (self._name, choices, b',"usage":' + usage if usage else b"")
        )


def json_answer(body: bytes, status: int = 200) -> bytes:
    """A whole JSON response."""
    reason = _REASONS.get(status, "OK").encode()
    head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, reason, len(body)) + body


def error_answer(status: int, message: str, retry_after_s: float | None = None) -> bytes:
    """An error in the dialect's form."""
    error = {"message": message, "type": _CODES.get(status, "server_error"), "code": status}
    whole = json_answer(msgspec.json.encode({"error": error}), status)
    if retry_after_s is None:
        return whole
    return whole.replace(b"\r\n\r\n", b"\r\nretry-after: %d\r\n\r\n" % round(retry_after_s), 1)


def _usage(input_tokens: int, output_tokens: int) -> bytes:
    return b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}' % (
        input_tokens,
        output_tokens,
        input_tokens + output_tokens,
    )


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
