"""OpenAI's chat completions, and everybody who is compatible with them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from pointsman_server.domain.attempts import Failure
from pointsman_server.providers.base import ModelCall
from pointsman_server.providers.credentials import ApiKey
from pointsman_server.providers.exchange import HttpProvider, WallClock
from pointsman_server.providers.failures import Refusal, openai_failure
from pointsman_server.providers.openai_request import MaxTokensField, chat_completion_request
from pointsman_server.providers.openai_stream import ChatCompletionStream
from pointsman_server.upstream.settings import UpstreamSettings

OPENAI_BASE_URL = "https://api.openai.com/v1"


class OpenAIProvider(HttpProvider):
    """An account with OpenAI or a compatible server.

    ``http.base_url`` includes the version, as in `OPENAI_BASE_URL`. ``max_tokens_field`` defaults
    to what OpenAI itself wants at its own address and to the older name elsewhere.
    ``ask_for_usage`` is switched off for servers that refuse ``stream_options``.

    Raises:
        ValueError: the key holds what no header may.
    """

    def __init__(
        self,
        name: str,
        http: UpstreamSettings,
        api_key: str | None,
        *,
        max_tokens_field: MaxTokensField | None = None,
        ask_for_usage: bool = True,
        wall_clock: WallClock = time.time,
    ) -> None:
        field = max_tokens_field or default_max_tokens_field(http.base_url)
        dialect = OpenAIDialect(max_tokens_field=field, ask_for_usage=ask_for_usage)
        super().__init__(name, http, api_key, dialect, wall_clock=wall_clock)


class OpenAIDialect:
    """Chat completions; a `Dialect`."""

    path = "chat/completions"
    models_path = "models"

    def __init__(self, *, max_tokens_field: MaxTokensField, ask_for_usage: bool) -> None:
        self._max_tokens_field = max_tokens_field
        self._ask_for_usage = ask_for_usage

    def headers(self, key: ApiKey | None) -> Mapping[str, str]:
        """Give the key as a bearer token."""
        return {} if key is None else {"authorization": f"Bearer {key.reveal()}"}

    def request(self, call: ModelCall) -> bytes:
        """Write the body. See `chat_completion_request`."""
        return chat_completion_request(
            call, max_tokens_field=self._max_tokens_field, ask_for_usage=self._ask_for_usage
        )

    def answer(self) -> ChatCompletionStream:
        """Make a reader for one answer."""
        return ChatCompletionStream()

    def failure(self, refusal: Refusal, now: float) -> Failure:
        """Read a refusal. See `openai_failure`."""
        return openai_failure(refusal, now)


def default_max_tokens_field(base_url: str) -> MaxTokensField:
    """Choose ``max_completion_tokens`` for OpenAI itself; compatible servers know the older one."""
    openai = urlsplit(OPENAI_BASE_URL).hostname
    return "max_completion_tokens" if urlsplit(base_url).hostname == openai else "max_tokens"
