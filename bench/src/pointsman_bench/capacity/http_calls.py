"""Chat completions over one HTTP/1.1 connection, without I/O: bytes in, an ended call out."""

from __future__ import annotations

from collections.abc import Mapping

import httptools

from pointsman_bench.capacity.answers import Answers
from pointsman_bench.capacity.tally import Exchange, Tally
from pointsman_bench.capacity.work import COUNTER

_COUNTS = 10 ** len(COUNTER)
_OK = 200


class HttpCalls:
    """Calls of one URL, one after the other, each with the same request, but its number.

    ``keep_alive`` is whether the connection can take another call after the one that ended.
    """

    def __init__(
        self,
        path: str,
        authority: str,
        headers: Mapping[str, str],
        body: bytes,
        answers: Answers,
        tally: Tally,
    ) -> None:
        fields = {
            "host": authority,
            "content-type": "application/json",
            "accept": "*/*",
            "content-length": str(len(body)),
            **headers,
        }
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        head, found, self._tail = body.partition(COUNTER)
        self._head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + head
        self._counted = bool(found)
        self._answers = answers
        self._tally = tally
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: Exchange | None = None
        self._whole = False
        self._now = 0.0
        self.keep_alive = True

    def begin(self, exchange: Exchange) -> bytes:
        """Start a call; what to send."""
        self._exchange = exchange
        self._whole = False
        if not self._counted:
            return self._head + self._tail
        return self._head + b"%08d" % (exchange.number % _COUNTS) + self._tail

    def receive(self, data: bytes, now: float) -> Exchange | None:
        """Take what came; the call, if it ended with it."""
        self._now = now
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            return self.lose(f"no HTTP/1.1: {error}")
        if not self._whole:
            return None
        exchange, self._exchange, self._whole = self._exchange, None, False
        return exchange

    def lose(self, why: str) -> Exchange | None:
        """The connection is gone: the call that went with it, if one was under way."""
        self.keep_alive = False
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.error = why
        return exchange

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        exchange = self._exchange
        if exchange is None:
            return
        exchange.pieces.append(body)
        exchange.messages += 1
        tokens = self._answers.glance(body)
        if tokens:
            exchange.tokens += tokens
            if exchange.first_token_at is None:
                exchange.first_token_at = self._now
        self._tally.arrived(len(body), tokens, 1)

    def on_message_complete(self) -> None:
        """The response is whole."""
        exchange = self._exchange
        if exchange is None:
            return
        self.keep_alive = self._parser.should_keep_alive()
        status = self._parser.get_status_code()
        if status != _OK:
            body = b"".join(exchange.pieces)[:200].decode(errors="replace")
            exchange.error = f"HTTP status {status}: {body}"
        self._whole = True
