from __future__ import annotations

import pytest
from pointsman_server.upstream.route import Proxy, Route
from pointsman_server.upstream.target import Origin, Target, request_head

OPENAI = Route(Origin.of("https://api.openai.com/v1"))
KEY = {"authorization": "Bearer sk-100%d"}


def lines(target: Target, body: bytes | None = None) -> list[str]:
    head = target.head(body).decode("latin-1")
    assert head.endswith("\r\n\r\n")
    return head.removesuffix("\r\n\r\n").split("\r\n")


def test_a_head_holds_what_the_client_decides_and_what_its_caller_says() -> None:
    first, *headers = lines(OPENAI.target("POST", "chat/completions", KEY), b"12345")
    assert first == "POST /v1/chat/completions HTTP/1.1"
    assert sorted(headers) == [
        "accept-encoding: identity",
        "authorization: Bearer sk-100%d",
        "content-length: 5",
        "host: api.openai.com",
        "user-agent: pointsman",
    ]


def test_one_target_serves_bodies_of_any_length() -> None:
    target = OPENAI.target("POST", "x", KEY)
    for size in (0, 7, 123_456):
        assert f"content-length: {size}" in lines(target, bytes(size))


def test_a_request_without_a_body_says_no_length() -> None:
    assert not [x for x in lines(OPENAI.target("GET", "models", {})) if "length" in x]


def test_a_caller_may_name_its_own_agent() -> None:
    said = lines(OPENAI.target("GET", "models", {"User-Agent": "mine"}))
    assert [x for x in said if "agent" in x.lower()] == ["User-Agent: mine"]


def test_a_connection_that_is_not_kept_is_announced() -> None:
    route = Route(Origin.of("http://host"), keep_alive=False)
    assert "connection: close" in lines(route.target("GET", "x", {}))
    assert "connection: close" not in lines(OPENAI.target("GET", "x", {}))


def test_a_target_shows_nothing_of_what_it_holds() -> None:
    target = OPENAI.target("POST", "x", KEY)
    assert "sk-" not in repr(target) + str(target)


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("http://host", "host", "/x"),
        ("http://host:80/v1", "host", "/v1/x"),
        ("http://host:8080", "host:8080", "/x"),
        ("https://host:443", "host", "/x"),
        ("https://host:80", "host:80", "/x"),
        ("http://[::1]:8080/v1", "[::1]:8080", "/v1/x"),
        ("http://HOST./v1", "host", "/v1/x"),
        ("http://bücher.example/straße", "xn--bcher-kva.example", "/stra%C3%9Fe/x"),
        ("http://host/a%20b/c:d", "host", "/a%20b/c:d/x"),
    ],
)
def test_what_a_base_url_makes_of_a_head(url: str, host: str, path: str) -> None:
    first, *headers = lines(Route(Origin.of(url)).target("GET", "x", {}))
    assert first == f"GET {path} HTTP/1.1"
    assert f"host: {host}" in headers


def test_a_plain_proxy_is_told_the_whole_address_and_its_password() -> None:
    proxy = Proxy("proxy", 3128, tls=False, authorization="Basic eA==")
    route = Route(Origin.of("http://host:81/v1"), proxy=proxy)
    first, *headers = lines(route.target("GET", "x", {}))
    assert first == "GET http://host:81/v1/x HTTP/1.1"
    assert "host: host:81" in headers
    assert "proxy-authorization: Basic eA==" in headers


def test_what_goes_through_a_tunnel_tells_the_provider_nothing_of_the_proxy() -> None:
    proxy = Proxy("proxy", 3128, tls=False, authorization="Basic eA==")
    first, *headers = lines(Route(OPENAI.origin, proxy=proxy).target("GET", "x", {}))
    assert first == "GET /v1/x HTTP/1.1"
    assert not [x for x in headers if "proxy" in x]


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\x00", "a\x7f", "naïve ✓"])
def test_a_header_that_none_may_hold_is_refused_without_its_value(value: str) -> None:
    with pytest.raises(ValueError, match="'x-mine'") as raised:
        OPENAI.target("POST", "x", {"x-mine": value})
    assert value not in str(raised.value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ü"])
def test_a_name_that_no_header_has_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        OPENAI.target("POST", "x", {name: "y"})


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "accept-encoding"]
)
def test_what_the_client_decides_no_caller_does(name: str) -> None:
    with pytest.raises(ValueError, match="the client itself decides"):
        OPENAI.target("POST", "x", {name: "y"})


@pytest.mark.parametrize(
    ("method", "url"), [("GET", "/a b"), ("GET", "/a\r\nx: y"), ("G T", "/a"), ("GET", "/ü")]
)
def test_a_request_line_is_of_visible_characters(method: str, url: str) -> None:
    with pytest.raises(ValueError, match="request line"):
        request_head(method, url, {}, {})
