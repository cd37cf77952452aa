"""A whole server in this process: real gRPC on loopback, scripted providers behind it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio
from answers import text_reply
from google.protobuf.message import Message as ProtoMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status
from pointsman.v1.admin_service_pb2_grpc import AdminServiceStub
from pointsman.v1.message_pb2 import ROLE_USER, Message, Part
from pointsman.v1.registry_service_pb2_grpc import RegistryServiceStub
from pointsman.v1.router_service_pb2 import (
    ChatRequest,
    ChatResponse,
    CompleteRequest,
    CompletionEvent,
)
from pointsman.v1.router_service_pb2_grpc import RouterServiceStub
from pointsman_classifier import Classifier
from pointsman_server.app import Server, build_core
from pointsman_server.config import Config, load_file
from pointsman_server.telemetry.logs import FaultLog, LogObserver, configure
from upstream import Upstream, upstream_server

P = TypeVar("P", bound=ProtoMessage)

KEY = "sk-canary-of-the-provider"
"""The API key of both accounts."""

CONFIG = """
version: 1
server: {{{listen}, metrics: {metrics}, classify_within: 5s{server}}}
timeouts: {{total: {total}}}
providers:
  one: {{kind: openai, base_url: "{one}/v1", api_key: env:KEY}}
  two: {{kind: openai, base_url: "{two}/v1", api_key: env:KEY}}
models:
  one/a: {{price: {{input: $1, output: $2}}, capabilities: [tool_use], first_token: 10ms}}
  two/b: {{price: {{input: $10, output: $20}}, context_window: 1000000, first_token: 10ms}}
policy: {{tree: [{{use: one/a}}], hedge: {{extra_cost: 100%, min_delay: 1h}}}}
retry: {{max_retries: 0, base_delay: 1ms, max_delay: 2ms}}
telemetry: {{log_level: debug, log_prompts: {prompts}}}
"""


@dataclass
class Served:
    """A server with two accounts: "one/a" is asked first, "two/b" is its fallback and hedge."""

    server: Server
    one: Upstream
    two: Upstream
    log: io.StringIO
    channel: grpc.aio.Channel

    def __post_init__(self) -> None:
        self.router: Any = RouterServiceStub(self.channel)
        self.registry: Any = RegistryServiceStub(self.channel)
        self.admin: Any = AdminServiceStub(self.channel)

    def log_lines(self, event: str = "") -> list[dict[str, Any]]:
        """What was logged, or only what was logged under a name."""
        lines = map(json.loads, self.log.getvalue().splitlines())
        return [line for line in lines if event in ("", line["event"])]

    def chat(self) -> Chat:
        """A conversation, not yet set up."""
        return Chat(self.router.Chat())

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.server.address

    @property
    def in_flight(self) -> int:
        """Calls under way, as admission counts them."""
        return self.server.core.engine.admission.in_flight

    async def idle(self, timeout_s: float = 5.0) -> None:
        """Wait until no call is under way."""
        async with asyncio.timeout(timeout_s):
            while self.in_flight:  # noqa: ASYNC110 - admission only counts, and tells nobody
                await asyncio.sleep(0.005)


@dataclass
class Chat:
    """A conversation, seen from the client. ``responses`` holds what was read so far."""

    call: Any
    responses: list[ChatResponse] = field(default_factory=list)

    async def say(self, *requests: ChatRequest) -> None:
        """Send these."""
        for request in requests:
            await self.call.write(request)

    async def turn(self, turn_id: str, text: str) -> None:
        """Send a turn."""
        request = ChatRequest()
        request.turn.turn_id = turn_id
        request.turn.messages.append(user(text))
        await self.say(request)

    async def cancel_turn(self, turn_id: str) -> None:
        """Stop a turn."""
        request = ChatRequest()
        request.cancel.turn_id = turn_id
        await self.say(request)

    async def setup(self) -> None:
        """Send a setup of nothing."""
        request = ChatRequest()
        request.setup.SetInParent()
        await self.say(request)

    async def next(self, timeout_s: float = 5.0) -> ChatResponse:
        """Read one response; fails where the stream has ended."""
        async with asyncio.timeout(timeout_s):
            response = await self.call.read()
        assert isinstance(response, ChatResponse), f"the stream ended: {response}"
        self.responses.append(response)
        return response

    async def until(self, turn_id: str, kind: str) -> ChatResponse:
        """Read until this turn has a response, or an event, of this kind."""
        while True:
            response = await self.next()
            found = {response.WhichOneof("response"), *kinds(response.events.events)}
            if response.turn_id == turn_id and kind in found:
                return response

    async def rest(self, timeout_s: float = 5.0) -> list[ChatResponse]:
        """Half-close and read to the end."""
        await self.call.done_writing()
        async with asyncio.timeout(timeout_s):
            while (response := await self.call.read()) is not grpc.aio.EOF:
                self.responses.append(response)
        return self.responses

    def text(self, turn_id: str) -> str:
        """The text of a turn, as far as it was read."""
        return text_of([e for r in self.responses if r.turn_id == turn_id for e in r.events.events])


def user(text: str) -> Message:
    """A user's message."""
    return Message(role=ROLE_USER, parts=[Part(text=text)])


