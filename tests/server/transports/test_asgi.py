"""gRPC calls over ASGI's events, with no server and no network: what is sent, when, and why not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from asgi_client import HEADERS, MAX_BYTES, Application, application, framed, request, scope
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from pointsman_server.api.call import BidiStream, Call, ServerStream, Unary
from pointsman_server.domain.errors import NotFound
from virtual_time import now, virtual_time

HELLO = framed(StringValue(value="hello").SerializeToString())


async def echo(message: StringValue, call: Call) -> StringValue:
    call.headers["x-h"] = "1"
    call.trailers["x-t"] = "2"
    return message


async def twice(message: StringValue, _: Call) -> AsyncGenerator[StringValue, None]:
    yield message
    yield message


async def each(messages: AsyncIterator[StringValue], _: Call) -> AsyncGenerator[Any, None]:
    async for message in messages:
        yield message


async def hang(*_: object) -> StringValue:
    await asyncio.Event().wait()
    raise AssertionError


def echoing() -> Application:
    return application(
        Unary=Unary(StringValue, echo),
        Stream=ServerStream(StringValue, twice),
        Bidi=BidiStream(StringValue, each),
    )


def messages_in(body: bytes) -> list[str]:
    found = []
    while body:
        end = 5 + int.from_bytes(body[1:5], "big")
        found.append(StringValue.FromString(body[5:end]).value)
        body = body[end:]
    return found


@virtual_time
async def test_a_unary_call() -> None:
    client = await echoing().call("Unary", request(HELLO))
    assert [event["type"].removeprefix("http.response.") for event in client.sent] == [
        "start",
        "body",
        "trailers",
    ]
    assert client.sent[0]["trailers"] is True
    assert client.headers == {b"content-type": b"application/grpc", b"x-h": b"1"}
    assert client.sent[1]["more_body"] is False
    assert messages_in(client.body) == ["hello"]
    assert client.trailers == {b"grpc-status": b"0", b"x-t": b"2"}


@virtual_time
async def test_a_request_may_come_in_any_pieces() -> None:
    for pieces in ([HELLO[:3], HELLO[3:]], [b"", HELLO], [HELLO, b""], [bytes([b]) for b in HELLO]):
        client = await echoing().call("Unary", request(*pieces))
        assert messages_in(client.body) == ["hello"]


@virtual_time
async def test_a_stream_of_responses_ends_with_trailers() -> None:
    client = await echoing().call("Stream", request(HELLO))
    assert [event.get("more_body") for event in client.sent[1:]] == [True, True, False, None]
    assert messages_in(client.body) == ["hello", "hello"]
    assert client.trailers == {b"grpc-status": b"0"}


@virtual_time
async def test_an_empty_stream_has_headers_all_the_same() -> None:
    client = await echoing().call("Bidi", request(b""))
    assert client.sent[0]["trailers"] is True
    assert client.body == b""
    assert client.trailers == {b"grpc-status": b"0"}


@virtual_time
async def test_a_conversation_is_answered_while_it_is_open() -> None:
    client = request(HELLO + HELLO[:4], HELLO[4:], open=True)
    serving = asyncio.create_task(echoing().call("Bidi", client))
    await asyncio.sleep(1)
    assert messages_in(client.body) == ["hello", "hello"]
    serving.cancel()
    await asyncio.wait({serving})
    assert serving.cancelled()


@virtual_time
async def test_a_failure_before_the_first_message_is_trailers_only() -> None:
    async def fail(_: StringValue, call: Call) -> StringValue:
        call.headers["x-h"] = "1"
        call.trailers["x-t"] = "2"
        raise NotFound("model", "é%")

    app = application(Unary=Unary(StringValue, fail))
    client = await app.call("Unary", request(HELLO))
    assert client.sent[-1] == {"type": "http.response.body"}
    assert "trailers" not in client.sent[0]
    assert client.headers[b"grpc-message"] == b"no model is called '%C3%A9%25'"
    assert client.headers[b"x-t"] == b"2"
    assert client.grpc_status.message == "no model is called 'é%'"
    assert app.faults == []


@virtual_time
async def test_a_failure_after_the_first_message_is_in_the_trailers() -> None:
    async def fail(message: StringValue, _: Call) -> AsyncGenerator[StringValue, None]:
        yield message
        raise NotFound("model", "x")

    client = await application(Stream=ServerStream(StringValue, fail)).call(
        "Stream", request(HELLO)
    )
    assert messages_in(client.body) == ["hello"]
    assert client.sent[0]["headers"] == [(b"content-type", b"application/grpc")]
    assert client.grpc_status.code == 5


@virtual_time
async def test_a_fault_of_our_own_is_told_and_not_shown() -> None:
    """An OSError of a handler's is a fault, too, and not the client's leaving."""
    for error in (
        ValueError("secret"),
        OSError("secret"),
        ExceptionGroup("secret", [ValueError()]),
    ):

        async def fail(*_: object, error: Exception = error) -> StringValue:
            raise error

        app = application(Unary=Unary(StringValue, fail))
        client = await app.call("Unary", request(HELLO))
        assert app.faults == [error]
        assert client.trailers[b"grpc-status"] == b"13"
        assert b"fault-1" in client.trailers[b"grpc-message"]
        assert b"secret" not in repr(client.sent).encode()


@virtual_time
async def test_metadata_that_cannot_be_sent_is_a_fault() -> None:
    async def mistaken(message: StringValue, call: Call) -> StringValue:
        call.headers["x-h"] = "é"
        return message

    app = application(Unary=Unary(StringValue, mistaken))
    client = await app.call("Unary", request(HELLO))
    assert client.trailers[b"grpc-status"] == b"13"
    assert [type(fault) for fault in app.faults] == [UnicodeEncodeError]


@pytest.mark.parametrize("method", ["Unary", "Stream", "Bidi"])
def test_a_request_over_the_limit_is_refused_by_its_length(method: str) -> None:
    @virtual_time
    async def check() -> None:
        begun = b"\0" + (MAX_BYTES + 1).to_bytes(4, "big")
        for client in (request(begun, open=True), request(begun + bytes(MAX_BYTES + 1))):
            await echoing().call(method, client)
            status = client.grpc_status
            assert (status.code, status.message) == (
                3,
                f"the request has {MAX_BYTES + 1} bytes; the limit is {MAX_BYTES}",
            )
            bad = BadRequest()
            assert any(d.Unpack(bad) for d in status.details)

    check()


@pytest.mark.parametrize("method", ["Unary", "Stream"])
def test_a_request_without_a_message_is_refused(method: str) -> None:
    @virtual_time
    async def check() -> None:
        client = await echoing().call(method, request(b""))
        assert client.grpc_status.message == "the request has no message"
        client = await echoing().call(method, request(HELLO[:-1]))
        assert client.grpc_status.message == "the request broke off in the middle of a message"

    check()


@virtual_time
async def test_what_is_not_grpc_is_answered_as_http() -> None:
    for content_type in (b"application/json", b"application/grpc-web+proto"):
        client = request(HELLO)
        headers = [(b"content-type", content_type), (b"te", b"trailers")]
        await echoing().asgi(scope("/t.T/Unary", headers), client.receive, client.send)
        assert (client.status, client.headers) == (415, {})
    client = request(HELLO)
    await echoing().asgi(scope("/t.T/Unary", []), client.receive, client.send)
    assert client.status == 415


@virtual_time
async def test_what_there_is_not_is_unimplemented() -> None:
    client = await echoing().call("Nothing", request(HELLO))
    assert client.status == 200
    assert client.headers[b"grpc-status"] == b"12"
    assert client.headers[b"grpc-message"] == b"there is no method /t.T/Nothing"
    client = await echoing().call("x" * 10_000, request(HELLO))
    assert len(client.headers[b"grpc-message"]) < 200


@virtual_time
async def test_an_unknown_compression_is_refused_with_those_that_are_known() -> None:
    for method in ("Unary", "Stream", "Bidi"):
        client = await echoing().call(method, request(HELLO), (b"grpc-encoding", b"br"))
        assert client.headers[b"grpc-status"] == b"12"
        assert client.headers[b"grpc-accept-encoding"] == b"identity,deflate,gzip"


@virtual_time
async def test_compression_that_goes_wrong_midway_ends_the_stream_in_its_trailers() -> None:
    client = await echoing().call("Bidi", request(HELLO, framed(b"x", compressed=True)))
    assert messages_in(client.body) == ["hello"]
    assert client.trailers[b"grpc-status"] == b"13"
    assert client.sent[-1]["type"] == "http.response.trailers"


@virtual_time
async def test_without_trailers_there_can_be_no_call() -> None:
    client = request(HELLO)
    await echoing().asgi(scope("/t.T/Unary", HEADERS[:1]), client.receive, client.send)
    assert client.headers[b"grpc-status"] == b"13"
    assert client.headers[b"grpc-message"] == b"the header 'te: trailers' is missing"


@virtual_time
async def test_what_is_not_http_is_left_alone() -> None:
    client = request()
    socket: Any = {**scope("/t.T/Unary"), "type": "websocket"}
    await echoing().asgi(socket, client.receive, client.send)
    assert client.sent == []


@virtual_time
async def test_a_deadline_lies_before_the_callers() -> None:
    seen: list[Call] = []

    async def note(message: StringValue, call: Call) -> StringValue:
        seen.append(call)
        return message

    app = application(Unary=Unary(StringValue, note))
    await app.call("Unary", request(HELLO), (b"grpc-timeout", b"2S"))
    await app.call("Unary", request(HELLO), (b"grpc-timeout", b"200m"))
    await app.call("Unary", request(HELLO), (b"grpc-timeout", b"99999999H"))
    await app.call("Unary", request(HELLO))
    began = now()
    assert [call.accepted_at for call in seen] == [began] * 4
    assert seen[0].deadline == began + 2 - 0.02
    assert seen[1].deadline == began + 0.19
    assert seen[3].deadline is None


@virtual_time
async def test_a_handler_that_does_not_keep_its_deadline_is_stopped_at_the_callers() -> None:
    began = now()
    app = application(Unary=Unary(StringValue, hang))
    client = await app.call("Unary", request(HELLO), (b"grpc-timeout", b"2S"))
    assert now() == began + 2
    status = client.grpc_status
    assert status.code == 4
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.reason == "DEADLINE_EXCEEDED"


@virtual_time
async def test_a_timeout_that_is_none_is_named() -> None:
    client = await echoing().call("Unary", request(HELLO), (b"grpc-timeout", b"soon"))
    bad = BadRequest()
    assert any(d.Unpack(bad) for d in client.grpc_status.details)
    assert bad.field_violations[0].field == "grpc-timeout"


@virtual_time
async def test_a_client_that_leaves_while_it_asks_is_nobodys_fault() -> None:
    app = echoing()
    for method in ("Unary", "Stream"):
        client = await app.call(method, request(HELLO[:3], None))
        assert client.sent == []
    assert app.faults == []


@virtual_time
async def test_a_client_that_leaves_while_it_is_answered_is_nobodys_fault() -> None:
    closed: list[str] = []

    async def stream(message: StringValue, _: Call) -> AsyncGenerator[StringValue, None]:
        try:
            yield message
            client.gone = True
            yield message
        finally:
            closed.append("stream")

    app = application(Stream=ServerStream(StringValue, stream), Unary=Unary(StringValue, echo))
    client = request(HELLO)
    await app.call("Stream", client)
    assert messages_in(client.body) == ["hello"]
    assert closed == ["stream"]
    client = request(HELLO)
    client.gone = True
    await app.call("Unary", client)
    assert app.faults == []
    assert not app.asgi.under_way.calls


@virtual_time
async def test_leaving_is_not_the_last_word_of_a_conversation() -> None:
    """A handler that reads in a task of its own would take it for that, and answer on."""
    ended: list[str] = []

    async def listen(messages: AsyncIterator[StringValue], _: Call) -> AsyncGenerator[Any, None]:
        async for message in messages:
            yield message
        ended.append("said to the end")

    client = request(HELLO, None)
    app = application(Bidi=BidiStream(StringValue, listen))
    serving = asyncio.create_task(app.call("Bidi", client))
    await asyncio.sleep(60)
    serving.cancel()  # as the server does
    await asyncio.wait({serving})
    assert serving.cancelled()
    assert ended == []


@virtual_time
async def test_a_cancelled_call_closes_what_it_has_open() -> None:
    closed: list[float] = []

    async def stream(message: StringValue, _: Call) -> AsyncGenerator[StringValue, None]:
        try:
            yield message
            await asyncio.Event().wait()
        finally:
            closed.append(now())

    app = application(Stream=ServerStream(StringValue, stream))
    client = request(HELLO)
    serving = asyncio.create_task(app.call("Stream", client))
    await asyncio.sleep(1)
    assert len(app.asgi.under_way.calls) == 1
    serving.cancel()
    await asyncio.wait({serving})
    assert closed == [now()]
    assert not app.asgi.under_way.calls
    assert client.sent[-1].get("more_body") is True  # nothing is said to one who has gone


@virtual_time
async def test_a_handler_waits_until_there_is_room() -> None:
    made: list[int] = []

    async def stream(message: StringValue, _: Call) -> AsyncGenerator[StringValue, None]:
        for i in range(9):
            made.append(i)
            yield message

    client = request(HELLO, room=1 + 3)
    app = application(Stream=ServerStream(StringValue, stream))
    serving = asyncio.create_task(app.call("Stream", client))
    await asyncio.sleep(1)
    assert made == [0, 1, 2, 3]
    client.read()
    await serving
    assert made == list(range(9))
    assert client.trailers == {b"grpc-status": b"0"}


@virtual_time
async def test_a_call_that_is_not_read_is_ended_without_a_word() -> None:
    """The server resets its stream then, which frees what it holds."""
    closed: list[float] = []

    async def endless(_: StringValue, __: Call) -> AsyncGenerator[StringValue, None]:
        try:
            while True:
                yield StringValue(value="x" * 1000)
        finally:
            closed.append(now())

    app = application(stalled_s=10, Stream=ServerStream(StringValue, endless))
    client, began = request(HELLO, room=100), now()
    await app.call("Stream", client)
    assert closed == [began + 10]
    assert client.sent[-1]["more_body"] is True
    assert app.faults == []


@virtual_time
async def test_a_call_that_sent_little_waits_for_others_to_be_read() -> None:
    """It is not what fills the connection."""
    client = request(HELLO, room=2)
    app = application(stalled_s=10, Stream=ServerStream(StringValue, twice))
    serving = asyncio.create_task(app.call("Stream", client))
    await asyncio.sleep(60)
    assert not serving.done()
    client.read()
    await serving
    assert client.trailers == {b"grpc-status": b"0"}


@virtual_time
async def test_a_call_that_is_read_slowly_is_not_ended() -> None:
    async def large(_: StringValue, __: Call) -> AsyncGenerator[StringValue, None]:
        for _i in range(100):
            yield StringValue(value="x" * 1000)

    client = request(HELLO, room=90)
    app = application(stalled_s=10, Stream=ServerStream(StringValue, large))
    serving = asyncio.create_task(app.call("Stream", client))
    for _ in range(20):
        await asyncio.sleep(9)
        client.read(1)
    await serving
    assert client.trailers == {b"grpc-status": b"0"}


@virtual_time
async def test_nothing_is_left_of_a_call_that_has_ended() -> None:
    """Deadlines may be far: timers for them would gather."""
    app = echoing()
    await app.call("Unary", request(HELLO), (b"grpc-timeout", b"1H"))
    loop: Any = asyncio.get_running_loop()
    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []
    assert not app.asgi.under_way.calls


@virtual_time
async def test_a_conversation_that_breaks_off_in_mid_message_is_refused() -> None:
    client = await echoing().call("Bidi", request(HELLO, HELLO[:-1]))
    assert messages_in(client.body) == ["hello"]
    assert client.grpc_status.message == "the request broke off in the middle of a message"


@virtual_time
async def test_calls_are_cut_off_with_a_status_and_none_begin_then() -> None:
    app = application(Unary=Unary(StringValue, hang), Stream=ServerStream(StringValue, twice))
    client = request(HELLO)
    serving = asyncio.create_task(app.call("Unary", client))
    await asyncio.sleep(1)
    app.asgi.cut_off()
    app.asgi.cut_off()
    await serving
    assert client.grpc_status.code == 14
    assert client.grpc_status.message == "the server is shutting down"
    late = await app.call("Stream", request(HELLO))
    assert late.grpc_status.code == 14
    assert app.faults == []


@virtual_time
async def test_what_has_ended_is_not_interrupted() -> None:
    """A deadline that passes while a failure is told does not end the telling."""

    async def fail(*_: object) -> StringValue:
        raise NotFound("model", "x")

    client = request(HELLO, room=0)
    app = application(Unary=Unary(StringValue, fail))
    serving = asyncio.create_task(app.call("Unary", client, (b"grpc-timeout", b"1S")))
    await asyncio.sleep(5)
    app.asgi.cut_off()
    client.read()
    await serving
    assert client.grpc_status.code == 5
