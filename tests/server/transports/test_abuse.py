"""What clients should not send, and our own faults: a typed error each time, and life goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from pointsman.v1 import message_pb2, router_service_pb2
from pointsman_server.domain.events import CompletionEvent
from pointsman_server.engine import Engine
from served import (
    BadRequest,
    ErrorInfo,
    Served,
    Settings,
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

Code = grpc.StatusCode
LIMIT = 4 * 1024 * 1024
CANARY = "canary-prompt-9d21"

METHODS = ("Classify", "Route", "Complete", "Chat")


@pytest.fixture
async def alive(served: Served) -> AsyncIterator[Served]:
    """A server that must still serve when the test is over, with nothing under way."""
    yield served
    await served.idle()
    assert text_of(await collect(served.router.Complete(ask()))) == "Hello, world"
    assert served.server.core.health.health("one/a").in_flight == 0


async def send(served: Served, method: str, data: bytes) -> grpc.aio.AioRpcError:
    """Send raw bytes to a method, and how it fails."""
    channel: Any = served.channel
    path = f"/pointsman.v1.RouterService/{method}"
    call: Awaitable[object]
    if method == "Chat":
        call = say_and_read(channel.stream_stream(path)(), data)
    elif method == "Complete":
        call = read_to_end(channel.unary_stream(path)(data))
    else:
        call = channel.unary_unary(path)(data)
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
async def test_garbage(method: str, alive: Served) -> None:
    for data in (b"\xff" * 1000, b"\x00", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * LIMIT):
        field, description = violation(await send(alive, method, data))
        assert field == ""
        assert description.startswith("the bytes are not a pointsman.v1.")


@pytest.mark.parametrize("method", METHODS)
async def test_text_that_is_not_utf8(method: str, alive: Served) -> None:
    message = message_pb2.Message(role=message_pb2.ROLE_USER)
    message.parts.add(text="ABCD")
    if method == "Chat":
        request: Any = router_service_pb2.ChatRequest()
        request.setup.history.append(message)
    else:
        request = router_service_pb2.ClassifyRequest(messages=[message])
    data = request.SerializeToString().replace(b"ABCD", b"AB\xff\xfe")
    field, description = violation(await send(alive, method, data))
    assert field == ("setup.history[0]" if method == "Chat" else "messages[0]") + ".parts[0].text"
    assert description == "is not valid UTF-8"


@pytest.mark.parametrize("method", METHODS)
async def test_a_request_over_the_limit(method: str, alive: Served) -> None:
    field, description = violation(await send(alive, method, b"\x0a" * (LIMIT + 1)))
    assert field == ""
    assert description == f"the request has {LIMIT + 1} bytes; the limit is {LIMIT}"


@pytest.mark.parametrize("method", METHODS)
async def test_a_request_far_over_the_limit_is_refused_by_its_length(
    method: str, alive: Served
) -> None:
    field, description = violation(await send(alive, method, b"\x0a" * (LIMIT + 100_000)))
    assert field == ""
    assert description == f"the request has {LIMIT + 100_000} bytes; the limit is {LIMIT}"


async def test_the_largest_request_is_served(alive: Served) -> None:
    request = ask("x" * (LIMIT - 100))
    assert LIMIT - 100 < request.ByteSize() <= LIMIT
    assert kinds(await collect(alive.router.Complete(request)))[-1] == "completed"


async def test_a_limit_that_was_configured(tmp_path: Path) -> None:
    async with serving(tmp_path, Settings(server=", max_request_bytes: 1024")) as served:
        field, description = violation(await send(served, "Classify", b"\x0a" * 1025))
        assert (field, description) == ("", "the request has 1025 bytes; the limit is 1024")


async def test_a_compression_bomb(alive: Served) -> None:
    bomb = b"\0" * 64_000_000
    call: Any = alive.channel.unary_unary("/pointsman.v1.RouterService/Classify")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(bomb, compression=grpc.Compression.Gzip)
    _, description = violation(caught.value)
    assert description == f"the request inflates to more than {LIMIT} bytes"


async def test_metadata_without_end(alive: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await alive.router.Classify(
            router_service_pb2.ClassifyRequest(messages=[user("hi")]),
            metadata=(("x-flood", "x" * 100_000),),
        )
    assert caught.value.code() is Code.UNKNOWN
    assert "431" in str(caught.value.details())


async def test_a_thousand_faults_fit_into_one_status(alive: Served) -> None:
    request = ask("hi")
    request.generation.stop_sequences.extend([""] * 4)
    for i in range(100):
        request.generation.tools.add(name=f"漢{i}" * 50, parameters_json_schema="漢" * 500)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await alive.router.Complete(request).read()
    assert violation(caught.value)[0] == "generation.stop_sequences[0]"


async def test_models_by_names_without_end(alive: Served) -> None:
    request = ask("hi")
    request.constraints.allowed_models.extend([f"{'漢' * 4000}{i}" for i in range(200)])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await alive.router.Complete(request).read()
    assert violation(caught.value)[0] == "constraints.allowed_models"


async def test_streams_opened_and_reset_by_the_hundred(alive: Served) -> None:
    for _ in range(300):
        call = alive.router.Complete(ask())
        await asyncio.sleep(0)
        call.cancel()
    await asyncio.sleep(0.1)
    await alive.idle()
    assert not alive.log_lines("internal_error")


class Broken(Exception):
    """Holds what a bug's text may hold: a prompt."""


