from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import faults
import pytest
from fault_proxy import FaultProxy, fault_proxy
from faults import Action, Close, Fault, Shaper, Stall, Wait
from hypothesis import given
from hypothesis import strategies as st

RESPONSE = b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\ndata: 2\n\ndata: 3\n\n"
REQUEST = b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi"


class Server:
    """Sends `RESPONSE` for whatever comes first, then waits for the client to go."""

    def __init__(self) -> None:
        self.received = b""
        self.connections = 0
        self.gone = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.received += await reader.read(1 << 16)
        writer.write(RESPONSE)
        await reader.read()
        self.gone.set()
        writer.close()


@pytest.fixture(params=["tcp", "unix"])
async def pair(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Server, FaultProxy]]:
    server = Server()
    if request.param == "tcp":
        listening = await asyncio.start_server(server, "127.0.0.1", 0)
        target: tuple[str, int] | Path = listening.sockets[0].getsockname()
    else:
        target = tmp_path / "s"
        listening = await asyncio.start_unix_server(server, target)
    async with fault_proxy(target) as proxy:
        yield server, proxy
    listening.close()
    await listening.wait_closed()


async def talk(proxy: FaultProxy, expect: int | None = None) -> bytes:
    """Send a request; read so many bytes, or all there is."""
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    try:
        writer.write(REQUEST)
        if expect is not None:
            return await reader.readexactly(expect)
        return await reader.read()
    finally:
        writer.close()


async def test_passes_everything_through_by_default(pair: tuple[Server, FaultProxy]) -> None:
    server, proxy = pair
    assert await talk(proxy, len(RESPONSE)) == RESPONSE
    await server.gone.wait()
    assert server.received == REQUEST
    assert (proxy.connections, proxy.bytes_to_server) == (1, len(REQUEST))
    assert proxy.bytes_to_client == len(RESPONSE)


async def test_a_client_that_leaves_is_seen_by_the_server_at_once(
    pair: tuple[Server, FaultProxy],
) -> None:
    server, proxy = pair
    await talk(proxy, 5)
    left = asyncio.get_running_loop().time()
    await asyncio.wait_for(server.gone.wait(), 1)
    await proxy.wait_for(lambda p: bool(p.closes))
    (close,) = proxy.closes
    assert close.side == "client"
    assert close.at - left < 0.1


@pytest.mark.parametrize(
    ("fault", "received"),
    [
        (faults.CutAfterBytes(0), b""),
        (faults.CutAfterBytes(7), RESPONSE[:7]),
        (faults.CutAfterEvents(2), RESPONSE[: RESPONSE.index(b"data: 3")]),
        (faults.server_error(), faults.server_error().response),
        (faults.nothing(), b""),
    ],
)
async def test_ends_cleanly_where_it_is_told(
    pair: tuple[Server, FaultProxy], fault: Fault, received: bytes
) -> None:
    server, proxy = pair
    proxy.enqueue(fault)
    assert await talk(proxy) == received
    await proxy.wait_for(lambda p: bool(p.closes))
    assert [close.side for close in proxy.closes] == ["proxy"]
    assert server.connections == (0 if isinstance(fault, faults.Canned) else 1)


@pytest.mark.parametrize(
    "fault", [faults.CutAfterBytes(7, reset=True), faults.CutAfterEvents(1, reset=True)]
)
async def test_resets_where_it_is_told(pair: tuple[Server, FaultProxy], fault: Fault) -> None:
    _, proxy = pair
    proxy.enqueue(fault)
    with pytest.raises(ConnectionResetError):
        await talk(proxy)


async def test_stalls_with_the_connection_open(pair: tuple[Server, FaultProxy]) -> None:
    _, proxy = pair
    proxy.enqueue(faults.StallAfterBytes(9))
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    writer.write(REQUEST)
    assert await reader.readexactly(9) == RESPONSE[:9]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.05)
    assert not proxy.closes
    writer.close()
    await proxy.wait_for(lambda p: [close.side for close in p.closes] == ["client"])


