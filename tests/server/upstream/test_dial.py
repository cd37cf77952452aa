from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping

import pytest
from pointsman_server.upstream.dial import STAGGER_S, Address, dial, first_to_answer, in_turn
from virtual_time import now, virtual_time

V4, V6 = socket.AF_INET, socket.AF_INET6


def address(family: socket.AddressFamily, host: str) -> Address:
    return (family, (host, 80))


A, B, C = (address(V6, "a"), address(V4, "b"), address(V4, "c"))


class Net:
    """Addresses that answer after a while, or refuse then."""

    def __init__(self, answers: Mapping[str, tuple[float, bool]]) -> None:
        self.answers = answers
        self.begun: list[tuple[str, float]] = []
        self.cancelled: list[str] = []
        self.sockets: dict[str, socket.socket] = {}

    async def connect(self, peer: Address) -> socket.socket:
        host = str(peer[1][0])
        self.begun.append((host, now()))
        delay, accepted = self.answers[host]
        try:
            await asyncio.sleep(delay)
        except asyncio.CancelledError:
            self.cancelled.append(host)
            raise
        if not accepted:
            raise ConnectionRefusedError(host)
        self.sockets[host] = socket.socket()
        return self.sockets[host]

    async def dialled(self, *addresses: Address) -> str:
        winner = await first_to_answer(addresses, self.connect, STAGGER_S)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        (host,) = (h for h, s in self.sockets.items() if s is winner)
        # All others are closed.
        assert [h for h, s in self.sockets.items() if s.fileno() != -1] == [host]
        winner.close()
        return host


def test_the_families_take_turns() -> None:
    v6 = [address(V6, name) for name in "123"]
    v4 = [address(V4, name) for name in "ab"]
    assert in_turn([*v6, *v4]) == [v6[0], v4[0], v6[1], v4[1], v6[2]]
    assert in_turn(v4) == v4


@virtual_time
async def test_one_address_is_simply_connected_to() -> None:
    net = Net({"a": (5.0, True)})
    assert await net.dialled(A) == "a"


@virtual_time
async def test_an_address_that_answers_in_time_is_the_only_one_tried() -> None:
    net = Net({"a": (STAGGER_S / 2, True), "b": (0.0, True)})
    assert await net.dialled(A, B) == "a"
    assert [host for host, _ in net.begun] == ["a"]


@virtual_time
async def test_a_black_hole_costs_no_more_than_the_stagger() -> None:
    net = Net({"a": (1000.0, True), "b": (0.01, True)})
    start = now()
    assert await net.dialled(A, B) == "b"
    assert now() - start == pytest.approx(STAGGER_S + 0.01)
    assert net.cancelled == ["a"]


@virtual_time
async def test_a_refusal_is_not_waited_after() -> None:
    net = Net({"a": (0.01, False), "b": (0.01, True)})
    start = now()
    assert await net.dialled(A, B) == "b"
    assert now() - start == pytest.approx(0.02)


@virtual_time
async def test_the_slow_may_still_win() -> None:
    net = Net({"a": (STAGGER_S + 0.01, True), "b": (5.0, True), "c": (0.0, True)})
    assert await net.dialled(A, B, C) == "a"
    assert [host for host, _ in net.begun] == ["a", "b"]


@virtual_time
async def test_of_two_that_answer_at_once_one_is_closed() -> None:
    net = Net({"a": (STAGGER_S + 0.01, True), "b": (0.01, True)})
    assert await net.dialled(A, B) in ("a", "b")


@virtual_time
async def test_if_none_answers_the_preferred_one_says_why() -> None:
    net = Net({"a": (0.01, False), "b": (1.0, False), "c": (0.01, False)})
    with pytest.raises(ConnectionRefusedError, match="a"):
        await first_to_answer([A, B, C], net.connect, STAGGER_S)


@virtual_time
async def test_cancelling_ends_every_attempt() -> None:
    net = Net({"a": (1000.0, True), "b": (1000.0, True)})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(first_to_answer([A, B], net.connect, STAGGER_S), 1.0)
    await asyncio.sleep(0)
    assert sorted(net.cancelled) == ["a", "b"]


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".test"])
async def test_a_name_that_none_can_have_does_not_resolve(host: str) -> None:
    with pytest.raises(socket.gaierror):
        await dial(host, 80)
