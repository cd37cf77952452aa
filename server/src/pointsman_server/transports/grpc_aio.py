"""The reference transport: grpcio's asyncio server."""

from __future__ import annotations

import asyncio
import ipaddress
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from pointsman_server.api.call import BidiStream, Call, Method, ServerStream, Service, Unary
from pointsman_server.api.status import internal_status, to_status
from pointsman_server.api.wire import parse
from pointsman_server.domain.clock import Monotonic
from pointsman_server.domain.errors import DeadlineExceeded, RouterError

T = TypeVar("T")

_Context = grpc.aio.ServicerContext[Any, Any]

GRACE_FOR_SIZE = 64 * 1024
"""gRPC's own limit lies this far above ours, so that ours, which names the fault, is met first."""

SETTLE_S = 0.2
"""How long to wait for what the network, or gRPC itself, has in hand when a server stops."""

DEADLINE_MARGIN_S = 0.02
DEADLINE_MARGIN_SHARE = 0.05
"""A handler's deadline lies this far before the caller's, whichever is less: gRPC itself ends calls
at their deadline on both sides at once, without details and as if the caller had gone away."""

_DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class GrpcSettings:
    """Where to listen and what to bear. ``address`` is host:port, or unix:PATH."""

    address: str = "127.0.0.1:50051"
    max_request_bytes: int = 4 * 1024 * 1024
    max_concurrent_streams: int = 1024
    keepalive_s: float = 20.0
    keepalive_timeout_s: float = 5.0


class GrpcServer:
    """Serves handlers over gRPC, with health and reflection.

    ``on_fault`` is told of every exception that is a fault of our own, and returns the identifier
    under which it was logged.
    """

    def __init__(
        self,
        settings: GrpcSettings,
        services: Sequence[Service],
        clock: Monotonic,
        on_fault: Callable[[BaseException], str],
    ) -> None:
        self._settings = settings
        self._services = services
        self._clock = clock
        self._on_fault = on_fault
        self._server: grpc.aio.Server | None = None
        self._health = health.aio.HealthServicer()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.port = 0

    async def start(self) -> None:
        """Listen. ``port`` is then the port in use, also where 0 was asked for.

        Raises:
            OSError: the address cannot be listened on.
        """
        server = grpc.aio.server(options=_options(self._settings))
        for service in self._services:
            handlers = {n: self._handler(m) for n, m in service.methods.items()}
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service.name, handlers),)
            )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [s.name for s in self._services]
        names += [health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, server)
        try:
            self.port = server.add_insecure_port(self._settings.address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._settings.address}: {error}") from None
        await server.start()
        self._server = server
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)

    async def not_serving(self) -> None:
        """Tell load balancers to send nothing more, while calls under way go on."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, give those under way ``grace_s`` seconds, then cut them off.

        Watchers of our health and readers of our reflection never end by themselves, and are not
        waited for.
        """
        server, self._server = self._server, None
        if server is None:
            return
        stopping = asyncio.create_task(server.stop(grace_s))
        await asyncio.wait({stopping}, timeout=SETTLE_S)  # calls just accepted are not counted yet
        idle = asyncio.create_task(self._idle.wait())
        await asyncio.wait({stopping, idle}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        await server.stop(SETTLE_S)  # a call's status is on its way still when its handler is done
        await stopping

    async def _set_health(self, status: Any) -> None:
        for name in ("", *(s.name for s in self._services)):
            await self._health.set(name, status)

    def _handler(self, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
        # no (de)serializers: bytes are parsed here, so that a fault can be told by its field
        match method:
            case Unary():
                return grpc.unary_unary_rpc_method_handler(self._unary(method))
            case ServerStream():
                return grpc.unary_stream_rpc_method_handler(self._server_stream(method))
            case BidiStream():
                return grpc.stream_stream_rpc_method_handler(self._bidi(method))

    def _unary(self, method: Unary) -> Any:
        async def serve(data: bytes, context: _Context) -> bytes:
            call = self._call(context)

            async def respond() -> bytes:
                request = parse(method.request_type, data, self._settings.max_request_bytes)
                response = await method.handler(request, call)
                await context.send_initial_metadata(tuple(call.headers.items()))
                return response.SerializeToString()

            return await self._guard(context, call, respond)

        return serve

    def _server_stream(self, method: ServerStream) -> Any:
        async def serve(data: bytes, context: _Context) -> None:
            call = self._call(context)

            async def respond() -> None:
                request = parse(method.request_type, data, self._settings.max_request_bytes)
                await _write_all(method.handler(request, call), context, call)

            await self._guard(context, call, respond)

        return serve

    def _bidi(self, method: BidiStream) -> Any:
        async def serve(_: object, context: _Context) -> None:
            call = self._call(context)

            async def incoming() -> AsyncGenerator[Message, None]:
                while (data := await context.read()) is not grpc.aio.EOF:
                    yield parse(method.request_type, data, self._settings.max_request_bytes)

            async def respond() -> None:
                async with aclosing(incoming()) as messages:
                    await _write_all(method.handler(messages, call), context, call)

            await self._guard(context, call, respond)

        return serve

    def _call(self, context: _Context) -> Call:
        now = self._clock()
        left = context.time_remaining()
        if left is None or not math.isfinite(left):
            return Call(accepted_at=now)
        margin = min(DEADLINE_MARGIN_S, DEADLINE_MARGIN_SHARE * max(left, 0.0))
        return Call(accepted_at=now, deadline=now + left - margin)

    async def _guard(self, context: _Context, call: Call, respond: Callable[[], Awaitable[T]]) -> T:
        """Run a handler; whatever goes wrong becomes a status."""
        self._under_way += 1
        self._idle.clear()
        try:
            response = await respond()
        except RouterError as error:
            await _abort(context, call, to_status(error))
        except asyncio.CancelledError:
            if call.deadline is not None and self._clock() >= call.deadline:
                await _abort(context, call, to_status(DeadlineExceeded("execute")))
            raise
        except Exception as error:  # noqa: BLE001 - the boundary of the call's task
            await _abort(context, call, internal_status(self._on_fault(error)))
        finally:
            self._under_way -= 1
            if self._under_way == 0:
                self._idle.set()
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
        ("grpc.so_reuseport", 0),
    ]


def is_loopback(address: str) -> bool:
    """Whether ``address`` (host:port or unix:PATH) can be reached from this machine only."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
