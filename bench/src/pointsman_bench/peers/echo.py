"""`python -m pointsman_bench.peers.echo PORT`: answers as the upstream would, on bare grpc.aio."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import uvloop
from pointsman.v1.router_service_pb2 import CompleteResponse, CompletionEvent, GenerateResponse

from pointsman_bench.peers.workloads import TOKENS

_ASKED = re.compile(rb"mock-\d+-(\d+)-(\d+)-")
_US = 1e6
_TEXTS = [f"w{number} " for number in range(TOKENS)]


def _message(number: int, text: str) -> bytes:
    event = CompletionEvent(sequence=number)
    event.delta.text = text
    return CompleteResponse(events=[event]).SerializeToString()


_MESSAGES = tuple(_message(number, text) for number, text in enumerate(_TEXTS))
_WHOLE = GenerateResponse(text="".join(_TEXTS)).SerializeToString()


async def complete(request: bytes, context: Any) -> AsyncIterator[bytes]:
    """One message a token, at the pace that the model's name asks for."""
    del context
    asked = _ASKED.search(request)
    first_us, gap_us = (int(group) for group in asked.groups()) if asked else (0, 0)
    if first_us:
        await asyncio.sleep(first_us / _US)
    for message in _MESSAGES:
        yield message
        if gap_us:
            await asyncio.sleep(gap_us / _US)


async def generate(request: bytes, context: Any) -> bytes:
    """The whole answer at once."""
    del request, context
    return _WHOLE


async def _serve(port: int) -> None:
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Complete": grpc.unary_stream_rpc_method_handler(complete),
        "Generate": grpc.unary_unary_rpc_method_handler(generate),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("pointsman.v1.RouterService", methods),)
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    await stop.wait()
    await server.stop(0)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
