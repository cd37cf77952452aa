"""A connection on a transport that only takes notes."""

from __future__ import annotations

import asyncio

import pytest
from pointsman_server.upstream.connection import HIGH_WATER_BYTES, Connection
from pointsman_server.upstream.errors import Interrupted, NotHttp, UpstreamError

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Notes(asyncio.Transport):
    """A transport; it takes notes of what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.calls: list[str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def abort(self) -> None:
        self.calls.append("abort")


class Told:
    """A keeper; what it was told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_closed(self, connection: Connection) -> None:
        self.events.append("closed")

    def on_idle_ended(self, connection: Connection) -> None:
        self.events.append("idle ended")

    def on_drained(self, connection: Connection) -> None:
        self.events.append("drained" if connection.reusable else "not drained")


class Wire:
    """A connection, and both of its ends."""

    def __init__(self) -> None:
        self.transport, self.told = Notes(), Told()
        self.buffer = memoryview(bytearray(1 << 20))
        loop = asyncio.get_running_loop()
        self.connection = Connection(loop, self.told, self.buffer)
        self.connection.connection_made(self.transport)

    def arrives(self, data: bytes) -> None:
        self.buffer[: len(data)] = data
        assert self.connection.get_buffer(-1) is self.buffer
        self.connection.buffer_updated(len(data))

    async def asked(self, *answer: bytes) -> Connection:
        asking = asyncio.create_task(self.connection.request(b"head", b"body"))
        await asyncio.sleep(0)
        for data in answer:
            self.arrives(data)
        await asking
        return self.connection


async def test_head_and_body_go_out_in_one_piece() -> None:
    wire = Wire()
    await wire.asked(OK)
    assert wire.transport.written == b"headbody"


async def test_a_connection_with_part_of_a_request_on_its_way_is_not_reusable() -> None:
    wire = Wire()
    connection = await wire.asked(OK)
    wire.transport.unsent = 1
    assert not connection.reusable
    wire.transport.unsent = 0
    assert connection.reusable


async def test_the_peer_is_paused_once_too_much_waits_and_resumed_when_it_is_taken() -> None:
    wire = Wire()
    connection = await wire.asked(b"HTTP/1.1 200 OK\r\n\r\n")
    wire.arrives(b"x" * (HIGH_WATER_BYTES - 100))
    assert wire.transport.calls == []
    wire.arrives(b"x" * 100)
    assert wire.transport.calls == ["pause"]
    assert len(connection.take()) == HIGH_WATER_BYTES
    assert wire.transport.calls == ["pause", "resume"]


@pytest.mark.parametrize("rest", [b"", b"k", b"kk"])
async def test_draining_ends_with_the_response(rest: bytes) -> None:
    wire = Wire()
    connection = await wire.asked(OK[:-1])
    connection.drain()
    if rest:
        wire.arrives(rest)
    else:
        connection.eof_received()
    assert wire.told.events == ["drained" if rest == b"k" else "not drained"]


async def test_draining_is_told_of_once() -> None:
    wire = Wire()
    connection = await wire.asked(OK[:-1])
    connection.drain()
    wire.arrives(b"k")
    connection.idle()
    connection.connection_lost(None)
    assert wire.told.events == ["drained", "idle ended", "closed"]


async def test_what_arrives_while_nobody_asked_ends_the_connection() -> None:
    wire = Wire()
    connection = await wire.asked(OK)
    connection.idle()
    wire.arrives(OK)
    wire.arrives(OK)
    connection.eof_received()
    connection.connection_lost(None)
    assert wire.told.events == ["idle ended", "closed"]
    assert "abort" in wire.transport.calls
    assert not connection.reusable


@pytest.mark.parametrize(("answer", "error"), [((b"\x00",), NotHttp), ((OK[:9], b"\x00"), NotHttp)])
async def test_what_is_no_http_ends_the_connection(
    answer: tuple[bytes, ...], error: type[UpstreamError]
) -> None:
    wire = Wire()
    with pytest.raises(error):
        await wire.asked(*answer)
    assert wire.transport.calls == ["abort"]


async def test_killing_lets_the_reader_know() -> None:
    wire = Wire()
    connection = await wire.asked(OK[:-1])
    arrival = connection.arrival()
    connection.kill()
    await asyncio.wait_for(arrival, 1)
    assert isinstance(connection.failure(), Interrupted)
    assert connection.over
