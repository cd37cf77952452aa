"""Bytes give a message or an `InvalidRequest` that says where they are wrong, and quickly."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from google.protobuf.message import Message
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pointsman.v1 import (
    admin_service_pb2,
    message_pb2,
    registry_service_pb2,
    router_service_pb2,
)
from pointsman_server.api.wire import parse
from pointsman_server.domain.errors import InvalidRequest

REQUESTS: tuple[type[Message], ...] = (
    router_service_pb2.CompleteRequest,
    router_service_pb2.ClassifyRequest,
    router_service_pb2.RouteRequest,
    router_service_pb2.ChatRequest,
    registry_service_pb2.ListModelsRequest,
    registry_service_pb2.GetModelRequest,
    admin_service_pb2.GetServerInfoRequest,
)
LIMIT = 1 << 23
BAD = b"\xff\xfe"


def field(number: int, value: bytes) -> bytes:
    """A length-delimited field, as the wire has it."""
    length, encoded = len(value), b""
    while length > 0x7F:
        encoded += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + encoded + bytes([length]) + value


def refusal(kind: type[Message], data: bytes, limit: int = LIMIT) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse(kind, data, limit)
    (violation,) = caught.value.violations
    return violation.field, violation.description


def test_a_message_survives() -> None:
    message = router_service_pb2.CompleteRequest(
        messages=[message_pb2.Message(role=2, parts=[message_pb2.Part(text="héllo")])]  # type: ignore[arg-type]
    )
    message.context.tags["a"] = "b"
    assert parse(type(message), message.SerializeToString(), LIMIT) == message
    assert parse(type(message), b"", 0) == router_service_pb2.CompleteRequest()


def test_fields_of_a_later_version_are_no_fault() -> None:
    later = field(15, b"from the future") + bytes([14 << 3, 7])
    assert parse(router_service_pb2.ClassifyRequest, later, LIMIT) is not None


def test_the_limit_is_exact() -> None:
    data = field(8, b"x" * 98)
    assert len(data) == 100
    parse(router_service_pb2.CompleteRequest, data, 100)
    path, why = refusal(router_service_pb2.CompleteRequest, data, 99)
    assert (path, why) == ("", "the request has 100 bytes; the limit is 99")


PART_TEXT = field(2, field(1, BAD))
GOOD_PART = field(2, field(1, b"ok"))
USER = bytes([1 << 3, 2])

PATHS = {
    "request_id": field(8, BAD),
    "messages[0].parts[0].text": field(1, USER + PART_TEXT),
    "messages[1].parts[2].text": (
        field(1, USER + GOOD_PART) + field(1, USER + GOOD_PART * 2 + PART_TEXT)
    ),
    "messages[0].parts[0].tool_call.arguments_json": field(
        1, field(2, field(2, field(1, b"id") + field(3, BAD)))
    ),
    "messages[0].parts[0].tool_result.text": field(1, field(2, field(3, field(2, BAD)))),
    "context.user_id": field(2, field(1, BAD)),
    "context.tags[0].key": field(2, field(3, field(1, BAD) + field(2, b"v"))),
    "context.tags[1].value": field(
        2, field(3, field(1, b"k")) + field(3, field(1, b"l") + field(2, BAD))
    ),
    "overrides.task_type": field(3, field(1, BAD)),
    "constraints.allowed_models[1]": field(4, field(1, b"a") + field(1, BAD)),
    "constraints.allowed_regions[0]": field(4, field(6, BAD)),
    "generation.stop_sequences[1]": field(5, field(5, b"a") + field(5, BAD)),
    "generation.tools[0].description": field(5, field(6, field(1, b"f") + field(2, BAD))),
    "generation.response_json_schema": field(5, field(7, BAD)),
}


@pytest.mark.parametrize("path", PATHS)
def test_text_that_is_not_utf8_is_named(path: str) -> None:
    assert refusal(router_service_pb2.CompleteRequest, PATHS[path]) == (path, "is not valid UTF-8")


@pytest.mark.parametrize("text", [b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xc3"])
def test_what_utf8_does_not_allow(text: bytes) -> None:
    data = field(1, USER + field(2, field(1, text)))
    path, _ = refusal(router_service_pb2.CompleteRequest, data)
    assert path == "messages[0].parts[0].text"


def test_text_that_is_not_utf8_after_other_kinds_of_fields() -> None:
    head = bytes([7 << 3, 1])  # a boolean
    head += bytes([20 << 3 & 0x7F | 0x80, 1]) + b"\xac\x02"  # an unknown varint: tag and value
    head += bytes([0b1011 << 3 | 1]) + b"\0" * 8  # an unknown fixed64
    head += bytes([0b1011 << 3 | 5]) + b"\0" * 4  # an unknown fixed32
    assert refusal(router_service_pb2.CompleteRequest, head + field(8, BAD))[0] == "request_id"


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"\x00",
        b"garbage",
        b"\x0a\xff",
        b"\x0a\x05abc",
        field(1, b"\xff"),
        b"\x0b" * 50,  # groups that never end
        b"\x0c",
        b"\x0a" + b"\xff" * 10 + b"\x01",
    ],
)
def test_garbage_is_a_fault_of_the_whole_message(data: bytes) -> None:
    path, why = refusal(router_service_pb2.CompleteRequest, data)
    assert path == ""
    assert why == "the bytes are not a pointsman.v1.CompleteRequest"


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 4_000_000,  # one varint without end
        b"\x0a\x00" * 2_000_000 + field(8, BAD),  # two million empty messages
        field(1, b"\x12\x00" * 2_000_000 + BAD),
        b"\x0b" * 4_000_000,
    ],
)
def test_a_refusal_takes_no_time(data: bytes) -> None:
    started = time.perf_counter()
    refusal(router_service_pb2.CompleteRequest, data)
    assert time.perf_counter() - started < 1


def nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = field(1, data)
    return data


@settings(max_examples=500, deadline=None)
@given(kind=st.sampled_from(REQUESTS), data=st.binary(max_size=200))
@example(kind=REQUESTS[0], data=nested(500))
def test_random_bytes_give_a_message_or_an_invalid_request(
    kind: type[Message], data: bytes
) -> None:
    with suppress(InvalidRequest):
        assert isinstance(parse(kind, data, LIMIT), kind)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_a_valid_request_with_bytes_changed_gives_a_message_or_an_invalid_request(
    data: st.DataObject,
) -> None:
    good = bytearray(
        field(1, USER + GOOD_PART)
        + field(2, field(3, field(1, b"k") + field(2, b"v")))
        + field(5, field(6, field(1, b"tool") + field(3, b"{}")))
        + field(8, b"0198c0de-0000-4000-8000-000000000000")
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good) - 1))
        good[at] = data.draw(st.integers(0, 255))
    with suppress(InvalidRequest):
        parse(router_service_pb2.CompleteRequest, bytes(good), LIMIT)
