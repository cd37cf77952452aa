"""Every kind of error that the server raises arrives with its code, its reason and its details."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from answers import openai_chunk, openai_events
from google.protobuf.duration_pb2 import Duration
from google.rpc.status_pb2 import Status
from pointsman.v1 import error_reason_pb2, registry_pb2, registry_service_pb2, router_service_pb2
from pointsman_server.api import status as api_status
from pointsman_server.domain.errors import RouterError
from served import (
    BadRequest,
    ErrorInfo,
    ResourceInfo,
    RetryInfo,
    Served,
    ask,
    collect,
    detail,
    read_to_end,
    reason_of,
    serving,
    status_of,
    text_of,
)
from transports import over
from upstream import Cut, Hang, Hold, Pause, Reply, Send, whole

Code = grpc.StatusCode
CANARY = "canary-prompt-77aa"


@dataclass(frozen=True)
class Case:
    """How to bring an error about, and what must be seen of it.

    ``provoke`` scripts the providers and makes the call; ``metadata`` is the ErrorInfo's, in which
    "…" stands for anything.
    """

    provoke: Callable[[Served], Any]
    code: grpc.StatusCode
    metadata: dict[str, str] = field(default_factory=dict)
    details: tuple[type[Any], ...] = ()


def complete(served: Served) -> Any:
    return served.router.Complete(ask(CANARY))


def answered_by(*replies: Reply) -> Callable[[Served], Any]:
    """A Complete whose two models answer so."""

    def provoke(served: Served) -> Any:
        for upstream, reply in zip((served.one, served.two), replies, strict=False):
            upstream.enqueue(reply)
        return complete(served)

    return provoke


def blind(served: Served) -> Any:
    request = ask(CANARY)
    request.constraints.required_capabilities.append(registry_pb2.CAPABILITY_VISION)
    return served.router.Complete(request)


def late(served: Served) -> Any:
    served.one.enqueue(Reply([Hang()]))
    return served.router.Complete(ask(CANARY), timeout=0.5)


def broken(served: Served) -> Any:
    def decide(*args: object) -> None:
        raise RuntimeError(CANARY)

    served.server.core.engine.router.decide = decide  # type: ignore[method-assign,assignment]
    return served.router.Complete(ask(CANARY))


REFUSAL = json.dumps({"error": {"code": "content_filter", "message": "no"}})
BROKE_OFF = Reply([Send(openai_chunk({"content": "half of"})), Pause(0.02), Cut()])

CASES = {
    "INVALID_REQUEST": Case(
        lambda served: served.router.Complete(router_service_pb2.CompleteRequest()),
        Code.INVALID_ARGUMENT,
        details=(BadRequest,),
    ),
    "NOT_FOUND": Case(
        lambda served: served.registry.GetModel(registry_service_pb2.GetModelRequest(name="x/y")),
        Code.NOT_FOUND,
        details=(ResourceInfo,),
    ),
    "NO_ELIGIBLE_MODEL": Case(blind, Code.FAILED_PRECONDITION, {"candidates": "2"}),
    "DEADLINE_EXCEEDED": Case(late, Code.DEADLINE_EXCEEDED, {"stage": "execute"}),
    "PROMPT_REFUSED": Case(
        answered_by(whole(REFUSAL, 400), whole(REFUSAL, 400)),
        Code.INVALID_ARGUMENT,
        {"model": "…"},
    ),
    "ALL_MODELS_FAILED": Case(
        answered_by(whole("oops", 500), whole("{}", 429, headers=(("retry-after", "7"),))),
        Code.UNAVAILABLE,
        {
            "attempts": "2",
            "last_model": "two/b",
            "last_reason": "ATTEMPT_OUTCOME_RATE_LIMITED",
        },
        (RetryInfo,),
    ),
    "ALL_MODELS_FAILED, in vain": Case(
        answered_by(whole("{}", 401), whole("{}", 401)),
        Code.FAILED_PRECONDITION,
        {"attempts": "2", "last_model": "two/b", "last_reason": "ATTEMPT_OUTCOME_REJECTED"},
    ),
    "ANSWER_INTERRUPTED": Case(
        answered_by(BROKE_OFF),
        Code.UNAVAILABLE,
        {"model": "one/a", "outcome": "ATTEMPT_OUTCOME_PROVIDER_ERROR"},
    ),
    "INTERNAL": Case(broken, Code.INTERNAL, {"error_id": "…"}),
}


async def failed(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (read_to_end(call) if hasattr(call, "read") else call)
    return caught.value


def check(error: grpc.aio.AioRpcError, reason: str, case: Case) -> Status:
    """The status is the case's, and says the same to those who read only code and message."""
    assert error.code() is case.code
    status = status_of(error)
    assert status.code == case.code.value[0]
    assert status.message == error.details() != ""
    assert reason_of(status) == reason.partition(",")[0]
    info = detail(status, ErrorInfo)
    assert info is not None
    said = dict(info.metadata)
    assert said.keys() == case.metadata.keys()
    assert all(value in (said[key], "…") and said[key] for key, value in case.metadata.items())
    assert len(status.details) == 1 + len(case.details)
    assert all(detail(status, kind) is not None for kind in case.details)
    assert CANARY not in str(error)
    return status


