from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pointsman_server.domain.attempts import FailureKind
from pointsman_server.providers.base import ProviderError
from pointsman_server.providers.http import HttpClient, HttpResponse, HttpSettings
from pointsman_server.providers.inflate import MAX_PIECE_BYTES, Inflater
from upstream import Cut, Hang, Hold, Pause, Reply, Send, Upstream, upstream_server
from upstream import whole as whole_reply

K = FailureKind


@pytest.fixture
async def client(upstream: Upstream) -> AsyncIterator[HttpClient]:
    made = HttpClient(HttpSettings(upstream.url))
    yield made
    await made.close()


async def body_of(response: HttpResponse) -> bytes:
    return b"".join([chunk async for chunk in response.chunks()])


async def test_posts_and_streams(upstream: Upstream, client: HttpClient) -> None:
    upstream.enqueue(Reply((Send(b"one"), Pause(0.02), Send(b"two")), headers=(("X-Id", "7"),)))
    async with client.post_stream("v1/things", {"x-mine": "yes"}, b"body") as response:
        assert response.status == 200
        assert response.headers["x-id"] == response.headers["X-ID"] == "7"
        assert response.media_type == "text/event-stream"
        assert [chunk async for chunk in response.chunks()] == [b"one", b"two"]
    (request,) = upstream.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/things", b"body")
    assert request.headers["x-mine"] == "yes"
    assert request.headers["accept-encoding"] == "identity"
    assert "cookie" not in request.headers


async def test_gets(upstream: Upstream, client: HttpClient) -> None:
    upstream.enqueue(whole_reply("x" * 100, content_type="Text/Plain; charset=utf-8"))
    async with client.get("models", {}) as response:
        assert response.media_type == "text/plain"
        assert await response.read_bounded(10) == b"x" * 10
    assert upstream.requests[0].method == "GET"


async def test_a_body_of_several_megabytes_is_sent_whole(
    upstream: Upstream, client: HttpClient
) -> None:
    upstream.enqueue(whole_reply("ok"))
    async with client.post_stream("x", {}, b"y" * 3_000_000) as response:
        assert await response.read_bounded(10) == b"ok"
    assert len(upstream.requests[0].body) == 3_000_000


async def test_cookies_are_not_kept(upstream: Upstream, client: HttpClient) -> None:
    upstream.enqueue(whole_reply("a", headers=(("set-cookie", "id=1"),)), whole_reply("b"))
    for _ in range(2):
        async with client.get("x", {}) as response:
            await response.read_bounded(10)
    assert "cookie" not in upstream.requests[1].headers


async def test_redirects_are_not_followed(upstream: Upstream, client: HttpClient) -> None:
    async with upstream_server(whole_reply("metadata")) as other:
        for status in (301, 302, 303, 307, 308):
            upstream.enqueue(whole_reply("", status, headers=(("location", other.url),)))
            async with client.post_stream("x", {"authorization": "secret"}, b"") as response:
                assert response.status == status
        assert other.connections == 0


async def test_a_unix_socket(tmp_path: Path) -> None:
    async with upstream_server(whole_reply("ok"), unix_socket=tmp_path / "s") as upstream:
        settings = HttpSettings("http://localhost/v1", unix_socket=upstream.unix_socket)
        client = HttpClient(settings)
        async with client.get("models", {}) as response:
            assert await response.read_bounded(10) == b"ok"
        await client.close()
        assert upstream.requests[0].path == "/v1/models"


def completed(count: int) -> Callable[[Upstream], bool]:
    return lambda upstream: upstream.answers_completed == count


FINISHED = Reply((Send(b"data: [DONE]\n\n"), Pause(0.01)))


@pytest.mark.parametrize(("keep_alive", "connections"), [(True, 1), (False, 3)])
async def test_connections_are_used_again_only_where_that_is_safe(
    upstream: Upstream, keep_alive: bool, connections: int
) -> None:
    # The end of the body comes after the last event, when nobody reads any more.
    client = HttpClient(HttpSettings(upstream.url, keep_alive=keep_alive))
    for number in range(1, 4):
        upstream.enqueue(FINISHED)
        async with client.post_stream("x", {}, b"") as response:
            async for _ in response.chunks():
                response.expect_end()
                break
        if keep_alive:
            await upstream.wait_for(completed(number))
            await asyncio.sleep(0.01)
    assert upstream.connections == connections
    expected = "close" if not keep_alive else None
    assert upstream.requests[0].headers.get("connection") == expected
    await client.close()


async def test_leaving_an_unfinished_response_closes_its_connection(
    upstream: Upstream, client: HttpClient
) -> None:
    upstream.enqueue(Reply((Send(b"x"), Hang())))
    async with client.post_stream("x", {}, b"") as response:
        async for _ in response.chunks():
            break
    await upstream.wait_for(lambda u: len(u.closes) == 1)
    assert upstream.closes[0].answering