def ask(text: str = "What is the capital of France?", **fields: Any) -> CompleteRequest:
    """A request with one user message."""
    return CompleteRequest(messages=[user(text)], **fields)


async def collect(call: Any) -> list[CompletionEvent]:
    """The events of a Complete."""
    return [event async for response in call for event in response.events]


async def failing(call: Any) -> tuple[list[CompletionEvent], grpc.aio.AioRpcError]:
    """The events of a Complete that fails, and how it fails."""
    events = []
    try:
        async for response in call:
            events += response.events
    except grpc.aio.AioRpcError as error:
        return events, error
    raise AssertionError(f"no error after {events}")


async def read_to_end(call: Any) -> None:
    """Read a stream on and drop what comes."""
    while await call.read() is not grpc.aio.EOF:
        pass


def kinds(events: Sequence[CompletionEvent]) -> list[str]:
    """What kind each event is of."""
    return [str(e.WhichOneof("event")) for e in events]


def text_of(events: Sequence[CompletionEvent]) -> str:
    """The text of an answer that discards nothing."""
    return "".join(e.delta.text for e in events)


def status_of(error: grpc.aio.AioRpcError) -> Status:
    """The google.rpc.Status in an error's trailers; an empty one where there is none."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            assert isinstance(value, bytes)
            status = Status.FromString(value)
            assert status.code == error.code().value[0]
            return status
    return Status()


def detail(status: Status, kind: type[P]) -> P | None:
    """The one detail of this type."""
    found = [d for d in status.details if d.Is(kind.DESCRIPTOR)]
    if not found:
        return None
    (packed,) = found
    message = kind()
    packed.Unpack(message)
    return message


def reason_of(status: Status) -> str:
    """The reason in a status's ErrorInfo."""
    info = detail(status, ErrorInfo)
    if info is None:
        return ""
    assert info.domain == "pointsman.dev"
    return str(info.reason)


@cache
def classifier() -> Classifier:
    """The classifier, loaded once."""
    return Classifier.load()


def no_local_models(name: str, models: object) -> NoReturn:
    """Stands in for what makes local providers."""
    raise AssertionError(f"nothing here is local, and {name} was asked for")


@dataclass(frozen=True, slots=True)
class Settings:
    """What differs between servers. ``server`` is more of its section, after a comma."""

    listen: str = 'address: "127.0.0.1:0"'
    server: str = ", drain: 5s"
    total: str = "60s"
    metrics: str = "null"
    prompts: bool = False


def served_config(folder: Path, one: str, two: str, settings: Settings) -> Config:
    """The configuration, as its user would write it."""
    file = folder / "pointsman.yaml"
    file.write_text(
        CONFIG.format(
            one=one,
            two=two,
            listen=settings.listen,
            server=settings.server,
            total=settings.total,
            metrics=settings.metrics,
            prompts=str(settings.prompts).lower(),
        )
    )
    return load_file(file, {"KEY": KEY})


@asynccontextmanager
async def serving(
    folder: Path, settings: Settings = Settings(), *, one_url: str | None = None
) -> AsyncIterator[Served]:
    """A `Served`, started, and drained at the end.

    Args:
        folder: for its file.
        settings: what is not as usual.
        one_url: where the first account leads to, in place of its upstream.
    """
    async with AsyncExitStack() as stack:
        reply = text_reply("openai", ["Hello", ", ", "world"])
        one = await stack.enter_async_context(upstream_server(reply))
        two = await stack.enter_async_context(upstream_server(reply))
        config = served_config(folder, one_url or one.url, two.url, settings)
        log = io.StringIO()
        logger = configure(config.log, log)
        observers = [LogObserver(logger, config.log)]
        core = build_core(
            config, no_local_models, observers, classifier(), on_fault=FaultLog(logger)
        )
        server = Server(core, logger)
        stack.push_async_callback(core.close)
        await server.start()
        stack.push_async_callback(server.drain)
        channel = grpc.aio.insecure_channel(server.address)
        stack.push_async_callback(channel.close)
        yield Served(server, one, two, log, channel)


__all__ = [
    "KEY",
    "BadRequest",
    "Chat",
    "ErrorInfo",
    "ResourceInfo",
    "RetryInfo",
    "Served",
    "Settings",
    "ask",
    "classifier",
    "collect",
    "detail",
    "failing",
    "kinds",
    "read_to_end",
    "reason_of",
    "served_config",
    "serving",
    "status_of",
    "text_of",
    "user",
]
