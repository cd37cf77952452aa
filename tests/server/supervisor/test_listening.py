"""One port for several processes of ours, and for nobody else."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from pointsman_server.supervisor.listening import Port, reserve


@pytest.fixture
def port() -> Iterator[Port]:
    with closing(reserve("127.0.0.1", 0)) as reserved:
        yield reserved


def connect(port: Port) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port.number), timeout=5)


def test_any_free_port_is_found_and_told(port: Port) -> None:
    assert port.number > 0
    assert port.address == f"127.0.0.1:{port.number}"


def test_a_reserved_port_takes_no_connection(port: Port) -> None:
    """Nobody listens before a worker does."""
    (slot,) = port.slot()
    with slot, pytest.raises(ConnectionRefusedError):
        connect(port)


def test_a_second_parent_is_refused_at_any_time(port: Port) -> None:
    """Else two servers would each get a part of the other's clients, and nobody would know."""

    def second() -> None:
        with pytest.raises(OSError, match="in use"):
            reserve("127.0.0.1", port.number)

    second()
    (one,), (two,) = port.slot(), port.slot()
    with one, two:
        second()
        one.listen()
        second()
    second()


def test_a_port_that_a_plain_server_has_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        reserve("127.0.0.1", other.getsockname()[1])


def test_a_port_can_be_had_again_at_once() -> None:
    """Connections of an earlier server that linger do not stand in the way."""
    with socket.create_server(("127.0.0.1", 0)) as earlier:
        number = earlier.getsockname()[1]
        with socket.create_connection(("127.0.0.1", number)) as client:
            accepted, _ = earlier.accept()
            accepted.close()
            assert client.recv(1) == b""
    with closing(reserve("127.0.0.1", number)) as again:
        (slot,) = again.slot()
        with slot:
            slot.listen()


def test_connections_are_spread_over_the_slots_that_listen(port: Port) -> None:
    """Of 64 connections each of two slots gets some; a third that does not listen gets none."""
    (one,), (two,), (idle,) = port.slot(), port.slot(), port.slot()
    with one, two, idle:
        for slot in (one, two):
            slot.listen(128)
            slot.setblocking(False)
        clients = [connect(port) for _ in range(64)]
        got = [len(accepted(one)), len(accepted(two))]
        for client in clients:
            client.close()
    assert sum(got) == 64
    assert min(got) > 0


def accepted(slot: socket.socket) -> list[int]:
    found: list[int] = []
    while True:
        try:
            connection, _ = slot.accept()
        except BlockingIOError:
            return found
        found.append(connection.fileno())
        connection.close()


def test_a_successor_serves_what_waits_in_the_queue(port: Port) -> None:
    """A socket that is shared keeps its connections when one of its owners closes it."""
    (slot,) = port.slot()
    worker, successor = slot.dup(), slot.dup()
    with slot, successor:
        worker.listen()
        with connect(port) as client:
            worker.close()
            client.sendall(b"still here")
            assert select.select([successor], [], [], 5)[0]
            connection, _ = successor.accept()
            with connection:
                assert connection.recv(100) == b"still here"


def test_every_address_of_a_host_is_on_one_port() -> None:
    """localhost may be 127.0.0.1 and ::1; an IPv6 address is shown in brackets."""
    with closing(reserve("localhost", 0)) as port:
        slots = port.slot()
        assert len(slots) == len(port.holders) >= 1
        assert {s.getsockname()[1] for s in slots} == {port.number}
        for slot in slots:
            slot.close()
    assert Port("::1", 50051, ()).address == "[::1]:50051"


def test_a_host_that_is_not_here_is_refused() -> None:
    with pytest.raises(OSError, match="assign"):
        reserve("192.0.2.1", 0)
