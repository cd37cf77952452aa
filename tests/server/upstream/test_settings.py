from __future__ import annotations

from collections.abc import Callable

import pytest
from pointsman_server.upstream.settings import UpstreamSettings, validated_base_url


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("http://my_host.:8080", "http://my_host.:8080"),
        ("https://bücher.example", "https://bücher.example"),
    ],
)
def test_a_base_url_is_kept_without_its_last_slash(url: str, kept: str) -> None:
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
        "https://a..b/",
        "https://.host/",
        f"https://{'x' * 64}.test/",
    ],
)
def test_another_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="base URL") as raised:
        UpstreamSettings(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "settings",
    [
        lambda: UpstreamSettings("http://host", connect_timeout_s=0),
        lambda: UpstreamSettings("http://host", max_connections=0),
        lambda: UpstreamSettings("http://host", idle_lifetime_s=0),
    ],
)
def test_bounds_must_be_positive(settings: Callable[[], UpstreamSettings]) -> None:
    with pytest.raises(ValueError, match="positive"):
        settings()
