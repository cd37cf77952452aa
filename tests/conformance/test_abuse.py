"""What clients should not send: refused in the API's own terms, and life goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from pointsman.v1 import message_pb2, router_service_pb2
from raw_http2 import grpc_headers, http2, message
from served import (
    BadRequest,
    ErrorInfo,
    Served,
    ask,
    collect,
    detail,
    kinds,
    read_to_end,
    reason_of,
    serving,
    status_of,
    text_of,
    user,
)
from transports import over
from upstream import Hang, Reply

Code = grpc.StatusCode
LIMIT = 4 * 1024 * 1024
ROUTER = "/pointsman.v1.RouterService/"
METHODS = ("Classify", "Route", "Generate", "Complete", "Chat")
COMPRESSIONS = [
    pytest.param(grpc.Compression.Gzip, id="gzip"),
    pytest.param(grpc.Compression.Deflate, id="deflate"),
]


async def send(
    served: Served, method: str, data: bytes, compression: grpc.Compression | None = None
) -> grpc.aio.AioRpcError:
    """Send raw bytes to a method, and how it fails."""
    channel: Any = served.channel
    path, how = ROUTER + method, {"compression": compression}
    call: Awaitable[object]
    if method == "Chat":
        call = say_and_read(channel.stream_stream(path)(**how), data)
    elif method == "Complete":
        call = read_to_end(channel.unary_stream(path)(data, **how))
    else:
        call = channel.unary_unary(path)(data, **how)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def say_and_read(call: Any, data: bytes) -> None:
    await call.write(data)
    await read_to_end(call)


def violation(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    assert error.code() is Code.INVALID_ARGUMENT
    status = status_of(error)
    assert reason_of(status) == "INVALID_REQUEST"
    bad = detail(status, BadRequest)
    assert bad is not None
    (found, *_) = bad.field_violations
    return found.field, found.description


@pytest.mark.parametrize("method", METHODS)
async def test_no_bytes_at_all(method: str, alive: Served) -> None:
    field, _ = violation(await send(alive, method, b""))
    assert field == ("setup" if method == "Chat" else "messages")


@pytest.mark.parametrize("method", METHODS)
async def test_bytes_that_are_no_such_message(method: str, alive: Served) -> None:
    for data in (b"\xff" * 1000, b"\x00", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * LIMIT):
        field, description = violation(await send(alive, method, data))
        assert field == ""
        assert description.startswith("the bytes are not a pointsman.v1.")


@pytest.mark.parametrize("method", METHODS)
async def test_text_that_is_not_utf8(method: str, alive: Served) -> None:
    said = message_pb2.Message(role=message_pb2.ROLE_USER)
    said.parts.add(text="ABCD")
    if method == "Chat":
        request: Any = router_service_pb2.ChatRequest()
        request.setup.history.append(said)
    else:
        request = router_service_pb2.ClassifyRequest(messages=[said])
    data = request.SerializeToString().replace(b"ABCD", b"AB\xff\xfe")
    field, description = violation(await send(alive, method, data))
    assert field == ("setup.history[0]" if method == "Chat" else "messages[0]") + ".parts[0].text"
    assert description == "is not valid UTF-8"


@pytest.mark.parametrize("method", METHODS)
async def test_a_request_just_over_the_limit_is_told_the_limit(method: str, alive: Served) -> None:
    field, description = violation(await send(alive, method, b"\x0a" * (LIMIT + 1)))
    assert field == ""
    assert description == f"the request has {LIMIT + 1} bytes; the limit is {LIMIT}"


@pytest.mark.parametrize("method", METHODS)
async def test_a_request_far_over_the_limit_is_refused(method: str, alive: Served) -> None:
    error = await send(alive, method, b"\x0a" * (LIMIT + 1_000_000))
    if error.code() is not Code.RESOURCE_EXHAUSTED:  # gRPC's own word for it, without details
        assert "the limit is" in violation(error)[1]


async def test_the_largest_request_is_served(alive: Served) -> None:
    request = ask("x" * (LIMIT - 100))
    assert LIMIT - 100 < request.ByteSize() <= LIMIT
    assert kinds(await collect(alive.router.Complete(request)))[-1] == "completed"


async def test_a_limit_that_was_configured(tmp_path: Path, transport: str) -> None:
    limit = ", drain: 5s, max_request_bytes: 1024"
    async with serving(tmp_path, over(transport, limit)) as served:
        for method in METHODS:
            field, description = violation(await send(served, method, b"\x0a" * 1025))
            assert (field, description) == ("", "the request has 1025 bytes; the limit is 1024")


@pytest.mark.parametrize("compression", COMPRESSIONS)
async def test_compressed_requests_are_understood(
    compression: grpc.Compression, alive: Served
) -> None:
    request = ask("long and dull " * 1000)
    events = await collect(alive.router.Complete(request, compression=compression))
    assert text_of(events) == "Hello, world"
    body: Any = alive.one.requests[-1].json
    assert body["messages"][0]["content"] == "long and dull " * 1000
    chat = alive.router.Chat(compression=compression)
    setup = router_service_pb2.ChatRequest()
    setup.setup.SetInParent()
    await chat.write(setup)
    await chat.done_writing()
    await read_to_end(chat)
    assert await chat.code() is Code.OK


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("method", ["Classify", "Chat"])
async def test_a_compressed_request_that_inflates_without_end_is_refused(
    method: str, compression: grpc.Compression, alive: Served
) -> None:
    error = await send(alive, method, b"\0" * 64_000_000, compression)
    if error.code() is not Code.RESOURCE_EXHAUSTED:
        assert "inflates to more than" in violation(error)[1]


@pytest.mark.parametrize("size", [17_000, 60_000])
async def test_a_flood_of_metadata_harms_only_its_own_call(size: int, alive: Served) -> None:
    alive.one.enqueue(Reply([Hang()]))
    neighbour = alive.router.Complete(ask())
    await neighbour.read()
    request = router_service_pb2.ClassifyRequest(messages=[user("hi")])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await alive.router.Classify(request, metadata=(("x-flood", "x" * size),))
    assert caught.value.code() in (Code.RESOURCE_EXHAUSTED, Code.UNKNOWN)  # or HTTP's 431
    assert not neighbour.done()
    neighbour.cancel()
    await alive.one.wait_for(lambda u: len(u.closes) == 1)


async def test_faults_without_end_fit_into_one_status(alive: Served) -> None:
    request = ask("hi")
    request.generation.stop_sequences.extend([""] * 4)
    for i in range(100):
        request.generation.tools.add(name=f"漢{i}" * 50, parameters_json_schema="漢" * 500)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await alive.router.Complete(request).read()
    assert violation(caught.value)[0] == "generation.stop_sequences[0]"


@pytest.mark.parametrize(
    "path",
    [
        "/pointsman.v1.RouterService/Nothing",
        "/pointsman.v1.FeedbackService/ReportOutcome",
        "/pointsman.v1.AdminService/ReloadConfig",
        "/nobody.v1.Nothing/Nothing",
        "/pointsman.v1.RouterService/" + "x" * 3000,
        "/",
        "/pointsman.v1.RouterService",
    ],
)
async def test_what_is_not_served_is_unimplemented(path: str, alive: Served) -> None:
    channel: Any = alive.channel
    for call in (channel.unary_unary(path)(b""), channel.unary_stream(path)(b"").read()):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is Code.UNIMPLEMENTED


async def test_streams_opened_and_cancelled_by_the_hundred(alive: Served) -> None:
    for _ in range(300):
        call = alive.router.Complete(ask())
        await asyncio.sleep(0)
        call.cancel()
    await asyncio.sleep(0.1)
    await alive.idle()


async def test_rapid_resets_do_not_starve_those_who_behave(alive: Served) -> None:
    request = message(ask().SerializeToString())
    async with http2(alive.address) as attacker:
        await attacker.wait_for(lambda: bool(attacker.settings))

        async def attack() -> None:
            for i in range(5000):
                stream = attacker.open(grpc_headers(ROUTER + "Complete"))
                attacker.send(stream, request, end=True)
                attacker.reset(stream)
                if i % 200 == 0:
                    await asyncio.sleep(0)
                if attacker.closed:  # the server has had enough of this connection
                    return

        attacking = asyncio.create_task(attack())
        for _ in range(10):
            async with asyncio.timeout(5):
                assert text_of(await collect(alive.router.Complete(ask()))) == "Hello, world"
        attacking.cancel()
        await asyncio.gather(attacking, return_exceptions=True)
    await alive.idle()


async def test_nothing_of_a_request_goes_to_the_standard_loggers(
    alive: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "canary-prompt-9d21"
    await send(alive, "Chat", b"\xff" + canary.encode())
    call = alive.router.Complete(ask(canary))
    await call.read()
    call.cancel()
    with pytest.raises(grpc.aio.AioRpcError):
        await alive.router.Complete(ask(canary), timeout=0.001).read()
    await alive.idle()
    assert canary not in caplog.text
    assert canary not in alive.log.getvalue()
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


async def test_a_fault_of_our_own_in_mid_stream_is_an_error_id_and_no_more(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide(*args: object) -> None:
        raise RuntimeError("canary-prompt-9d21")

    monkeypatch.setattr(served.server.core.engine.router, "decide", decide)
    chat = served.chat()
    await chat.setup()
    await chat.turn("a", "canary-prompt-9d21")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read_to_end(chat.call)
    assert caught.value.code() is Code.INTERNAL
    info = detail(status_of(caught.value), ErrorInfo)
    assert info is not None
    (line,) = served.log_lines("internal_error")
    assert dict(info.metadata) == {"error_id": line["error_id"]}
    assert "canary-prompt-9d21" not in str(caught.value) + served.log.getvalue()