@pytest.mark.parametrize("reason", CASES)
async def test_an_error_says_what_went_wrong(reason: str, served: Served) -> None:
    status = check(await failed(CASES[reason].provoke(served)), reason, CASES[reason])
    retry = detail(status, RetryInfo)
    if retry is not None:
        assert retry.retry_delay == Duration(seconds=7)
    resource = detail(status, ResourceInfo)
    if resource is not None:
        assert (resource.resource_type, resource.resource_name) == ("model", "x/y")


async def test_every_malformed_field_is_named(served: Served) -> None:
    request = ask("hi")
    request.generation.temperature = 3
    request.generation.top_p = 2
    request.request_id = "not one"
    error = await failed(served.router.Complete(request))
    bad = detail(status_of(error), BadRequest)
    assert bad is not None
    found = {v.field: v.description for v in bad.field_violations}
    assert found.keys() == {"generation.temperature", "generation.top_p", "request_id"}
    assert all(found.values())


@asynccontextmanager
async def full(tmp_path: Path, transport: str) -> AsyncIterator[tuple[Served, asyncio.Event]]:
    """A server that has no room for a second call, until the event is set."""
    async with serving(tmp_path, over(transport, ", drain: 5s, max_in_flight: 1")) as served:
        go = asyncio.Event()
        done = Send(b"".join(openai_events(["whole"])))
        served.one.enqueue(Reply([Hold(go), done]))
        first = asyncio.create_task(collect(served.router.Complete(ask())))
        await served.one.wait_for(lambda u: len(u.requests) == 1)
        yield served, go
        go.set()
        assert text_of(await first) == "whole"


async def test_a_full_server_says_when_to_try_again(tmp_path: Path, transport: str) -> None:
    case = Case(complete, Code.RESOURCE_EXHAUSTED, details=(RetryInfo,))
    async with full(tmp_path, transport) as (served, go):
        status = check(await failed(case.provoke(served)), "OVERLOADED", case)
        retry = detail(status, RetryInfo)
        assert retry is not None
        assert retry.retry_delay.ToNanoseconds() > 0
        go.set()


async def test_a_server_that_drains_says_so_to_conversations(served: Served) -> None:
    chat = served.chat()
    await chat.setup()
    await chat.turn("a", "hi")
    await chat.until("a", "completed")
    drain = asyncio.create_task(served.server.drain())
    case = Case(complete, Code.UNAVAILABLE, details=(RetryInfo,))
    check(await failed(chat.call), "SHUTTING_DOWN", case)
    await drain


def test_no_kind_of_error_is_left_out() -> None:
    source = Path(api_status.__file__).read_text()  # the one module that makes statuses
    reasons = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    raised = {name for name in reasons if name in source}
    covered = {reason.partition(",")[0] for reason in CASES} | {"OVERLOADED", "SHUTTING_DOWN"}
    assert {f"ERROR_REASON_{reason}" for reason in covered} == raised
    assert len(covered) == len(RouterError.__subclasses__()) + 1  # INTERNAL is nobody's
