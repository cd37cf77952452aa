from __future__ import annotations

import pytest
from pointsman_server.providers.anthropic import AnthropicProvider
from pointsman_server.providers.credentials import ApiKey
from pointsman_server.providers.openai import OpenAIProvider
from pointsman_server.upstream.settings import UpstreamSettings, validated_base_url

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


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
    ],
)
def test_base_urls(url: str, kept: str) -> None:
    assert validated_base_url(url) == kept
    assert UpstreamSettings(url).base_url == kept


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com/v1",
        "ftp://host/",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user:hunter2@host/v1",
        "https://hunter2@host/v1",
        "https://@host/v1",
        "https://host/v1?hunter2=1",
        "https://host/v1?",
        "https://host/v1#hunter2",
        "https://host:port/",
        "https://host:99999/",
        "https://host:0/",
        "https://host /v1",
        "https://host/v1\n",
        "https://host\\@evil/",
        "https://[::1/",
    ],
)
def test_other_base_urls_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="base URL") as raised:
        UpstreamSettings(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "settings",
    [
        lambda: UpstreamSettings("http://host", connect_timeout_s=0),
        lambda: UpstreamSettings("http://host", max_connections=0),
    ],
)
def test_bounds_must_be_positive(settings: object) -> None:
    assert callable(settings)
    with pytest.raises(ValueError, match="positive"):
        settings()