@pytest.mark.parametrize("stage", ["before the head", "before the first byte", "midway"])
async def test_cancelling_closes_upstream_within_100_ms(
    upstream: Upstream, client: HttpClient, stage: str
) -> None:
    reading = asyncio.Event()
    replies = {
        "before the head": Reply((Hang(),), wait_before_head=60),
        "before the first byte": Reply((Hang(),)),
        "midway": Reply((Send(b"x"), Hang())),
    }
    upstream.enqueue(replies[stage])

    async def call() -> None:
        async with client.post_stream("x", {}, b"") as response:
            if stage == "before the first byte":
                reading.set()
            async for _ in response.chunks():
                reading.set()

    task = asyncio.create_task(call())
    await upstream.wait_for(lambda u: len(u.requests) == 1)
    if stage != "before the head":
        await reading.wait()
    cancelled_at = asyncio.get_running_loop().time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.wait_for(lambda u: len(u.closes) == 1)
    assert upstream.closes[0].at - cancelled_at < 0.1


async def failure_of(client: HttpClient) -> FailureKind:
    with pytest.raises(ProviderError) as raised:
        async with client.post_stream("x", {}, b"") as response:
            await body_of(response)
    assert raised.value.failure.message
    # The library's own error may hold bytes of the provider's.
    error = raised.value
    assert error.__context__ is None or (error.__cause__ is None and error.__suppress_context__)
    return raised.value.failure.kind


async def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
        client = HttpClient(HttpSettings(f"http://127.0.0.1:{port}"))
        assert await failure_of(client) is K.UNREACHABLE
        await client.close()


async def test_a_socket_that_does_not_exist_is_unreachable(tmp_path: Path) -> None:
    client = HttpClient(HttpSettings("http://localhost", unix_socket=str(tmp_path / "none")))
    with pytest.raises(ProviderError, match="its socket does not exist"):
        async with client.get("x", {}):
            pass
    await client.close()


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    client = HttpClient(HttpSettings("http://nobody.invalid", trust_env=False))
    with pytest.raises(ProviderError, match="its name does not resolve"):
        async with client.get("x", {}):
            pass
    await client.close()


async def test_a_connection_that_is_not_accepted_times_out() -> None:
    # A listener whose backlog is full answers no SYN.
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        client = HttpClient(HttpSettings(f"http://127.0.0.1:{address[1]}", connect_timeout_s=0.1))
        with pytest.raises(ProviderError, match="connecting took too long") as raised:
            async with client.get("x", {}):
                pass
        assert raised.value.failure.kind is K.UNREACHABLE
        await client.close()
        for filler in fillers:
            filler.close()


