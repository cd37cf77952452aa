"""Native gRPC as an ASGI application, for servers that speak HTTP/2 with trailers.

A call has no task besides its own. The ASGI server must cancel an application whose client has
gone, as h2corn does: nothing here listens for that while a handler works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from google.rpc.code_pb2 import INTERNAL, UNIMPLEMENTED
from h2corn import Receive, Scope, Send

from pointsman_server.api.call import BidiStream, Call, Method, ServerStream, Service, Unary
from pointsman_server.api.status import to_status
from pointsman_server.domain.clock import Monotonic
from pointsman_server.domain.errors import RouterError, ShuttingDown
from pointsman_server.transports.base import (
    OnFault,
    UnderWay,
    failure,
    handler_deadline,
)
from pointsman_server.transports.exchange import ClientGone, Exchange, Limits, refuse, refuse_http
from pointsman_server.transports.framing import CONTENT_TYPE, Refusal, is_grpc, timeout_s

_GRPC = CONTENT_TYPE[1]
_MAX_PATH_SHOWN = 100

_Serve = Callable[[Exchange], Coroutine[Any, Any, None]]


class GrpcApplication:
    """Serves handlers. ``background`` are services whose calls no stop waits for."""

    def __init__(
        self,
        services: Sequence[Service],
        background: Sequence[Service],
        limits: Limits,
        clock: Monotonic,
        on_fault: OnFault,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._on_fault = on_fault
        self._closed = False
        self.under_way: UnderWay[Exchange] = UnderWay()
        self._in_background: UnderWay[Exchange] = UnderWay()
        self._methods = {
            f"/{service.name}/{name}": (_serve(method), calls)
            for some, calls in ((services, self.under_way), (background, self._in_background))
            for service in some
            for name, method in service.methods.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":  # nobody has asked for these
            return
        headers = dict(scope["headers"])
        content_type = headers.get(b"content-type", b"")
        if content_type != _GRPC and not is_grpc(content_type):
            await refuse_http(send, 415)
            return
        found = self._methods.get(scope["path"])
        if found is None:
            said = f"there is no method {scope['path'][:_MAX_PATH_SHOWN]}"
            await refuse(send, Refusal(UNIMPLEMENTED, said))
            return
        serve, calls = found
        now = self._clock()
        call = Call(accepted_at=now)
        encoding = headers.get(b"grpc-encoding")
        exchange = Exchange(call, receive, send, self._limits, encoding)
        timer: asyncio.TimerHandle | None = None
        calls.calls.add(exchange)
        try:
            if self._closed:
                raise ShuttingDown
            if "http.response.trailers" not in scope["extensions"]:
                raise Refusal(INTERNAL, "the header 'te: trailers' is missing")
            timeout = headers.get(b"grpc-timeout")
            if timeout is not None:
                left_s = timeout_s(timeout)
                call.deadline = handler_deadline(now, left_s)
                # for handlers that do not keep theirs, and callers that do not go at their own
                timer = asyncio.get_running_loop().call_later(left_s, exchange.expire)
            await serve(exchange)
        except ClientGone:
            pass
        except Refusal as refused:
            await exchange.refuse(refused)
        except asyncio.CancelledError:
            why = exchange.interruption
            if why is None:
                raise
            if isinstance(why, RouterError):
                await exchange.fail(to_status(why))
        except Exception as error:  # noqa: BLE001 - the boundary of the call's task
            await exchange.fail(failure(error, self._on_fault))
        finally:
            if timer is not None:
                timer.cancel()
            calls.leave(exchange)

    def cut_off(self) -> None:
        """Cancel every call, and begin no other. Clients are told that the server stops."""
        self._closed = True
        for exchange in (*self.under_way.calls, *self._in_background.calls):
            exchange.cut_off()


def _serve(method: Method) -> _Serve:
    match method:
        case Unary():
            return _unary(method)
        case ServerStream():
            return _server_stream(method)
        case BidiStream():
            return _bidi(method)


def _unary(method: Unary) -> _Serve:
    kind, handler = method.request_type, method.handler

    async def serve(exchange: Exchange) -> None:
        request = await exchange.request(kind)
        await exchange.respond(await handler(request, exchange.call))

    return serve


def _server_stream(method: ServerStream) -> _Serve:
    kind, handler = method.request_type, method.handler

    async def serve(exchange: Exchange) -> None:
        request = await exchange.request(kind)
        await exchange.respond_all(handler(request, exchange.call))

    return serve


def _bidi(method: BidiStream) -> _Serve:
    kind, handler = method.request_type, method.handler

    async def serve(exchange: Exchange) -> None:
        requests = exchange.requests(kind)
        try:
            await exchange.respond_all(handler(requests, exchange.call))
        finally:
            await requests.aclose()

    return serve
