"""What the parent and its workers say to each other."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.supervisor.messages import (
    Failed,
    FromWorker,
    Order,
    ProtocolError,
    Ready,
    Report,
    Seat,
    decode,
    decode_order,
    decode_seat,
    encode,
    encode_seat,
)
from pointsman_server.supervisor.plan import (
    Plan,
    decode_plan,
    encode_plan,
    host_port,
    written,
)

READY = Ready(
    adopted=True,
    workers=2,
    address="127.0.0.1:0",
    metrics="",
    drain_s=30.0,
    config="pointsman.yaml",
    config_digest="0f",
    classifier="pointsman-2",
    models=["one/a", "two/ü"],
)
SEAT = Seat(1, 7, [5, 6], "localhost:50051", 8, "/etc/pointsman.yaml")


@pytest.mark.parametrize("message", [READY, Failed("it\ncannot", 2), Report("a 1.0\nb 2.0\n")])
def test_a_message_is_a_line_and_comes_through_as_it_is(message: FromWorker) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message


@pytest.mark.parametrize("order", list(Order))
def test_orders_come_through(order: Order) -> None:
    assert decode_order(encode(order)) is order


def test_a_seat_and_a_plan_survive_the_command_line() -> None:
    assert decode_seat(encode_seat(SEAT)) == SEAT
    plan = Plan(["serve", "-c", "x"], 4, "127.0.0.1:0", "127.0.0.1:9464", "x", banner=True)
    assert decode_plan(encode_plan(plan)) == plan


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:2", "localhost:0"])
def test_an_address_is_two_parts_and_back(address: str) -> None:
    assert written(host_port(address)) == address
    assert written(None) == ""


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b'{"kind": "ready"}',
        b'{"kind": "failed", "message": 1, "exit_code": 1}',
        b'{"kind": "failed", "message": "x", "exit_code": "1"}',
        b'{"kind": "report"}',
        b'{"kind": "other", "text": ""}',
        encode(READY).replace(b"30.0", b'"30"'),
        encode(READY).replace(b'["one/a", "two/\\u00fc"]', b'"one/a"'),
    ],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(line)


def test_what_is_no_seat_is_refused() -> None:
    for text in ("", "{}", encode_seat(SEAT).replace("[5, 6]", '["5"]')):
        with pytest.raises(ProtocolError):
            decode_seat(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_protocol_error(line: bytes) -> None:
    """Nothing else is raised."""
    for read in (decode, decode_order):
        with suppress(ProtocolError):
            read(line)


@given(st.text(), st.integers(0, 255))
def test_any_failure_comes_through(text: str, code: int) -> None:
    """Also one whose text has lines, quotes or odd characters, surrogates included."""
    failed = replace(Failed("", code), message=text)
    assert decode(encode(failed)) == failed
