"""The client: one channel to one server."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Sequence
from types import TracebackType
from typing import Self, TypeVar
from weakref import WeakSet

import grpc
from pointsman.v1.admin_service_pb2 import GetServerInfoRequest, GetServerInfoResponse
from pointsman.v1.admin_service_pb2_grpc import AdminServiceStub
from pointsman.v1.classification_pb2 import Classification
from pointsman.v1.decision_pb2 import Decision
from pointsman.v1.message_pb2 import Message
from pointsman.v1.registry_pb2 import Model
from pointsman.v1.registry_service_pb2 import ListModelsRequest
from pointsman.v1.registry_service_pb2_grpc import RegistryServiceStub
from pointsman.v1.router_service_pb2 import (
    ChatSetup,
    ClassifyRequest,
    CompleteRequest,
    GenerateRequest,
    GenerateResponse,
    RouteRequest,
)
from pointsman.v1.router_service_pb2_grpc import RouterServiceStub

from pointsman_client.chat import Chat
from pointsman_client.chat_stream import ChatCall
from pointsman_client.completion import CompleteCall, Completion
from pointsman_client.errors import BrokenStream, Cancelled, from_rpc_error
from pointsman_client.health import is_serving
from pointsman_client.messages import Prompt, conversation
from pointsman_client.options import Constraints, Context, Execution, Generation, Overrides
from pointsman_client.tasks import being_cancelled

DEFAULT_TARGET = "127.0.0.1:50051"
_MAX_PAGES = 1000

_Response = TypeVar("_Response")


class Client:
    """A client of one pointsman server; an async context manager.

    Connects when first used, within the event loop that is then running, and may be shared by
    all tasks of that loop. All methods raise ``PointsmanError`` where a call fails.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        timeout_s: float | None = 120.0,
        credentials: grpc.ChannelCredentials | None = None,
        api_key: str | None = None,
        max_message_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        """Prepare a client.

        Args:
            target: The server's address: "host:port", or any name that gRPC resolves, such as
                "unix:/run/pointsman.sock".
            timeout_s: The most that a call or a chat's turn may take where it does not say
                itself; None is no bound.
            credentials: TLS credentials. Without them nothing is encrypted.
            api_key: Sent with every call as a bearer token.
            max_message_bytes: The largest message sent or received.

        """
        self._target = target
        self._timeout_s = timeout_s
        self._credentials = credentials
        self._metadata = () if api_key is None else (("authorization", f"Bearer {api_key}"),)
        self._max_message_bytes = max_message_bytes
        self._channel: grpc.aio.Channel | None = None
        # To be cancelled with the channel: grpcio 1.76 leaves their readers waiting for ever.
        self._streams: WeakSet[grpc.aio.Call] = WeakSet()
        self._closed = False

    @property
    def target(self) -> str:
        """The server's address."""
        return self._target

    @property
    def channel(self) -> grpc.aio.Channel:
        """The channel, for the services that have no method here; see ``from_rpc_error``."""
        if self._closed:
            raise RuntimeError("the client is closed")
        if self._channel is None:
            options = [
                ("grpc.max_receive_message_length", self._max_message_bytes),
                ("grpc.max_send_message_length", self._max_message_bytes),
            ]
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self._target, options)
            else:
                self._channel = grpc.aio.secure_channel(self._target, self._credentials, options)
        return self._channel

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled. Idempotent."""
        self._closed = True
        for stream in list(self._streams):
            stream.cancel()
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()

    async def classify(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        overrides: Overrides | None = None,
        include_scores: bool = False,
        timeout_s: float | None = None,
    ) -> Classification:
        """Say what a prompt asks for. Calls no model."""
        request = ClassifyRequest(
            messages=conversation(prompt, system),
            overrides=None if overrides is None else overrides.to_proto(),
            include_scores=include_scores,
        )
        stub = RouterServiceStub(self.channel)
        response = await self._result(
            stub.Classify(request, timeout=self._timeout(timeout_s), metadata=self._metadata)
        )
        return response.classification

    async def route(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        constraints: Constraints | None = None,
        generation: Generation | None = None,
        context: Context | None = None,
        overrides: Overrides | None = None,
        explain: bool = True,
        timeout_s: float | None = None,
    ) -> Decision:
        """Choose a model for a prompt, and call none. See ``complete`` for the arguments."""
        request = RouteRequest(
            messages=conversation(prompt, system),
            context=None if context is None else context.to_proto(),
            overrides=None if overrides is None else overrides.to_proto(),
            constraints=None if constraints is None else constraints.to_proto(),
            generation=None if generation is None else generation.to_proto(),
            explain=explain,
        )
        stub = RouterServiceStub(self.channel)
        response = await self._result(
            stub.Route(request, timeout=self._timeout(timeout_s), metadata=self._metadata)
        )
        return response.decision

    async def generate(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        constraints: Constraints | None = None,
        generation: Generation | None = None,
        execution: Execution | None = None,
        context: Context | None = None,
        overrides: Overrides | None = None,
        explain: bool = False,
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> GenerateResponse:
        """Route a prompt and wait for the whole answer. See ``complete`` for the arguments."""
        request = GenerateRequest(
            messages=conversation(prompt, system),
            context=None if context is None else context.to_proto(),
            overrides=None if overrides is None else overrides.to_proto(),
            constraints=None if constraints is None else constraints.to_proto(),
            generation=None if generation is None else generation.to_proto(),
            execution=None if execution is None else execution.to_proto(),
            explain=explain,
            request_id=request_id,
        )
        stub = RouterServiceStub(self.channel)
        return await self._result(
            stub.Generate(request, timeout=self._timeout(timeout_s), metadata=self._metadata)
        )

    def complete(
        self,
        prompt: Prompt,
        *,
        system: str | None = None,
        constraints: Constraints | None = None,
        generation: Generation | None = None,
        execution: Execution | None = None,
        context: Context | None = None,
        overrides: Overrides | None = None,
        explain: bool = False,
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> Completion:
        """Route a prompt and stream the answer; nothing is sent before the answer is read.

        Args:
            prompt: The user's words, or a conversation whose last message is to be answered.
            system: Instructions that precede it.
            constraints: What the model must meet: which, how dear, where.
            generation: How it should generate: length, temperature, tools, a schema.
            execution: How the call may trade money for speed.
            context: Whom the call is for.
            overrides: What the caller already knows of the prompt.
            explain: Have the decision list its candidates and reasons.
            request_id: A UUIDv4 that makes the call safe to retry, on servers that keep answers.
            timeout_s: The most that the whole answer may take; the client's own where not given,
                none with ``math.inf``.

        """
        request = CompleteRequest(
            messages=conversation(prompt, system),
            context=None if context is None else context.to_proto(),
            overrides=None if overrides is None else overrides.to_proto(),
            constraints=None if constraints is None else constraints.to_proto(),
            generation=None if generation is None else generation.to_proto(),
            execution=None if execution is None else execution.to_proto(),
            explain=explain,
            request_id=request_id,
        )
        timeout = self._timeout(timeout_s)

        def start() -> CompleteCall:
            stub = RouterServiceStub(self.channel)
            call = stub.Complete(request, timeout=timeout, metadata=self._metadata)
            self._streams.add(call)
            return call

        return Completion(start, self._target)

    def chat(
        self,
        *,
        system: str | None = None,
        history: Sequence[Message] = (),
        constraints: Constraints | None = None,
        generation: Generation | None = None,
        execution: Execution | None = None,
        context: Context | None = None,
    ) -> Chat:
        """Hold a conversation over one stream: ``async with client.chat() as chat``.

        The stream itself has no deadline; each turn has one. ``history`` is what was said
        before, ``system`` ahead of it; for the rest see ``complete``.
        """
        setup = ChatSetup(
            history=conversation(history, system),
            context=None if context is None else context.to_proto(),
            constraints=None if constraints is None else constraints.to_proto(),
            generation=None if generation is None else generation.to_proto(),
            execution=None if execution is None else execution.to_proto(),
        )

        def start() -> ChatCall:
            call = RouterServiceStub(self.channel).Chat(metadata=self._metadata)
            self._streams.add(call)
            return call

        return Chat(start, setup, self._target, self._timeout_s)

    async def models(self, *, timeout_s: float | None = None) -> list[Model]:
        """List all models by name. ``timeout_s`` bounds each page."""
        stub = RegistryServiceStub(self.channel)
        models: list[Model] = []
        request = ListModelsRequest()
        for _ in range(_MAX_PAGES):
            page = await self._result(
                stub.ListModels(request, timeout=self._timeout(timeout_s), metadata=self._metadata)
            )
            models.extend(page.models)
            if not page.next_page_token:
                return models
            request = ListModelsRequest(page_token=page.next_page_token)
        raise BrokenStream(f"the list of models goes on after {_MAX_PAGES} pages")

    async def server_info(self, *, timeout_s: float | None = None) -> GetServerInfoResponse:
        """Say what the server runs. Operators may have put this on another port."""
        stub = AdminServiceStub(self.channel)
        return await self._result(
            stub.GetServerInfo(
                GetServerInfoRequest(),
                timeout=self._timeout(timeout_s),
                metadata=self._metadata,
            )
        )

    async def health(self, service: str = "", *, timeout_s: float | None = None) -> bool:
        """Say whether the server, or one service of it, takes calls.

        Raises:
            ServerUnreachable: there is no server to ask.

        """
        return await self._result(is_serving(self.channel, service, self._timeout(timeout_s)))

    async def _result(self, call: Awaitable[_Response]) -> _Response:
        try:
            return await call
        except asyncio.CancelledError:
            if being_cancelled():
                raise
            raise Cancelled("the client was closed") from None
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, self._target) from error

    def _timeout(self, timeout_s: float | None) -> float | None:
        timeout = self._timeout_s if timeout_s is None else timeout_s
        return None if timeout == math.inf else timeout