async def test_delays_the_first_byte(pair: tuple[Server, FaultProxy]) -> None:
    _, proxy = pair
    proxy.enqueue(faults.Delay(0.1))
    started = asyncio.get_running_loop().time()
    assert await talk(proxy, len(RESPONSE)) == RESPONSE
    assert asyncio.get_running_loop().time() - started >= 0.1


async def test_drips(pair: tuple[Server, FaultProxy]) -> None:
    _, proxy = pair
    proxy.enqueue(faults.Drip(10, 0.01))
    started = asyncio.get_running_loop().time()
    assert await talk(proxy, len(RESPONSE)) == RESPONSE
    assert asyncio.get_running_loop().time() - started >= 0.03


async def test_slips_garbage_in(pair: tuple[Server, FaultProxy]) -> None:
    _, proxy = pair
    proxy.enqueue(faults.GarbageAfterBytes(20, b"!!!"))
    assert await talk(proxy, len(RESPONSE) + 3) == RESPONSE[:20] + b"!!!" + RESPONSE[20:]


async def test_each_connection_consumes_one_fault(pair: tuple[Server, FaultProxy]) -> None:
    server, proxy = pair
    proxy.enqueue(faults.rate_limited(7), faults.web_page())
    assert b"\r\nretry-after: 7\r\n" in await talk(proxy)
    assert (await talk(proxy)).endswith(b"</html>")
    assert await talk(proxy, len(RESPONSE)) == RESPONSE
    assert (proxy.connections, server.connections) == (3, 1)


async def test_a_server_that_is_away_is_a_closed_connection(tmp_path: Path) -> None:
    async with fault_proxy(tmp_path / "nobody") as proxy:
        assert await talk(proxy) == b""
        assert [close.side for close in proxy.closes] == ["server"]


def shaped(fault: Fault, pieces: list[bytes]) -> tuple[bytes, list[Action]]:
    """What goes through until a close or a stall, and the other actions."""
    shaper = Shaper(fault)
    through = b""
    others: list[Action] = []
    for actions in (shaper.start(), *(shaper.feed(piece) for piece in pieces)):
        for action in actions:
            if isinstance(action, bytes):
                through += action
            else:
                others.append(action)
            if isinstance(action, Close | Stall):
                return through, others
    return through, others


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(at), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


CUTS = st.lists(st.integers(0, len(RESPONSE)), max_size=8)


@given(CUTS, st.integers(0, len(RESPONSE)), st.booleans())
def test_bytes_are_counted_alike_however_they_come(at: list[int], count: int, reset: bool) -> None:
    pieces = cut(RESPONSE, at)
    assert shaped(faults.CutAfterBytes(count, reset), pieces) == (RESPONSE[:count], [Close(reset)])
    assert shaped(faults.StallAfterBytes(count), pieces) == (RESPONSE[:count], [Stall()])


@given(CUTS, st.integers(1, len(RESPONSE)))
def test_garbage_comes_once_and_in_its_place(at: list[int], count: int) -> None:
    through, _ = shaped(faults.GarbageAfterBytes(count, b"!!!"), cut(RESPONSE, at))
    assert through == RESPONSE[:count] + b"!!!" + RESPONSE[count:]


@given(CUTS, st.integers(1, 3))
def test_events_are_counted_alike_however_they_come(at: list[int], count: int) -> None:
    end = RESPONSE.index(b"data: %d" % (count + 1)) if count < 3 else len(RESPONSE)
    through, others = shaped(faults.CutAfterEvents(count), cut(RESPONSE, at))
    assert (through, others) == (RESPONSE[:end], [Close(reset=False)])


def test_a_delay_is_waited_once_and_a_drip_at_each_tick() -> None:
    assert shaped(faults.Delay(2), [b"ab", b"cd"]) == (b"abcd", [Wait(2)])
    assert shaped(faults.Drip(2, 1), [b"abc", b"d"]) == (b"abcd", [Wait(1)] * 3)