async def test_plain_http_where_tls_was_expected_is_unreachable() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    client = HttpClient(HttpSettings(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    with pytest.raises(ProviderError, match="the TLS handshake failed"):
        async with client.get("x", {}):
            pass
    await client.close()
    server.close()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply((Cut(),), wait_before_head=0, framing="chunked"), K.INTERRUPTED),
        (Reply((Send(b"x"), Pause(0.01), Cut())), K.INTERRUPTED),
        (Reply((Send(b"x"), Pause(0.01), Cut(reset=True))), K.INTERRUPTED),
        (whole_reply(b"not gzip", headers=(("content-encoding", "gzip"),)), K.PROTOCOL),
        (whole_reply(b"x", headers=(("content-encoding", "br"),)), K.PROTOCOL),
    ],
)
async def test_a_response_that_breaks(
    upstream: Upstream, client: HttpClient, reply: Reply, kind: FailureKind
) -> None:
    upstream.enqueue(reply)
    assert await failure_of(client) is kind


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"", K.UNREACHABLE),
        (b"\x00\x01 this is no HTTP SECRET\r\n\r\n", K.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000 + b"\r\n", K.PROTOCOL),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", K.PROTOCOL),
    ],
)
async def test_what_is_no_http_is_told_apart(sent: bytes, kind: FailureKind) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    client = HttpClient(HttpSettings(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    with pytest.raises(ProviderError) as raised:
        async with client.get("x", {}):
            pass
    assert raised.value.failure.kind is kind
    assert "SECRET" not in str(raised.value)
    await client.close()
    server.close()


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_a_server_that_compresses_all_the_same_is_understood(
    upstream: Upstream, client: HttpClient, encoding: str, compress: object
) -> None:
    assert callable(compress)
    text = b"data: hello\n\n" * 50_000
    packed = compress(text)
    halves = (Send(packed[:100]), Pause(0.01), Send(packed[100:]))
    upstream.enqueue(Reply(halves, headers=(("content-encoding", encoding),)))
    async with client.post_stream("x", {}, b"") as response:
        assert await body_of(response) == text


def test_a_compression_bomb_comes_out_in_bounded_pieces() -> None:
    bomb = gzip.compress(b"\x00" * (64 << 20))
    sizes = [len(piece) for piece in Inflater("gzip").feed(bomb)]
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= MAX_PIECE_BYTES


async def test_a_compression_bomb_is_not_read_beyond_the_bound(
    upstream: Upstream, client: HttpClient
) -> None:
    bomb = gzip.compress(b"\x00" * (64 << 20))
    upstream.enqueue(whole_reply(bomb, headers=(("content-encoding", "gzip"),)))
    async with client.get("x", {}) as response:
        assert len(await response.read_bounded(1000)) == 1000


async def test_more_calls_than_connections_wait_for_their_turn(upstream: Upstream) -> None:
    release = asyncio.Event()
    upstream.enqueue(*[Reply((Hold(release), Send(b"x"))) for _ in range(5)])
    client = HttpClient(HttpSettings(upstream.url, max_connections=2))

    async def call() -> bytes:
        async with client.post_stream("x", {}, b"") as response:
            return await body_of(response)

    tasks = [asyncio.create_task(call()) for _ in range(5)]
    await upstream.wait_for(lambda u: len(u.requests) == 2)
    release.set()
    assert await asyncio.gather(*tasks) == [b"x"] * 5
    assert upstream.connections == 2
    await client.close()


async def test_close_is_idempotent_and_nothing_is_opened_after_it(upstream: Upstream) -> None:
    client = HttpClient(HttpSettings(upstream.url))
    upstream.enqueue(whole_reply("ok"))
    async with client.get("x", {}):
        pass
    await client.close()
    await client.close()
    assert await failure_of(client) is K.UNREACHABLE


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply((Hang(),), wait_before_head=60), K.UNREACHABLE),
        (Reply((Hang(),)), K.INTERRUPTED),
        (Reply((Send(b"x"), Hang())), K.INTERRUPTED),
    ],
    ids=["before the head", "before the first byte", "midway"],
)
async def test_close_ends_calls_in_flight(
    upstream: Upstream, reply: Reply, kind: FailureKind
) -> None:
    client = HttpClient(HttpSettings(upstream.url))
    upstream.enqueue(reply)
    task = asyncio.create_task(failure_of(client))
    await upstream.wait_for(lambda u: len(u.requests) == 1)
    await asyncio.sleep(0.05)
    await client.close()
    assert await asyncio.wait_for(task, 1) is kind
    await upstream.wait_for(lambda u: len(u.closes) == 1)


async def test_a_drain_that_never_ends_is_cut_by_close(upstream: Upstream) -> None:
    client = HttpClient(HttpSettings(upstream.url))
    upstream.enqueue(Reply((Send(b"x"), Hang())))
    async with client.post_stream("x", {}, b"") as response:
        async for _ in response.chunks():
            response.expect_end()
            break
    assert not upstream.closes
    await client.close()
    await upstream.wait_for(lambda u: len(u.closes) == 1)


@pytest.mark.parametrize(
    ("trust_env", "no_proxy", "used"),
    [(True, "", True), (True, "models.invalid", False), (False, "", False)],
)
async def test_proxies_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
    upstream: Upstream,
    trust_env: bool,
    no_proxy: str,
    used: bool,
) -> None:
    monkeypatch.setenv("http_proxy", upstream.url)
    monkeypatch.setenv("no_proxy", no_proxy)
    upstream.enqueue(whole_reply("through the proxy"))
    client = HttpClient(HttpSettings("http://models.invalid/v1", trust_env=trust_env))
    if used:
        async with client.get("models", {}) as response:
            assert await response.read_bounded(100) == b"through the proxy"
        assert upstream.requests[0].path == "http://models.invalid/v1/models"
    else:
        assert await failure_of(client) is K.UNREACHABLE
    assert upstream.connections == (1 if used else 0)
    await client.close()


async def test_loopback_never_goes_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, upstream: Upstream, client: HttpClient
) -> None:
    async with upstream_server() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        upstream.enqueue(whole_reply("direct"))
        async with client.get("x", {}) as response:
            assert await response.read_bounded(10) == b"direct"
        assert proxy.connections == 0


async def test_a_netrc_file_is_not_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, upstream: Upstream, client: HttpClient
) -> None:
    (tmp_path / "netrc").write_text("default login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    upstream.enqueue(whole_reply("ok"))
    async with client.get("x", {}):
        pass
    assert "authorization" not in upstream.requests[0].headers