async def internal(call: Awaitable[object], served: Served) -> dict[str, Any]:
    """The one line of the log that belongs to a call that fails by our own fault."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    assert error.code() is Code.INTERNAL
    status = status_of(error)
    assert reason_of(status) == "INTERNAL"
    info = detail(status, ErrorInfo)
    assert info is not None
    (line,) = served.log_lines("internal_error")
    assert dict(info.metadata) == {"error_id": line["error_id"]}
    assert len(status.details) == 1
    for said in (str(error), str(status), served.log.getvalue()):
        assert CANARY not in said
    for said in (str(error), str(status)):
        assert "Broken" not in said
        assert ".py" not in said
    return line


async def test_a_bug_in_a_unary_method(alive: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def decide(*args: object) -> None:
        raise Broken(f"cannot route {CANARY}")

    with monkeypatch.context() as patch:
        patch.setattr(alive.server.core.engine.router, "decide", decide)
        request = router_service_pb2.RouteRequest(messages=[user(CANARY)])
        line = await internal(alive.router.Route(request), alive)
    assert line["type"] == "Broken"
    assert line["level"] == "error"
    assert any(frame.endswith(" decide") for frame in line["frames"])


async def test_a_bug_in_the_middle_of_a_stream(
    alive: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Engine.answer

    async def answer(self: Engine, *args: Any) -> AsyncGenerator[list[CompletionEvent], None]:
        events = whole(self, *args)
        yield await anext(events)
        await events.aclose()
        raise Broken(CANARY)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "answer", answer)
        line = await internal(read_to_end(alive.router.Complete(ask(CANARY))), alive)
    assert line["type"] == "Broken"


async def test_a_bug_in_a_conversation(alive: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def decide(*args: object) -> None:
        raise Broken(CANARY)

    with monkeypatch.context() as patch:
        patch.setattr(alive.server.core.engine.router, "decide", decide)
        chat = alive.chat()
        await chat.setup()
        await chat.turn("a", CANARY)
        line = await internal(read_to_end(chat.call), alive)
    assert line["type"] == "Broken"
    assert any(frame.endswith(" decide") for frame in line["frames"])


async def test_a_bug_of_an_observers_is_no_secret_either(
    alive: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decided(*args: object) -> None:
        raise Broken(CANARY)

    with monkeypatch.context() as patch:
        patch.setattr(alive.server.core.metrics, "decided", decided)
        # and harms no request: this one is answered to its end
        await read_to_end(alive.router.Complete(ask(CANARY)))
    [line] = alive.log_lines("internal_error")
    assert line["type"] == "Broken"
    assert CANARY not in alive.log.getvalue()


async def test_nothing_goes_to_the_standard_loggers(
    alive: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)

    def decide(*args: object) -> None:
        raise Broken(CANARY)

    with monkeypatch.context() as patch:
        patch.setattr(alive.server.core.engine.router, "decide", decide)
        await internal(read_to_end(alive.router.Complete(ask(CANARY))), alive)
    await send(alive, "Chat", b"\xff")
    call = alive.router.Complete(ask(CANARY))
    await call.read()
    call.cancel()
    with pytest.raises(grpc.aio.AioRpcError):
        await alive.router.Complete(ask(CANARY), timeout=0.001).read()
    await alive.idle()
    assert CANARY not in caplog.text
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
