"""Sockets that listen: on one port for all addresses of a host, and with dead peers found."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pointsman_server.transports.listening import adopt, close, forget, listen, turn_away


@pytest.fixture
def keep() -> Iterator[ExitStack]:
    """Closes what is entered into it."""
    with ExitStack() as stack:
        yield stack


def opened(keep: ExitStack, address: str, *, reuse_port: bool = False) -> list[socket.socket]:
    sockets = listen(address, reuse_port=reuse_port, silence_s=20, answer_s=5)
    for one in sockets:
        keep.enter_context(one)
    return sockets


def test_port_0_is_one_port_for_every_address_of_a_host(
    keep: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo

    def both(_: str, port: int, **how: Any) -> Any:
        return [*look_up("127.0.0.1", port, **how), *look_up("::1", port, **how)]

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", both)
        sockets = opened(keep, "localhost:0")
    assert [one.family for one in sockets] == [socket.AF_INET, socket.AF_INET6]
    assert len({one.getsockname()[1] for one in sockets}) == 1
    for one in sockets:
        keep.enter_context(socket.create_connection(one.getsockname()[:2], timeout=5))


def test_addresses_of_ip_6_are_in_brackets(keep: ExitStack) -> None:
    (one,) = opened(keep, "[::1]:0")
    assert one.family == socket.AF_INET6
    keep.enter_context(socket.create_connection(one.getsockname()[:2], timeout=5))


def test_every_address_is_also_every_one_of_ip_4(keep: ExitStack) -> None:
    (one,) = opened(keep, "[::]:0")
    keep.enter_context(socket.create_connection(("127.0.0.1", one.getsockname()[1]), timeout=5))


def test_a_port_that_is_taken_is_said_to_be(keep: ExitStack) -> None:
    (one,) = opened(keep, "127.0.0.1:0")
    address = f"127.0.0.1:{one.getsockname()[1]}"
    with pytest.raises(OSError, match=f"cannot listen on {address}: Address already in use"):
        opened(keep, address)


def test_a_host_that_is_nowhere_is_said_to_be(keep: ExitStack) -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:0"):
        opened(keep, "192.0.2.1:0")


def test_several_may_listen_on_a_port_where_all_say_so(keep: ExitStack) -> None:
    (one,) = opened(keep, "127.0.0.1:0", reuse_port=True)
    address = f"127.0.0.1:{one.getsockname()[1]}"
    opened(keep, address, reuse_port=True)
    with pytest.raises(OSError, match="Address already in use"):
        opened(keep, address)


def test_dead_peers_are_found(keep: ExitStack) -> None:
    """The sockets of connections get this from the one that listens."""
    (one,) = opened(keep, "127.0.0.1:0")
    one.setblocking(True)
    keep.enter_context(socket.create_connection(one.getsockname(), timeout=5))
    accepted = keep.enter_context(one.accept()[0])
    assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 20
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000


def test_a_unix_socket_that_nobody_listens_on_is_taken_over(
    tmp_path: Path, keep: ExitStack
) -> None:
    path = tmp_path / "p.sock"
    (abandoned,) = opened(keep, f"unix:{path}")
    with pytest.raises(OSError, match="Address already in use"):
        opened(keep, f"unix:{path}")
    abandoned.close()
    opened(keep, f"unix:{path}")
    forget(f"unix:{path}")
    assert not path.exists()
    forget(f"unix:{path}")
    forget("127.0.0.1:0")


def test_a_file_that_is_no_socket_is_left_where_it_is(tmp_path: Path, keep: ExitStack) -> None:
    path = tmp_path / "p.sock"
    path.write_text("precious")
    with pytest.raises(OSError, match="cannot listen on unix:"):
        opened(keep, f"unix:{path}")
    assert path.read_text() == "precious"


def test_an_inherited_socket_need_not_listen_yet(keep: ExitStack) -> None:
    bound = keep.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    (one,) = adopt([os.dup(bound.fileno())], silence_s=20, answer_s=5)
    keep.enter_context(one)
    assert not one.get_inheritable()
    keep.enter_context(socket.create_connection(bound.getsockname(), timeout=5))


async def test_clients_are_turned_away_where_nobody_accepts_any_more(keep: ExitStack) -> None:
    sockets = opened(keep, "127.0.0.1:0")
    duplicate = keep.enter_context(sockets[0].dup())
    turn_away(sockets)
    turn_away(sockets)  # and again, as a second stop does
    for _ in range(3):
        reader, writer = await asyncio.open_connection(*duplicate.getsockname())
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    close(sockets)
    assert sockets[0].fileno() == -1
