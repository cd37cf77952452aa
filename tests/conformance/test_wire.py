"""The protocol itself, frame by frame: what is answered to requests that no stock client sends.

By gRPC's PROTOCOL-HTTP2.md, compression.md and statuscodes.md, and RFC 9113.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from pointsman.v1 import router_service_pb2
from raw_http2 import (
    MAX_CONCURRENT_STREAMS,
    Http2,
    Response,
    grpc_headers,
    http2,
    message,
)
from served import Served, ask, serving, text_of, user
from transports import over
from upstream import Hang, Reply

CLASSIFY = "/pointsman.v1.RouterService/Classify"
COMPLETE = "/pointsman.v1.RouterService/Complete"
CHAT = "/pointsman.v1.RouterService/Chat"

OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED = "0", "3", "4", "8"
UNIMPLEMENTED, INTERNAL = "12", "13"
REFUSED_STREAM = 7

REQUEST = message(ask().SerializeToString())


@pytest.fixture
async def wire(alive: Served) -> AsyncIterator[Http2]:
    """A connection to a server that must still serve when the test is over."""
    async with http2(alive.address) as connection:
        yield connection


def text(response: Response) -> str:
    parsed = map(router_service_pb2.CompleteResponse.FromString, response.messages())
    return "".join(text_of(one.events) for one in parsed)


def check_answered(response: Response) -> None:
    assert response.headers[":status"] == "200"
    assert response.headers["content-type"].startswith("application/grpc")
    assert text(response) == "Hello, world"
    assert response.trailers["grpc-status"] == OK
    assert response.ended


async def test_an_answer_is_headers_messages_and_trailers(wire: Http2) -> None:
    response = await wire.call(grpc_headers(COMPLETE), REQUEST)
    check_answered(response)
    assert len(response.blocks) == 2
    assert "grpc-status" not in response.headers


async def test_an_error_before_any_message_is_trailers_only_or_with_headers(wire: Http2) -> None:
    response = await wire.call(grpc_headers(COMPLETE), message(b""))
    assert response.headers[":status"] == "200"
    assert response.headers["content-type"].startswith("application/grpc")
    assert response.trailers["grpc-status"] == INVALID_ARGUMENT
    assert not response.data


@pytest.mark.parametrize("size", [1, 3, 5, 6, 100])
async def test_a_message_may_come_in_pieces_of_any_size(size: int, wire: Http2) -> None:
    pieces = [REQUEST[i : i + size] for i in range(0, len(REQUEST), size)]
    check_answered(await wire.call(grpc_headers(COMPLETE), *pieces))


async def test_several_messages_may_come_in_one_piece(wire: Http2) -> None:
    setup, turn = router_service_pb2.ChatRequest(), router_service_pb2.ChatRequest()
    setup.setup.SetInParent()
    turn.turn.turn_id = "a"
    turn.turn.messages.append(user("hi"))
    together = message(setup.SerializeToString()) + message(turn.SerializeToString())
    response = await wire.call(grpc_headers(CHAT), together)
    said = map(router_service_pb2.ChatResponse.FromString, response.messages())
    assert "".join(text_of(one.events.events) for one in said) == "Hello, world"
    assert response.trailers["grpc-status"] == OK


@pytest.mark.parametrize(
    "content_type",
    ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"],
)
async def test_content_types_that_are_grpc(content_type: str, wire: Http2) -> None:
    headers = grpc_headers(COMPLETE, ("content-type", content_type), without="content-type")
    check_answered(await wire.call(headers, REQUEST))


@pytest.mark.parametrize("content_type", ["", "application/json", "text/html"])
async def test_content_types_that_are_not_grpc(
    content_type: str, transport: str, wire: Http2
) -> None:
    more = [("content-type", content_type)] if content_type else []
    response = await wire.call(grpc_headers(COMPLETE, *more, without="content-type"), REQUEST)
    if transport == "grpc":  # whose library takes any
        check_answered(response)
    else:
        assert response.headers[":status"] == "415"
        assert text(response) == ""


async def test_a_method_other_than_post_is_refused(alive: Served, wire: Http2) -> None:
    response = await wire.call(grpc_headers(COMPLETE, (":method", "PUT")), REQUEST)
    refused = response.reset is not None or response.headers[":status"] in ("404", "405", "415")
    assert refused or response.trailers["grpc-status"] != OK
    assert not alive.one.requests


@pytest.mark.parametrize("value", ["soon", "-1S", "1", "1 S", "S", "123456789S", "1s", "0x1S"])
async def test_a_timeout_that_is_none_is_refused_or_as_if_it_were_not_there(
    value: str, wire: Http2
) -> None:
    response = await wire.call(grpc_headers(COMPLETE, ("grpc-timeout", value)), REQUEST)
    if response.reset is None and response.trailers["grpc-status"] == OK:
        check_answered(response)
    else:
        refusals = (INVALID_ARGUMENT, INTERNAL, DEADLINE_EXCEEDED)
        assert response.reset is not None or response.trailers["grpc-status"] in refusals


@pytest.mark.parametrize("value", ["8H", "99999999M", "60S", "60000m", "60000000u", "99999999n"])
async def test_timeouts_in_every_unit(value: str, wire: Http2) -> None:
    response = await wire.call(grpc_headers(COMPLETE, ("grpc-timeout", value)), REQUEST)
    check_answered(response)


async def test_a_timeout_of_milliseconds_is_kept(alive: Served, wire: Http2) -> None:
    alive.one.enqueue(Reply([Hang()]))
    response = await wire.call(grpc_headers(COMPLETE, ("grpc-timeout", "300m")), REQUEST)
    assert response.trailers["grpc-status"] == DEADLINE_EXCEEDED
    assert "grpc-status-details-bin" in response.trailers


async def test_an_encoding_that_is_not_known_is_refused(transport: str, wire: Http2) -> None:
    headers = grpc_headers(COMPLETE, ("grpc-encoding", "zstandard"))
    response = await wire.call(headers, message(b"x", compressed=True))
    if transport == "grpc":  # whose library cannot parse the name, and says no more
        assert response.trailers["grpc-status"] == INTERNAL
    else:
        assert response.trailers["grpc-status"] == UNIMPLEMENTED
        accepted = response.headers["grpc-accept-encoding"]
        assert "gzip" in accepted
        assert "zstandard" not in accepted


async def test_a_compressed_message_without_an_encoding_is_refused(wire: Http2) -> None:
    response = await wire.call(grpc_headers(COMPLETE), message(b"x", compressed=True))
    assert response.reset is not None or response.trailers["grpc-status"] == INTERNAL


async def test_a_compressed_message_that_does_not_inflate_is_refused(wire: Http2) -> None:
    headers = grpc_headers(COMPLETE, ("grpc-encoding", "gzip"))
    response = await wire.call(headers, message(b"not gzip", compressed=True))
    refusals = (INTERNAL, INVALID_ARGUMENT)
    assert response.reset is not None or response.trailers["grpc-status"] in refusals


@pytest.mark.parametrize("pieces", [(), (b"\0\0",), (REQUEST[:-1],), (b"\0\0\0\1\0x",)])
async def test_a_request_without_a_whole_message_is_refused(
    pieces: tuple[bytes, ...], transport: str, alive: Served, wire: Http2
) -> None:
    stream = wire.open(grpc_headers(COMPLETE))
    for piece in pieces:
        wire.send(stream, piece)
    wire.send(stream, b"", end=True)
    if transport == "grpc":  # whose library drops such calls, and tells nobody
        await asyncio.sleep(0.2)
        assert not wire.streams[stream].done
    else:
        response = await wire.response(stream)
        assert response.trailers["grpc-status"] == INVALID_ARGUMENT
    assert not alive.one.requests
    assert alive.in_flight == 0


async def test_a_length_without_end_is_refused_before_it_comes(wire: Http2) -> None:
    stream = wire.open(grpc_headers(COMPLETE))
    wire.send(stream, b"\0\xff\xff\xff\xff" + b"x" * 100)
    response = await wire.response(stream)
    refusals = (INVALID_ARGUMENT, RESOURCE_EXHAUSTED)
    assert response.trailers["grpc-status"] in refusals


async def test_pings_are_answered(wire: Http2) -> None:
    await wire.call(grpc_headers(COMPLETE), REQUEST)
    wire.ping(b"pingpong")
    await wire.wait_for(lambda: wire.pongs == [b"pingpong"])
    assert wire.goaway is None


async def test_the_limit_of_streams_is_announced_and_kept(tmp_path: Path, transport: str) -> None:
    limit = ", drain: 5s, max_concurrent_streams: 3"
    async with serving(tmp_path, over(transport, limit)) as served:
        served.one.default = lambda request: Reply([Hang()])
        async with http2(served.address) as connection:
            await connection.wait_for(lambda: bool(connection.settings))
            assert connection.settings[MAX_CONCURRENT_STREAMS] == 3
            await asyncio.sleep(0.05)  # the server keeps the limit once it knows that we know it
            streams = [connection.open(grpc_headers(COMPLETE)) for _ in range(6)]
            for stream in streams:
                connection.send(stream, REQUEST, end=True)
            found = [connection.streams[stream] for stream in streams]
            await connection.wait_for(lambda: sum(one.done for one in found) == 3)
            assert [one.reset for one in found] == [None] * 3 + [REFUSED_STREAM] * 3
            await served.one.wait_for(lambda u: len(u.requests) == 3)
            assert not connection.closed


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        b"\xff" * 10_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 1000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\xff",
        b"PRI * HTTP/2.0\r\n",
        b"",
    ],
    ids=["get", "post", "noise", "tls", "bad frames", "bad header block", "half", "nothing"],
)
async def test_what_is_not_http2_harms_nobody(data: bytes, alive: Served) -> None:
    host, _, port = alive.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    with suppress(OSError):  # a server may well hang up on such a client
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(5):
            while await reader.read(65536):
                pass
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
