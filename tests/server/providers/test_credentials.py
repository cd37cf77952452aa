from __future__ import annotations

import pytest
from pointsman_server.providers.anthropic import AnthropicProvider
from pointsman_server.providers.credentials import ApiKey
from pointsman_server.providers.openai import OpenAIProvider
from pointsman_server.upstream.settings import UpstreamSettings

SECRET = "sk-canary-1234567890"


@pytest.mark.parametrize("provider", [OpenAIProvider, AnthropicProvider])
def test_a_key_is_shown_nowhere(provider: type[OpenAIProvider | AnthropicProvider]) -> None:
    made = provider("mine", UpstreamSettings("http://localhost"), SECRET)
    assert "mine" in repr(made)
    for shown in (repr(made), str(made), repr(ApiKey(SECRET)), str(ApiKey(SECRET))):
        assert SECRET not in shown


@pytest.mark.parametrize("key", ["", "abc\n", "a\tb", "a\x00b", "a\x7fb", "a b", "clé"])
def test_a_key_that_no_header_may_hold_is_refused_without_being_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="API key") as raised:
        OpenAIProvider("mine", UpstreamSettings("http://localhost"), key)
    assert not key or key not in str(raised.value)


def test_the_newline_of_a_key_file_is_named() -> None:
    with pytest.raises(ValueError, match="newline"):
        ApiKey("abc\n")
