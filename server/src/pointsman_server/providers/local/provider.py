"""The local models as a provider: the OpenAI dialect over unix sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from types import MappingProxyType

from pointsman_server.domain.attempts import Failure, FailureKind
from pointsman_server.domain.messages import Message, Role, Text
from pointsman_server.providers.base import Batch, ModelCall, ProviderError
from pointsman_server.providers.local.process import LocalServerError
from pointsman_server.providers.local.server import LocalServer, ServerState
from pointsman_server.providers.openai import OpenAIProvider
from pointsman_server.upstream.settings import UpstreamSettings

# Only gives the path and the Host header: the connection goes to the socket.
RESTART_PATIENCE_S = 5.0
"""How long a call waits for a worker that died and is being started again."""

_RESTART_POLL_S = 0.05
_BASE_URL = "http://localhost/v1"


class LocalProvider:
    """All local models as one account; a `Provider`.

    Calls go to the server whose name is the model's ``provider_model``. The provider owns the
    servers: `start` starts them, `close` stops them. ``instructions`` has, by ``provider_model``,
    the system prompt of models whose own default one leads them astray.
    """

    def __init__(
        self,
        name: str,
        servers: Sequence[LocalServer],
        instructions: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._name = name
        self._instructions = instructions
        self._served = {server.model_name: (server, _client(name, server)) for server in servers}

    def __repr__(self) -> str:
        return f"LocalProvider(name={self._name!r}, models={sorted(self._served)})"

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self._name

    async def start(self) -> None:
        """Start all servers and wait until they serve; where one does not, stop all again.

        Raises:
            ProviderError: the first failure.
        """
        starts = [asyncio.create_task(server.start()) for server, _ in self._served.values()]
        try:
            await asyncio.gather(*starts)
        except (LocalServerError, asyncio.CancelledError) as error:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await self._stop()
            if isinstance(error, LocalServerError):
                raise ProviderError(Failure(FailureKind.UNREACHABLE, str(error))) from error
            raise

    async def stream(self, call: ModelCall) -> AsyncGenerator[Batch, None]:
        """Make the call; yield batches until `Finish`. See `Provider.stream`."""
        served = self._served.get(call.model.provider_model)
        if served is None:
            raise ProviderError(
                Failure(FailureKind.MODEL_NOT_FOUND, "no local server has this model")
            )
        if call.generation.tools:
            # These models answer as if there were none, which would look like an answer.
            raise ProviderError(Failure(FailureKind.REJECTED, "local models call no tools"))
        server, client = served
        await _ready(server, call.timeout_s)
        async with aclosing(client.stream(_instructed(call, self._instructions))) as batches:
            async for batch in batches:
                yield batch

    async def check(self) -> None:
        """Ask every server whether it is there. See `Provider.check`."""
        for server, client in self._served.values():
            _expect_ready(server)
            await client.check()

    async def close(self) -> None:
        """Stop the servers and release the connections. Idempotent."""
        for _, client in self._served.values():
            await client.close()
        await self._stop()

    async def _stop(self) -> None:
        await asyncio.gather(*(server.stop() for server, _ in self._served.values()))


def _client(name: str, server: LocalServer) -> OpenAIProvider:
    http = UpstreamSettings(
        _BASE_URL,
        unix_socket=str(server.socket_path),
        # llama.cpp breaks on a connection that has carried a finished stream.
        keep_alive=False,
        trust_env=False,
    )
    return OpenAIProvider(name, http, server.api_key)


def _instructed(call: ModelCall, instructions: Mapping[str, str]) -> ModelCall:
    """The call with its model's instructions, where the caller gave none."""
    text = instructions.get(call.model.provider_model)
    if text is None or call.messages[0].role is Role.SYSTEM:
        return call
    return replace(call, messages=(Message(Role.SYSTEM, (Text(text),)), *call.messages))


async def _ready(server: LocalServer, timeout_s: float) -> None:
    """Wait a little for a server that is being started again, which takes about a second."""
    patience = min(RESTART_PATIENCE_S, timeout_s)
    while server.state is ServerState.RESTARTING and patience > 0:
        await asyncio.sleep(_RESTART_POLL_S)
        patience -= _RESTART_POLL_S
    _expect_ready(server)


def _expect_ready(server: LocalServer) -> None:
    # Asked before connecting, so that the message says what is wrong with it.
    if server.state is not ServerState.READY:
        raise ProviderError(
            Failure(
                FailureKind.UNREACHABLE,
                f"the local model {server.model_name} cannot be asked: {server.failure}",
            )
        )
