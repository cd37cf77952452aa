"""The standard health check, grpc.health.v1, without its generated code.

Its request is one string field numbered 1, and its response one enum field numbered 1; the
well-known wrappers for strings and integers have that very shape on the wire.
"""

from __future__ import annotations

import grpc
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

_SERVING = 1


async def is_serving(channel: grpc.aio.Channel, service: str, timeout_s: float | None) -> bool:
    """Ask the server behind ``channel`` whether ``service`` serves; "" is the whole server."""
    check: grpc.aio.UnaryUnaryMultiCallable[StringValue, Int32Value] = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=StringValue.SerializeToString,
        response_deserializer=Int32Value.FromString,
    )
    answer = await check(StringValue(value=service), timeout=timeout_s)
    return answer.value == _SERVING
