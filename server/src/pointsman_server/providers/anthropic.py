"""Anthropic's messages, and servers that are compatible with them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

from pointsman_server.domain.attempts import Failure
from pointsman_server.providers.anthropic_request import messages_request
from pointsman_server.providers.anthropic_stream import MessageStream
from pointsman_server.providers.base import ModelCall
from pointsman_server.providers.credentials import ApiKey
from pointsman_server.providers.exchange import HttpProvider, WallClock
from pointsman_server.providers.failures import Refusal, anthropic_failure
from pointsman_server.upstream.settings import UpstreamSettings

ANTHROPIC_BASE_URL = "https://api.anthropic.com"
ANTHROPIC_VERSION = "2026-10-21"

KeyHeader = Literal["authorization", "x-api-key"]


class AnthropicProvider(HttpProvider):
    """An account with Anthropic or a compatible server.

    ``http.base_url`` is without the version, as in `ANTHROPIC_BASE_URL`. ``key_header`` is where
    the key goes: as a bearer token, which is what this version of the API's own SDK sends, or in
    the older header that some compatible servers still want.

    Raises:
        ValueError: the key holds what no header may.
    """

    def __init__(
        self,
        name: str,
        http: UpstreamSettings,
        api_key: str | None,
        *,
        key_header: KeyHeader = "authorization",
        wall_clock: WallClock = time.time,
    ) -> None:
        super().__init__(name, http, api_key, AnthropicDialect(key_header), wall_clock=wall_clock)


class AnthropicDialect:
    """Messages; a `Dialect`."""

    path = "v1/messages"
    models_path = "v1/models"

    def __init__(self, key_header: KeyHeader) -> None:
        self._key_header: KeyHeader = key_header

    def headers(self, key: ApiKey | None) -> Mapping[str, str]:
        """Name the version that the request is written in, and the key."""
        headers = {"anthropic-version": ANTHROPIC_VERSION}
        if key is not None and self._key_header == "authorization":
            headers["authorization"] = f"Bearer {key.reveal()}"
        elif key is not None:
            headers["x-api-key"] = key.reveal()
        return headers

    def request(self, call: ModelCall) -> bytes:
        """Write the body. See `messages_request`."""
        return messages_request(call)

    def answer(self) -> MessageStream:
        """Make a reader for one answer."""
        return MessageStream()

    def failure(self, refusal: Refusal, now: float) -> Failure:
        """Read a refusal. See `anthropic_failure`."""
        return anthropic_failure(refusal, now)
