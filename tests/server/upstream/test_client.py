"""Requests and responses as such, against a scripted provider."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from pointsman_server.upstream.client import UpstreamClient
from pointsman_server.upstream.errors import (
    BadEncoding,
    ConnectFailed,
    ConnectReason,
    Interrupted,
    NotHttp,
    UpstreamError,
)
from pointsman_server.upstream.response import UpstreamResponse, joined_fields
from pointsman_server.upstream.settings import UpstreamSettings
from raw_server import Peer, raw_server, saying, saying_once
from upstream import Cut, Hang, Hold, Pause, Reply, Send, Upstream, upstream_server
from upstream import whole as whole_reply


async def get(client: UpstreamClient, path: str = "x") -> UpstreamResponse:
    return await client.send(client.prepare("GET", path, {}))


async def post(client: UpstreamClient, body: bytes = b"") -> UpstreamResponse:
    return await client.send(client.prepare("POST", "x", {}), body)


async def body_of(response: UpstreamResponse) -> bytes:
    pieces = []
    while piece := await response.read():
        pieces.append(piece)
    return b"".join(pieces)


async def read_into(pieces: list[bytes], client: UpstreamClient) -> None:
    response = await post(client)
    while piece := await response.read():
        pieces.append(piece)


async def answer(client: UpstreamClient, body: bytes = b"") -> bytes:
    return await body_of(await post(client, body))


async def test_a_request_is_sent_and_its_answer_streamed(
    upstream: Upstream, client: UpstreamClient
) -> None:
    go_on = asyncio.Event()
    steps = (Send(b"one"), Hold(go_on), Send(b"two"))
    upstream.enqueue(Reply(steps, headers=(("X-Id", "7"),)))
    response = await client.send(client.prepare("POST", "v1/x", {"x-mine": "yes"}), b"body")
    assert response.status == 200
    assert response.headers["x-id"] == "7"
    assert response.media_type == "text/event-stream"
    assert await response.read() == b"one"
    go_on.set()
    assert await response.read() == b"two"
    assert [await response.read(), await response.read()] == [b"", b""]
    (request,) = upstream.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/x", b"body")
    assert request.headers["x-mine"] == "yes"
    assert request.headers["accept-encoding"] == "identity"


async def test_all_that_one_wake_brought_is_read_at_once(
    upstream: Upstream, client: UpstreamClient
) -> None:
    chunks = b"".join(b"1\r\n%d\r\n" % digit for digit in range(10))
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with raw_server(saying(head + chunks + b"0\r\n\r\n")) as server:
        other = UpstreamClient(UpstreamSettings(server.url))
        response = await post(other)
        assert await response.read() == b"0123456789"
        assert await response.read() == b""
        await other.close()


async def test_the_media_type_has_no_parameters(upstream: Upstream, client: UpstreamClient) -> None:
    upstream.enqueue(
        whole_reply("x", content_type="Text/Plain; charset=utf-8"),
        whole_reply("x", content_type=None),
    )
    for expected in ("text/plain", ""):
        response = await get(client)
        assert response.media_type == expected
        response.close()


async def test_reading_is_bounded_where_that_is_asked_for(
    upstream: Upstream, client: UpstreamClient
) -> None:
    upstream.enqueue(whole_reply("x" * 100), whole_reply("x" * 100))
    for limit, read in ((10, 10), (1000, 100)):
        response = await get(client)
        assert await response.read_bounded(limit) == b"x" * read
        response.close()


def test_headers_of_one_name_are_joined_and_decoded_as_they_came() -> None:
    fields = [(b"X-A", b"1  "), (b"x-b", b"caf\xe9"), (b"x-a", b"2")]
    assert joined_fields(fields) == {"x-a": "1, 2", "x-b": "café"}


@pytest.mark.parametrize("size", [0, 1, 1 << 16, (1 << 16) + 1, 3_000_000])
async def test_a_body_of_any_size_is_sent_whole(
    upstream: Upstream, client: UpstreamClient, size: int
) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    upstream.enqueue(whole_reply("ok"))
    assert await answer(client, body[:size]) == b"ok"
    assert upstream.requests[0].body == body[:size]


async def test_cookies_are_not_kept(upstream: Upstream, client: UpstreamClient) -> None:
    upstream.enqueue(whole_reply("a", headers=(("set-cookie", "id=1"),)), whole_reply("b"))
    assert [await answer(client), await answer(client)] == [b"a", b"b"]
    assert "cookie" not in upstream.requests[1].headers


async def test_redirects_are_not_followed(upstream: Upstream, client: UpstreamClient) -> None:
    target = client.prepare("POST", "x", {"authorization": "secret"})
    async with upstream_server(whole_reply("metadata")) as other:
        for status in (301, 302, 303, 307, 308):
            upstream.enqueue(whole_reply("", status, headers=(("location", other.url),)))
            response = await client.send(target, b"")
            assert response.status == status
            response.close()
        assert other.connections == 0


async def test_a_unix_socket(tmp_path: Path) -> None:
    async with upstream_server(whole_reply("ok"), unix_socket=tmp_path / "s") as upstream:
        settings = UpstreamSettings("http://localhost/v1", unix_socket=upstream.unix_socket)
        client = UpstreamClient(settings)
        assert await body_of(await get(client, "models")) == b"ok"
        await client.close()
        assert upstream.requests[0].path == "/v1/models"


async def test_interim_responses_are_passed_over() -> None:
    interim = (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\n")
    async with raw_server(
        saying(*interim, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    ) as server:
        client = UpstreamClient(UpstreamSettings(server.url))
        response = await post(client)
        assert (response.status, await body_of(response)) == (200, b"ok")
        assert "link" not in response.headers
        await client.close()


async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    async with raw_server(saying_once(b"HTTP/1.1 200 OK\r\n\r\n", b"one", b"two")) as server:
        client = UpstreamClient(UpstreamSettings(server.url))
        assert await answer(client) == b"onetwo"
        assert await answer(client) == b"onetwo"
        assert server.connections == 2
        await client.close()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply((Cut(),)), Interrupted),
        (Reply((Send(b"x"), Pause(0.01), Cut())), Interrupted),
        (Reply((Send(b"x"), Pause(0.01), Cut(reset=True))), Interrupted),
        (Reply((Send(b"x"), Cut(reset=True)), framing="close"), Interrupted),
        (whole_reply(b"not gzip", headers=(("content-encoding", "gzip"),)), BadEncoding),
        (
            whole_reply(gzip.compress(b"x")[:-3], headers=(("content-encoding", "gzip"),)),
            BadEncoding,
        ),
        (whole_reply(b"x", headers=(("content-encoding", "br"),)), BadEncoding),
    ],
)
async def test_a_response_that_breaks_is_an_error(
    upstream: Upstream, client: UpstreamClient, reply: Reply, error: type[UpstreamError]
) -> None:
    upstream.enqueue(reply)
    response = await post(client)
    with pytest.raises(error) as raised:
        await body_of(response)
    # What lies beneath may hold bytes of the provider's.
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    upstream.enqueue(whole_reply("next"))
    assert await answer(client) == b"next"


async def test_what_came_before_the_break_is_read_first(
    upstream: Upstream, client: UpstreamClient
) -> None:
    upstream.enqueue(Reply((Send(b"x"), Cut())))
    response = await post(client)
    assert await response.read() == b"x"
    for _ in range(2):
        with pytest.raises(Interrupted):
            await response.read()


async def test_a_length_that_is_not_reached_is_an_error() -> None:
    short = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcd"
    async with raw_server(saying_once(short)) as server:
        client = UpstreamClient(UpstreamSettings(server.url))
        response = await post(client)
        with pytest.raises(Interrupted):
            await body_of(response)
        await client.close()


@pytest.mark.parametrize("keep_alive", [True, False])
async def test_a_stream_cut_at_any_byte_is_an_error(keep_alive: bool) -> None:
    """RELIABILITY, row 4."""
    events = b"".join(b"%x\r\n%b\r\n" % (len(e), e) for e in (b"data: 1\n\n", b"data: 22\n\n"))
    stream = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + events + b"0\r\n\r\n"
    cuts = iter(range(len(stream) + 1))

    async def cutting(peer: Peer) -> None:
        await peer.request()
        await peer.send(stream[: next(cuts)])

    async with raw_server(cutting) as server:
        client = UpstreamClient(UpstreamSettings(server.url, keep_alive=keep_alive))
        for at in range(len(stream)):
            read: list[bytes] = []
            with pytest.raises(ConnectFailed if at == 0 else Interrupted):
                await read_into(read, client)
            assert b"data: 1\n\ndata: 22\n\n".startswith(b"".join(read))
        assert await answer(client) == b"data: 1\n\ndata: 22\n\n"
        await client.close()


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"\x00\x01 this is no HTTP SECRET\r\n\r\n", NotHttp),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000 + b"\r\n", NotHttp),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", NotHttp),
        (b"HTTP/1.1 200 SECRET\r\n", Interrupted),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nSECRET\r\n", Interrupted),
    ],
)
async def test_what_is_no_http_is_told_apart(sent: bytes, error: type[UpstreamError]) -> None:
    async with raw_server(saying_once(sent)) as server:
        client = UpstreamClient(UpstreamSettings(server.url))
        with pytest.raises(error) as raised:
            await answer(client)
        assert "SECRET" not in str(raised.value)
        await client.close()


@pytest.mark.parametrize("drop", [b"", b"\r\n"])
async def test_a_server_that_only_closes_gave_no_answer(drop: bytes) -> None:
    async with raw_server(saying_once(drop)) as server:
        client = UpstreamClient(UpstreamSettings(server.url))
        with pytest.raises(UpstreamError) as raised:
            await post(client)
        if not drop:
            assert isinstance(raised.value, ConnectFailed)
            assert raised.value.reason is ConnectReason.DISCONNECTED
        # One that is new is not tried again.
        assert server.connections == 1
        await client.close()


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("Deflate", zlib.compress)]
)
async def test_a_server_that_compresses_all_the_same_is_understood(
    upstream: Upstream, client: UpstreamClient, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    text = b"data: hello\n\n" * 50_000
    packed = compress(text)
    halves = (Send(packed[:100]), Pause(0.01), Send(packed[100:]))
    upstream.enqueue(Reply(halves, headers=(("content-encoding", encoding),)))
    assert await answer(client) == text


@pytest.mark.parametrize("encoding", ["", "identity", "Identity "])
async def test_a_body_said_not_to_be_compressed_is_not(
    upstream: Upstream, client: UpstreamClient, encoding: str
) -> None:
    upstream.enqueue(whole_reply("plain", headers=(("content-encoding", encoding),)))
    assert await answer(client) == b"plain"


@pytest.mark.parametrize("status", [200, 413])
async def test_an_answer_before_the_body_was_sent_is_honoured(status: int) -> None:
    read_on, closed = asyncio.Event(), asyncio.Event()

    async def hasty(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 %d Early\r\ncontent-length: 5\r\n\r\nearly" % status)
        await read_on.wait()
        await peer.gone()
        closed.set()

    async with raw_server(hasty) as server:
        client = UpstreamClient(UpstreamSettings(server.url))
        response = await asyncio.wait_for(post(client, bytes(50_000_000)), 10)
        assert (response.status, await body_of(response)) == (status, b"early")
        # Part of the request is missing: nothing else can be said on this connection.
        read_on.set()
        await asyncio.wait_for(closed.wait(), 5)
        await client.close()


async def test_a_refusal_that_comes_early_is_not_kept_waiting_by_the_body() -> None:
    async def refusing(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\ntransfer-encoding: chunked\r\n\r\n")
        await peer.writer.wait_closed()

    async with raw_server(refusing) as server:
        client = UpstreamClient(UpstreamSettings(server.url))
        response = await asyncio.wait_for(post(client, bytes(50_000_000)), 10)
        assert response.status == 413
        await client.close()


async def test_a_success_that_comes_early_still_gets_the_whole_body() -> None:
    received = asyncio.Event()

    async def streaming(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        await peer.reader.readexactly(20_000_000)
        received.set()
        await peer.send(b"2\r\nok\r\n0\r\n\r\n")
        await peer.gone()

    async with raw_server(streaming) as server:
        client = UpstreamClient(UpstreamSettings(server.url))
        response = await post(client, bytes(20_000_000))
        assert await asyncio.wait_for(body_of(response), 10) == b"ok"
        assert received.is_set()
        await client.close()


async def test_close_is_idempotent_and_nothing_is_opened_after_it(upstream: Upstream) -> None:
    client = UpstreamClient(UpstreamSettings(upstream.url))
    upstream.enqueue(whole_reply("ok"))
    await answer(client)
    await client.close()
    await client.close()
    with pytest.raises(ConnectFailed) as raised:
        await post(client)
    assert raised.value.reason is ConnectReason.CLIENT_CLOSED
    assert upstream.connections == 1


async def test_a_client_that_was_never_used_closes() -> None:
    await UpstreamClient(UpstreamSettings("http://models.test")).close()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply((Hang(),), wait_before_head=60), ConnectFailed),
        (Reply((Hang(),)), Interrupted),
        (Reply((Send(b"x"), Hang())), Interrupted),
    ],
    ids=["before the head", "before the first byte", "midway"],
)
async def test_close_ends_calls_in_flight(
    upstream: Upstream, reply: Reply, error: type[UpstreamError]
) -> None:
    client = UpstreamClient(UpstreamSettings(upstream.url))
    upstream.enqueue(reply)
    task = asyncio.create_task(answer(client))
    await upstream.wait_for(lambda u: len(u.requests) == 1)
    await asyncio.sleep(0.05)
    await client.close()
    with pytest.raises(error):
        await asyncio.wait_for(task, 1)
    await upstream.wait_for(lambda u: len(u.closes) == 1)


async def test_closing_while_connections_are_made_leaves_none(upstream: Upstream) -> None:
    upstream.default = lambda _: Reply((Hang(),), wait_before_head=60)
    for turns in range(12):
        client = UpstreamClient(UpstreamSettings(upstream.url))
        task = asyncio.create_task(post(client))
        for _ in range(turns):
            await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ConnectFailed) as raised:
            await asyncio.wait_for(task, 1)
        assert raised.value.reason is ConnectReason.CLIENT_CLOSED


async def test_close_ends_those_who_wait_for_a_connection(upstream: Upstream) -> None:
    client = UpstreamClient(UpstreamSettings(upstream.url, max_connections=1))
    upstream.enqueue(Reply((Hang(),)))
    response = await post(client)
    waiting = [asyncio.create_task(post(client)) for _ in range(3)]
    await asyncio.sleep(0)
    await client.close()
    for result in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(result, ConnectFailed)
        assert result.reason is ConnectReason.CLIENT_CLOSED
    with pytest.raises(Interrupted):
        await response.read()
    response.close()


async def test_a_response_that_was_closed_is_not_read_any_more(
    upstream: Upstream, client: UpstreamClient
) -> None:
    upstream.enqueue(whole_reply("ok"))
    response = await post(client)
    response.close()
    response.close()
    response.release()
    with pytest.raises(Interrupted):
        await response.read()
