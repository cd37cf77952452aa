"""What load balancers and tools ask any gRPC server: its health, and what it serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from typing import Any

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from pointsman_server.api.call import BidiStream, Call, ServerStream, Service, Unary
from pointsman_server.domain.errors import NotFound

HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.v1alpha.ServerReflection"
REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"
"""Equal to v1alpha on the wire."""

_Status = health_pb2.HealthCheckResponse.ServingStatus
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health:
    """The health of a server, "", and of each of its services: all are well or none."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(("", *names))
        self._status = _NOT_SERVING
        self._changed = asyncio.Event()

    def set(self, *, serving: bool) -> None:
        """Say how things are, also to those who watch."""
        self._status = _SERVING if serving else _NOT_SERVING
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def service(self) -> Service:
        """What a transport serves."""
        request = health_pb2.HealthCheckRequest
        check, watch = Unary(request, self.check), ServerStream(request, self.watch)
        return Service(HEALTH, {"Check": check, "Watch": watch})

    async def check(self, request: Any, _: Call) -> Any:
        """How a service is.

        Raises:
            NotFound: there is no such service.
        """
        if request.service not in self._names:
            raise NotFound("service", request.service)
        return health_pb2.HealthCheckResponse(status=self._status)

    async def watch(self, request: Any, _: Call) -> AsyncGenerator[Any, None]:
        """How a service is, now and whenever that changes. Does not end."""
        if request.service not in self._names:
            yield health_pb2.HealthCheckResponse(status=_SERVICE_UNKNOWN)
            await asyncio.Event().wait()  # services do not come into being later
        told: Any = None
        while True:
            changed, status = self._changed, self._status
            if status != told:
                told = status
                yield health_pb2.HealthCheckResponse(status=status)
            await changed.wait()


def reflection_services(names: Sequence[str]) -> list[Service]:
    """What describes the services of these names, and itself."""
    own = (REFLECTION, REFLECTION_V1)

    def describe(requests: AsyncIterator[Any], _: Call) -> AsyncGenerator[Any, None]:
        # only here: it loads all of grpcio, which a server that nobody asks can do without
        from grpc_reflection.v1alpha import reflection

        servicer = reflection.aio.ReflectionServicer((*names, *own))
        answers: AsyncGenerator[Any, None] = servicer.ServerReflectionInfo(requests, None)
        return answers

    method = BidiStream(reflection_pb2.ServerReflectionRequest, describe)
    return [Service(name, {"ServerReflectionInfo": method}) for name in own]


def served_names(services: Sequence[Service]) -> list[str]:
    """The names that reflection lists besides its own."""
    return [*(s.name for s in services), HEALTH]
