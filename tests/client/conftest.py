"""A pointsman that plays scripts, and keeps its own books of what it saw."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import grpc
import pytest
from google.protobuf.message import Message as ProtoMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from pointsman.v1 import admin_service_pb2 as admin
from pointsman.v1 import registry_service_pb2 as registry
from pointsman.v1 import router_service_pb2 as router
from pointsman.v1.decision_pb2 import Decision
from pointsman.v1.message_pb2 import ToolCall
from pointsman.v1.registry_pb2 import Model
from pointsman.v1.router_service_pb2_grpc import (
    RouterServiceServicer,
    add_RouterServiceServicer_to_server,
)
from pointsman.v1.usage_pb2 import Usage
from pointsman_client import Client

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[ProtoMessage, ProtoMessage]

HANG = "hang"
"""A step: wait until the caller goes away, or in a chat, until it cancels the turn."""


LINGER = "linger"
"""A step: do something else for a moment."""


FREEZE = "freeze"
"""A step of a chat: neither read nor write any more."""


@dataclass(frozen=True)
class Failure:
    """A step: end the call, or in a chat the turn, with this status."""

    status: Status
    raw: bytes | None = None


@dataclass(frozen=True)
class Raw:
    """A step: send these bytes' worth of event or response as it is."""

    message: ProtoMessage


@dataclass(frozen=True)
class EndStream:
    """A step: end the whole chat, with a failure or without."""

    failure: Failure | None = None


Step = router.CompletionEvent | router.ChatCancelled | Failure | Raw | EndStream | str


