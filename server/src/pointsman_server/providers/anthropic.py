"""Anthropic's messages, and servers that are compatible with them."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pointsman_server.domain.attempts import Failure
from pointsman_server.providers.anthropic_request import messages_request
from pointsman_server.providers.anthropic_stream import MessageStream
from pointsman_server.providers.base import ModelCall
from pointsman_server.providers.credentials import ApiKey
from pointsman_server.providers.exchange import HttpProvider, WallClock
from pointsman_server.providers.failures import Refusal, anthropic_failure
from pointsman_server.providers.http import HttpSettings

ANTHROPIC_BASE_URL = "https://api.anthropic.com"
ANTHROPIC_VERSION = "2026-10-21"


class AnthropicProvider(HttpProvider):
    """An account with Anthropic or a compatible server.

    ``http.base_url`` is without the version, as in `ANTHROPIC_BASE_URL`.

    Raises:
        ValueError: the key holds what no header may.
    """

    def __init__(
        self,
        name: str,
        http: HttpSettings,
        api_key: str | None,
        *,
        wall_clock: WallClock = time.time,
    ) -> None:
        super().__init__(name, http, api_key, AnthropicDialect(), wall_clock=wall_clock)


class AnthropicDialect:
    """Messages; a `Dialect`."""

    path = "v1/messages"
    models_path = "v1/models"

    def headers(self, key: ApiKey | None) -> Mapping[str, str]:
        """Name the version that the request is written in, and the key."""
        headers = {"anthropic-version": ANTHROPIC_VERSION}
        return headers if key is None else {**headers, "x-api-key": key.reveal()}

    def request(self, call: ModelCall) -> bytes:
        """Write the body. See `messages_request`."""
        return messages_request(call)

    def answer(self) -> MessageStream:
        """Make a reader for one answer."""
        return MessageStream()

    def failure(self, refusal: Refusal, now: float) -> Failure:
        """Read a refusal. See `anthropic_failure`."""
        return anthropic_failure(refusal, now)
