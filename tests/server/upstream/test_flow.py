"""What a slow reader, or a body that grows when it is unpacked, costs in memory."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc

import pytest
from certificates import Certificates
from pointsman_server.upstream.client import UpstreamClient
from pointsman_server.upstream.connection import HIGH_WATER_BYTES, READ_BUFFER_BYTES
from pointsman_server.upstream.inflate import MAX_PIECE_BYTES
from pointsman_server.upstream.response import UpstreamResponse
from pointsman_server.upstream.settings import UpstreamSettings
from raw_server import Peer, raw_server
from upstream import Reply, Send, Upstream

TOTAL_BYTES = 64 << 20
PIECE_BYTES = 1 << 16


async def post(client: UpstreamClient) -> UpstreamResponse:
    return await client.send(client.prepare("POST", "x", {}), b"")


class Pouring:
    """A server that sends `TOTAL_BYTES` as fast as they are taken, and counts."""

    def __init__(self, framing: bytes) -> None:
        self.framing = framing
        self.sent = 0
        self.ended = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        try:
            await self.pour(peer)
        finally:
            self.ended.set()

    async def pour(self, peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + self.framing + b"\r\n")
        piece = bytes(PIECE_BYTES)
        if b"chunked" in self.framing:
            piece = b"%x\r\n%b\r\n" % (PIECE_BYTES, piece)
        while self.sent < TOTAL_BYTES:
            await peer.send(piece)
            self.sent += PIECE_BYTES
        await peer.send(b"0\r\n\r\n" if b"chunked" in self.framing else b"")


CHUNKED = b"transfer-encoding: chunked\r\n"
SIZED = b"content-length: %d\r\n" % TOTAL_BYTES


@pytest.mark.parametrize(
    ("scheme", "framing"), [("http", CHUNKED), ("http", SIZED), ("http", b""), ("https", CHUNKED)]
)
async def test_a_slow_reader_pauses_the_provider_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, certificates: Certificates, scheme: str, framing: bytes
) -> None:
    """RELIABILITY, row 34: a bounded buffer, and the upstream paused."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    pouring = Pouring(framing)
    tls = certificates.server_context() if scheme == "https" else None
    async with raw_server(pouring, tls) as server:
        client = UpstreamClient(UpstreamSettings(f"{scheme}://127.0.0.1:{server.port}"))
        response = await post(client)
        before = -1
        while pouring.sent != before:
            before = pouring.sent
            await asyncio.sleep(0.05)
        # What the kernel holds for both sides comes on top of what the client does.
        assert pouring.sent < TOTAL_BYTES / 2
        assert response._connection is not None
        held = sum(len(piece) for piece in response._connection.parser.pieces)
        assert held <= HIGH_WATER_BYTES + READ_BUFFER_BYTES
        received = 0
        while piece := await response.read():
            assert len(piece) <= HIGH_WATER_BYTES + READ_BUFFER_BYTES
            received += len(piece)
        assert received == TOTAL_BYTES
        await client.close()


async def test_a_slow_reader_who_leaves_leaves_a_connection_that_closes() -> None:
    pouring = Pouring(SIZED)
    async with raw_server(pouring) as server:
        client = UpstreamClient(UpstreamSettings(server.url))
        response = await post(client)
        await asyncio.sleep(0.1)
        response.release()
        await asyncio.wait_for(pouring.ended.wait(), 0.9)
        assert client._leases.pool.leased == 0
        await client.close()


async def test_a_compression_bomb_takes_no_more_memory_than_its_pieces(
    upstream: Upstream, client: UpstreamClient
) -> None:
    """RELIABILITY, row 33: memory + at most 10 MB."""
    bomb = gzip.compress(bytes(50 << 20))
    steps = [Send(bomb[at : at + 10_000]) for at in range(0, len(bomb), 10_000)]
    upstream.enqueue(Reply(steps, headers=(("content-encoding", "gzip"),)))
    response = await post(client)
    tracemalloc.start()
    received = 0
    while piece := await response.read():
        assert len(piece) <= MAX_PIECE_BYTES
        received += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert received == 50 << 20
    assert peak < 2 << 20


async def test_a_compression_bomb_is_not_unpacked_beyond_the_bound(
    upstream: Upstream, client: UpstreamClient
) -> None:
    bomb = gzip.compress(bytes(64 << 20))
    upstream.enqueue(Reply((Send(bomb),), headers=(("content-encoding", "gzip"),)))
    response = await post(client)
    assert len(await response.read_bounded(1000)) == 1000
    response.close()


async def test_others_have_their_turn_while_much_is_unpacked(
    upstream: Upstream, client: UpstreamClient
) -> None:
    """RELIABILITY, row 36."""
    bomb = gzip.compress(bytes(20 << 20))
    upstream.enqueue(Reply((Send(bomb),), headers=(("content-encoding", "gzip"),)))
    response = await post(client)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    pieces = 0
    while await response.read():
        pieces += 1
    task.cancel()
    assert turns >= pieces - 5