@dataclass
class FakePointsman:
    """Plays one script a call and turn; its books are the lists."""

    target: str = ""
    requests: list[ProtoMessage] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    seconds_left: list[float | None] = field(default_factory=list)
    chat_requests: list[router.ChatRequest] = field(default_factory=list)
    calls_cancelled: int = 0
    calls_finished: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    scripts: deque[tuple[Step, ...]] = field(default_factory=deque)
    replies: deque[ProtoMessage | Failure | str] = field(default_factory=deque)
    health: health.aio.HealthServicer = field(default_factory=health.aio.HealthServicer)

    def play(self, *steps: Step) -> None:
        """Script the next Complete, or the next turn of a chat."""
        self.scripts.append(steps)

    def reply(self, *replies: ProtoMessage | Failure | str) -> None:
        """Script the next unary calls."""
        self.replies.extend(replies)

    hang = HANG
    linger = LINGER
    freeze = FREEZE

    @staticmethod
    def story(*parts: str | ProtoMessage) -> list[Step]:
        """Number events: a string is text, any other part the event of its type."""
        fields = {
            Decision: "decision",
            router.AttemptStarted: "attempt_started",
            router.AttemptEnded: "attempt_ended",
            router.ModelSwitched: "model_switched",
            router.Completed: "completed",
        }
        events: list[Step] = []
        for sequence, part in enumerate(parts):
            event = router.CompletionEvent(sequence=sequence)
            if isinstance(part, str):
                event.delta.text = part
            elif isinstance(part, ToolCall):
                event.delta.tool_call.CopyFrom(part)
            else:
                getattr(event, fields[type(part)]).CopyFrom(part)
            events.append(event)
        return events

    @classmethod
    def whole(cls, *texts: str) -> list[Step]:
        """Script an answer with nothing wrong with it."""
        done = router.Completed(
            model="acme/small", total_usage=Usage(output_tokens=2, cost_usd_nanos=2_150_000)
        )
        return cls.story(Decision(model="acme/small", decision_id="d-1"), *texts, done)

    @staticmethod
    def failure(
        code: grpc.StatusCode,
        message: str = "",
        *details: ProtoMessage,
        reason: str = "",
        metadata: dict[str, str] | None = None,
    ) -> Failure:
        status = Status(code=code.value[0], message=message)
        if reason:
            info = ErrorInfo(reason=reason, domain="pointsman.dev", metadata=metadata or {})
            status.details.add().Pack(info)
        for detail in details:
            status.details.add().Pack(detail)
        return Failure(status)

    @staticmethod
    def plain_failure(code: grpc.StatusCode, message: str, raw: bytes | None = None) -> Failure:
        """A status as something else than pointsman sends it: without readable details."""
        return Failure(Status(code=code.value[0], message=message), raw=raw or b"")

    raw = Raw
    end_stream = EndStream

    # What the server does.

    def _note(self, request: ProtoMessage | None, context: Context) -> None:
        self.arrived.set()
        if request is not None:
            self.requests.append(request)
        self.metadata.append({k: str(v) for k, v in context.invocation_metadata() or ()})
        self.seconds_left.append(context.time_remaining())

    async def _unary(self, request: ProtoMessage, context: Context) -> ProtoMessage:
        self._note(request, context)
        reply = self.replies.popleft()
        if isinstance(reply, Failure):
            await self._abort(reply, context)
        if isinstance(reply, str):
            try:
                await asyncio.Event().wait()
            finally:
                self.ended.set()
        assert isinstance(reply, ProtoMessage)
        return reply

    async def Classify(self, request: ProtoMessage, context: Context) -> ProtoMessage:
        return await self._unary(request, context)

    async def Route(self, request: ProtoMessage, context: Context) -> ProtoMessage:
        return await self._unary(request, context)

    async def Generate(self, request: ProtoMessage, context: Context) -> ProtoMessage:
        return await self._unary(request, context)

    async def Complete(
        self, request: ProtoMessage, context: Context
    ) -> AsyncIterator[ProtoMessage]:
        self._note(request, context)
        try:
            for step in self.scripts.popleft():
                if isinstance(step, router.CompletionEvent):
                    yield router.CompleteResponse(events=[step])
                elif isinstance(step, Raw):
                    yield step.message
                elif isinstance(step, Failure):
                    await self._abort(step, context)
                elif step == LINGER:
                    await asyncio.sleep(0.05)
                else:
                    await asyncio.Event().wait()
            self.calls_finished += 1
        except (asyncio.CancelledError, GeneratorExit):
            # The latter where the caller left while an event was being written.
            self.calls_cancelled += 1
            raise
        finally:
            self.ended.set()

    async def Chat(
        self, request_iterator: AsyncIterator[router.ChatRequest], context: Context
    ) -> AsyncIterator[ProtoMessage]:
        self._note(None, context)
        try:
            async for request in request_iterator:
                self.chat_requests.append(request)
                if request.WhichOneof("request") != "turn":
                    continue
                for step in self.scripts.popleft():
                    response = router.ChatResponse(turn_id=request.turn.turn_id)
                    if isinstance(step, router.CompletionEvent):
                        response.events.events.append(step)
                    elif isinstance(step, router.ChatCancelled):
                        response.cancelled.CopyFrom(step)
                    elif isinstance(step, Failure):
                        response.error.CopyFrom(step.status)
                    elif isinstance(step, Raw):
                        yield step.message
                        continue
                    elif isinstance(step, EndStream):
                        if step.failure is not None:
                            await self._abort(step.failure, context)
                        return
                    elif step == LINGER:
                        await asyncio.sleep(0.05)
                        continue
                    elif step == FREEZE:
                        await asyncio.Event().wait()
                    else:
                        cancel = await anext(request_iterator, None)
                        if cancel is None:
                            self.calls_cancelled += 1
                            return
                        self.chat_requests.append(cancel)
                        assert cancel.cancel.turn_id == request.turn.turn_id
                        continue
                    yield response
            # A client that leaves and one that is done look alike here, but for this.
            await asyncio.sleep(0.05)
            self.calls_cancelled += context.cancelled()
            self.calls_finished += not context.cancelled()
        except (asyncio.CancelledError, GeneratorExit):
            # The latter where the caller left while an event was being written.
            self.calls_cancelled += 1
            raise
        finally:
            self.ended.set()

    async def _abort(self, failure: Failure, context: Context) -> None:
        status = failure.status
        details = status.SerializeToString() if failure.raw is None else failure.raw
        code = next(c for c in grpc.StatusCode if c.value[0] == status.code)
        trailing = (("grpc-status-details-bin", details),) if details else ()
        await context.abort(code, status.message, trailing)

    def _pages(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            "pointsman.v1.RegistryService",
            {
                "ListModels": grpc.unary_unary_rpc_method_handler(
                    self._unary,
                    registry.ListModelsRequest.FromString,
                    registry.ListModelsResponse.SerializeToString,
                )
            },
        )

    def _info(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            "pointsman.v1.AdminService",
            {
                "GetServerInfo": grpc.unary_unary_rpc_method_handler(
                    self._unary,
                    admin.GetServerInfoRequest.FromString,
                    admin.GetServerInfoResponse.SerializeToString,
                )
            },
        )

    def serve_on(self, server: grpc.aio.Server) -> None:
        add_RouterServiceServicer_to_server(cast(RouterServiceServicer, self), server)
        server.add_generic_rpc_handlers((self._pages(), self._info()))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)

    async def set_serving(self, serving: bool) -> None:
        response = health_pb2.HealthCheckResponse
        await self.health.set("", response.SERVING if serving else response.NOT_SERVING)

    @staticmethod
    def models(*names: str, next_page_token: str = "") -> registry.ListModelsResponse:
        return registry.ListModelsResponse(
            models=[Model(name=name) for name in names], next_page_token=next_page_token
        )


@pytest.fixture
async def fake() -> AsyncIterator[FakePointsman]:
    double = FakePointsman()
    # Without probing, the pipe to the server stays narrow: large requests wait to be read.
    server = grpc.aio.server(options=[("grpc.http2.bdp_probe", 0)])
    double.serve_on(server)
    double.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield double
    await server.stop(0)


@pytest.fixture
async def client(fake: FakePointsman) -> AsyncIterator[Client]:
    async with Client(fake.target, timeout_s=20) as client:
        yield client


@dataclass
class Wire:
    """A connection to the double that can be cut."""

    target: str
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@pytest.fixture
async def wire(fake: FakePointsman) -> AsyncIterator[Wire]:
    host, port = fake.target.split(":")
    tasks: set[asyncio.Task[None]] = set()
    wire = Wire("")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        wire._writers += (writer, far_writer)
        for pair in ((reader, far_writer), (far_reader, writer)):
            tasks.add(asyncio.create_task(pump(*pair)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    wire.target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield wire
    wire.cut()
    server.close()
    await server.wait_closed()
    await asyncio.gather(*tasks)


@pytest.fixture
def seen_within() -> Callable[[asyncio.Event], object]:
    """Wait for the double to have noticed something, and fail where it does not."""

    async def wait(event: asyncio.Event) -> None:
        async with asyncio.timeout(5):
            await event.wait()

    return wait
