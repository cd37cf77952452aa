"""The reference transport: grpcio's asyncio server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from pointsman_server.api.call import BidiStream, Call, Method, ServerStream, Service, Unary
from pointsman_server.api.status import to_status
from pointsman_server.api.wire import parse
from pointsman_server.domain.clock import Monotonic
from pointsman_server.domain.errors import DeadlineExceeded
from pointsman_server.transports.base import (
    SETTLE_S,
    GrpcSettings,
    OnFault,
    UnderWay,
    failure,
    handler_deadline,
)
from pointsman_server.transports.inspection import Health, reflection_services, served_names

T = TypeVar("T")

_Context = grpc.aio.ServicerContext[Any, Any]

GRACE_FOR_SIZE = 64 * 1024
"""gRPC's own limit lies this far above ours, so that ours, which names the fault, is met first."""

_DETAILS = "grpc-status-details-bin"


class GrpcServer:
    """Serves handlers over gRPC, with health and reflection. See `Transport`."""

    def __init__(
        self,
        settings: GrpcSettings,
        services: Sequence[Service],
        clock: Monotonic,
        on_fault: OnFault,
    ) -> None:
        self._settings = settings
        self._services = services
        self._clock = clock
        self._on_fault = on_fault
        self._server: grpc.aio.Server | None = None
        self._health = Health(s.name for s in services)
        self._under_way: UnderWay[int] = UnderWay()
        self._in_background: UnderWay[int] = UnderWay()
        self.port = 0

    async def start(self) -> None:
        """Listen. ``port`` is then the port in use, also where 0 was asked for.

        Raises:
            OSError: the address cannot be listened on.
        """
        server = grpc.aio.server(options=_options(self._settings))
        background = [self._health.service(), *reflection_services(served_names(self._services))]
        for some, calls in ((self._services, self._under_way), (background, self._in_background)):
            for service in some:
                handlers = {n: self._handler(m, calls) for n, m in service.methods.items()}
                server.add_generic_rpc_handlers(
                    (grpc.method_handlers_generic_handler(service.name, handlers),)
                )
        try:
            self.port = server.add_insecure_port(self._settings.address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._settings.address}: {error}") from None
        await server.start()
        self._server = server
        self._health.set(serving=True)

    async def not_serving(self) -> None:
        """Tell load balancers to send nothing more, while calls under way go on."""
        self._health.set(serving=False)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give those under way ``grace_s`` seconds, then cut them off.

        Watchers of our health and readers of our reflection never end by themselves, and are not
        waited for. A second call, while the first waits, may shorten its grace.
        """
        server = self._server
        if server is None:
            return
        stopping = asyncio.create_task(server.stop(grace_s))
        await asyncio.wait({stopping}, timeout=SETTLE_S)  # calls just accepted are not counted yet
        idle = asyncio.create_task(self._under_way.idle())
        await asyncio.wait({stopping, idle}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        await server.stop(SETTLE_S)  # a call's status is on its way still when its handler is done
        await stopping
        self._server = None

    def _handler(self, method: Method, calls: UnderWay[int]) -> grpc.RpcMethodHandler[Any, Any]:
        # no (de)serializers: bytes are parsed here, so that a fault can be told by its field
        match method:
            case Unary():
                return grpc.unary_unary_rpc_method_handler(self._unary(method, calls))
            case ServerStream():
                return grpc.unary_stream_rpc_method_handler(self._server_stream(method, calls))
            case BidiStream():
                return grpc.stream_stream_rpc_method_handler(self._bidi(method, calls))

    def _unary(self, method: Unary, calls: UnderWay[int]) -> Any:
        async def serve(data: bytes, context: _Context) -> bytes:
            call = self._call(context)

            async def respond() -> bytes:
                request = parse(method.request_type, data, self._settings.max_request_bytes)
                response = await method.handler(request, call)
                await context.send_initial_metadata(tuple(call.headers.items()))
                return response.SerializeToString()

            return await self._guard(context, call, calls, respond)

        return serve

    def _server_stream(self, method: ServerStream, calls: UnderWay[int]) -> Any:
        async def serve(data: bytes, context: _Context) -> None:
            call = self._call(context)

            async def respond() -> None:
                request = parse(method.request_type, data, self._settings.max_request_bytes)
                await _write_all(method.handler(request, call), context, call)

            await self._guard(context, call, calls, respond)

        return serve

    def _bidi(self, method: BidiStream, calls: UnderWay[int]) -> Any:
        async def serve(_: object, context: _Context) -> None:
            call = self._call(context)

            async def incoming() -> AsyncGenerator[Message, None]:
                while (data := await context.read()) is not grpc.aio.EOF:
                    yield parse(method.request_type, data, self._settings.max_request_bytes)

            async def respond() -> None:
                async with aclosing(incoming()) as messages:
                    await _write_all(method.handler(messages, call), context, call)

            await self._guard(context, call, calls, respond)

        return serve

    def _call(self, context: _Context) -> Call:
        now = self._clock()
        return Call(accepted_at=now, deadline=handler_deadline(now, context.time_remaining()))

    async def _guard(
        self,
        context: _Context,
        call: Call,
        calls: UnderWay[int],
        respond: Callable[[], Awaitable[T]],
    ) -> T:
        """Run a handler; whatever goes wrong becomes a status."""
        calls.calls.add(id(call))
        try:
            response = await respond()
        except asyncio.CancelledError:
            if call.deadline is not None and self._clock() >= call.deadline:
                await _abort(context, call, to_status(DeadlineExceeded("execute")))
            raise
        except grpc.aio.InternalError:  # nothing can be sent any more: the client has gone
            raise asyncio.CancelledError from None
        except Exception as error:  # noqa: BLE001 - the boundary of the call's task
            await _abort(context, call, failure(error, self._on_fault))
        finally:
            calls.leave(id(call))
        context.set_trailing_metadata(tuple(call.trailers.items()))
        return response


async def _write_all(
    responses: AsyncGenerator[Message, None], context: _Context, call: Call
) -> None:
    started = False
    async with aclosing(responses):
        async for response in responses:
            if not started:
                started = True
                await context.send_initial_metadata(tuple(call.headers.items()))
            await context.write(response.SerializeToString())


async def _abort(context: _Context, call: Call, status: Status) -> NoReturn:
    """End the call with ``status``."""
    trailers = (*call.trailers.items(), (_DETAILS, status.SerializeToString()))
    code = next(c for c in grpc.StatusCode if c.value[0] == status.code)
    await context.abort(code, status.message, trailers)
    raise AssertionError("abort returned")


def _options(settings: GrpcSettings) -> list[tuple[str, int]]:
    keepalive_ms = int(settings.keepalive_s * 1000)
    timeout_ms = int(settings.keepalive_timeout_s * 1000)
    return [
        ("grpc.max_receive_message_length", settings.max_request_bytes + GRACE_FOR_SIZE),
        ("grpc.max_concurrent_streams", settings.max_concurrent_streams),
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", timeout_ms),
        # keepalive_timeout alone leaves a frozen client's stream held for a minute
        ("grpc.http2.ping_timeout_ms", timeout_ms),
        # else the third ping of a client who keeps a quiet stream alive ends its connection
        ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
        ("grpc.so_reuseport", int(settings.reuse_port)),
    ]
