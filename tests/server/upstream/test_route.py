from __future__ import annotations

import base64

import pytest
from pointsman_server.upstream.route import Proxy, Route, find_route, is_loopback, read_proxy
from pointsman_server.upstream.settings import UpstreamSettings


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def route(url: str, *, trust_env: bool = True, unix_socket: str | None = None) -> Route:
    return find_route(UpstreamSettings(url, unix_socket=unix_socket, trust_env=trust_env))


def test_without_a_proxy_the_way_is_straight() -> None:
    found = route("https://models.test/v1")
    assert (found.proxy, found.proxy_is_bad) == (None, False)


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY"])
def test_each_scheme_has_its_own_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://proxy:3128")
    assert route("https://models.test").proxy == Proxy("proxy", 3128, tls=False)
    assert route("http://models.test").proxy is None


def test_the_environment_is_not_looked_at_unless_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    assert route("http://models.test", trust_env=False).proxy is None


@pytest.mark.parametrize(
    ("no_proxy", "straight"),
    [
        ("models.test", True),
        (".test", True),
        ("test", True),
        ("other.test, models.test", True),
        ("models.test:8080", True),
        ("*", True),
        ("models.test:9090", False),
        ("els.test", False),
        ("", False),
    ],
)
def test_no_proxy_names_those_that_are_reached_straight(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, straight: bool
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert (route("http://models.test:8080").proxy is None) is straight


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.0.0.1:1", "http://127.8.9.1", "http://[::1]:1"]
)
def test_loopback_never_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    assert route(url).proxy is None


def test_a_unix_socket_never_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    assert route("http://models.test", unix_socket="/run/x").proxy is None


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("128.0.0.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("http://proxy:3128", Proxy("proxy", 3128, tls=False)),
        ("http://proxy:3128/", Proxy("proxy", 3128, tls=False)),
        ("proxy:3128", Proxy("proxy", 3128, tls=False)),
        ("http://proxy", Proxy("proxy", 80, tls=False)),
        ("https://proxy", Proxy("proxy", 443, tls=True)),
        ("http://[::1]:3128", Proxy("::1", 3128, tls=False)),
    ],
)
def test_the_address_of_a_proxy(address: str, proxy: Proxy) -> None:
    assert read_proxy(address) == proxy


def test_the_password_of_a_proxy_is_unquoted_sent_and_never_shown() -> None:
    proxy = read_proxy("http://me:p%40ss%3Aword@proxy:3128")
    assert proxy.authorization is not None
    assert base64.b64decode(proxy.authorization.removeprefix("Basic ")) == b"me:p@ss:word"
    assert proxy.authorization not in repr(proxy)


@pytest.mark.parametrize("address", ["socks5://proxy:1080", "http://", "http://proxy:port", "["])
def test_what_is_no_proxy_is_refused_and_not_gone_around(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        read_proxy(address)
    assert "proxy:1080" not in str(raised.value)
    monkeypatch.setenv("http_proxy", address)
    assert route("http://models.test").proxy_is_bad
