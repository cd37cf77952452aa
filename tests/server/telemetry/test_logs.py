"""One JSON line a decision, attempt and request, and no word of a prompt or a key in any."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from answers import openai_chunk, openai_events, sse
from pointsman.v1 import router_service_pb2
from pointsman_server.domain.attempts import (
    AttemptOutcome,
    AttemptReason,
    AttemptRecord,
    Failure,
    FailureKind,
)
from pointsman_server.domain.money import Usage
from pointsman_server.domain.observer import AttemptDetails, AttemptStart, Receipt
from pointsman_server.domain.request import CallContext
from pointsman_server.telemetry.logs import FaultLog, LogObserver, LogSettings, configure
from served import KEY, Served, Settings, ask, collect, failing, serving, user
from upstream import Cut, Hang, Pause, Reply, SeenRequest, Send, whole

CANARY = "canary-of-the-prompt-5b1c"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as running:
        yield running


def check_clean(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing that was logged or printed holds the canaries."""
    printed = capfd.readouterr()
    for where in (served.log.getvalue(), printed.out, printed.err):
        assert CANARY not in where
        assert KEY not in where


async def test_one_line_a_decision_attempt_and_request(served: Served) -> None:
    served.one.enqueue(whole("oops", 500, "text/plain"))
    request = ask("Write a haiku.")
    request.context.user_id, request.context.session_id = "u-1", "s-1"
    events = await collect(served.router.Complete(request))
    await served.idle()
    (decision,) = served.log_lines("decision")
    assert decision["decision_id"] == events[0].decision.decision_id
    assert (decision["model"], decision["fallbacks"]) == ("one/a", ["two/b"])
    assert (decision["user_id"], decision["session_id"]) == ("u-1", "s-1")
    assert (decision["basis"], decision["propensity"]) == ("decision_tree", 1.0)
    assert decision["task_type"]
    assert decision["complexity"] in ("low", "medium", "high")
    assert 0 <= decision["complexity_score"] <= 1
    assert 0 <= decision["multi_step"] <= 1
    assert decision["expected_output_tokens"] >= 1
    assert decision["classify_ms"] > 0
    assert "prompt" not in decision
    first, second = served.log_lines("attempt")
    assert (first["model"], first["outcome"], first["failure"]) == (
        "one/a",
        "provider_error",
        "server_error",
    )
    assert first["message"] == "the provider failed (status 500)"
    assert (second["model"], second["outcome"], second["failure"]) == ("two/b", "completed", None)
    assert second["first_token_ms"] > 0
    assert (second["input_tokens"], second["output_tokens"]) == (12, 3)
    assert second["cost_usd"] == pytest.approx(0.00018)
    (ended,) = served.log_lines("request")
    assert (ended["error"], ended["attempts"]) == (None, 2)
    assert ended["cost_usd"] == pytest.approx(0.00018)
    ids = {line["decision_id"] for line in (decision, first, second, ended)}
    assert len(ids) == 1
    assert len(served.log_lines("attempt_started")) == 2


async def test_every_line_is_json_with_a_time_a_level_and_a_name(served: Served) -> None:
    for i in range(20):
        await collect(served.router.Complete(ask(f"line\none {i} \u2028 \x00 \U0001f682")))
    request = ask()
    request.context.user_id = 'u"\n{"event": "forged"}\r\n'
    await collect(served.router.Complete(request))
    lines = served.log_lines()
    assert {line["event"] for line in lines} == {
        "serving",
        "decision",
        "attempt_started",
        "attempt",
        "request",
    }
    for line in lines:
        assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None
        assert line["level"] in ("debug", "info")
    assert len(served.log_lines("decision")) == 21
    assert served.log_lines("decision")[-1]["user_id"] == request.context.user_id


def echo(request: SeenRequest) -> Reply:
    """A refusal that repeats the whole request, and its key, wherever a refusal has room."""
    said = request.body.decode() + str(request.headers)
    error = {"message": said, "code": said, "type": said, "param": said}
    return whole(json.dumps({"error": error}), 400, headers=(("x-echo", CANARY),))


def echo_key(request: SeenRequest) -> Reply:
    """A refusal whose code is the key."""
    return whole(json.dumps({"error": {"message": "no", "code": KEY, "type": KEY}}), 401)


def echo_in_stream(request: SeenRequest) -> Reply:
    """An answer that ends with an error event which repeats the request."""
    said = request.body.decode() + str(request.headers)
    error = sse({"error": {"message": said, "code": said}})
    return Reply([Send(openai_chunk({"content": "a"})), Pause(0.01), Send(error)])


def echo_garbage(request: SeenRequest) -> Reply:
    """A stream of what cannot be read, made of the request."""
    return Reply([Send(b"data: {" + request.body + b"\n\n" + str(request.headers).encode())])


def echo_page(request: SeenRequest) -> Reply:
    """A web page with the request in it."""
    return whole(b"<html>" + request.body, 502, "text/html")


@pytest.mark.parametrize("echoing", [echo, echo_key, echo_in_stream, echo_garbage, echo_page])
async def test_providers_that_repeat_prompt_and_key_do_not_get_them_into_the_log(
    echoing: Any, served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    served.one.default = served.two.default = echoing
    _, error = await failing(served.router.Complete(ask(CANARY)))
    chat = served.chat()
    await chat.setup()
    await chat.turn("a", CANARY)
    await chat.until("a", "error")
    await chat.rest()
    await served.idle()
    assert served.one.requests
    assert CANARY in served.one.requests[0].body.decode()
    assert KEY in str(served.one.requests[0].headers)
    assert served.log_lines("attempt")
    check_clean(served, capfd)
    assert CANARY not in str(error)
    assert KEY not in str(error)


async def test_no_ending_puts_a_prompt_or_a_key_into_the_log(
    served: Served, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    half = Send(openai_chunk({"content": CANARY}))
    endings: list[Reply] = [
        Reply([half, Send(b"".join(openai_events([CANARY])))]),
        Reply([half, Pause(0.01), Cut()]),
        Reply([half, Pause(0.01), Cut(reset=True)]),
        Reply([Cut()]),
        Reply(()),
        whole(CANARY, 200, "text/html"),
        whole(json.dumps({"choices": CANARY}), 200),
        whole("", 302, headers=(("location", f"http://{CANARY}/"),)),
    ]
    for reply in endings:
        served.one.enqueue(reply)
        served.two.enqueue(reply)
        async for _ in quietly(served.router.Complete(ask(CANARY))):
            pass
        served.two.queue.clear()
    served.one.enqueue(Reply([half, Hang()]))
    call = served.router.Complete(ask(CANARY))
    await call.read()
    call.cancel()
    # refused at the edge: the text of the error may hold what the caller sent, the log may not
    bad = ask(CANARY)
    bad.overrides.task_type = CANARY
    bad.constraints.allowed_models.append(CANARY)
    bad.generation.response_json_schema = CANARY
    async for _ in quietly(served.router.Complete(bad)):
        pass
    junk: Any = served.channel.unary_unary("/pointsman.v1.RouterService/Classify")
    with pytest.raises(grpc.aio.AioRpcError):
        await junk(CANARY.encode())

    def decide(*args: object) -> None:
        raise RuntimeError(CANARY, KEY)

    monkeypatch.setattr(served.server.core.engine.router, "decide", decide)
    async for _ in quietly(served.router.Complete(ask(CANARY))):
        pass
    assert served.log_lines("internal_error")
    await served.idle()
    check_clean(served, capfd)


async def quietly(call: Any) -> AsyncIterator[object]:
    """What a call says; its error is nobody's concern."""
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError:
        pass


async def test_a_classifier_that_breaks_down_on_a_prompt_does_not_log_it(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(*args: object) -> None:
        raise ValueError(f"cannot read {CANARY}")

    monkeypatch.setattr(served.server.core.engine._reader, "read", read)
    events = await collect(served.router.Complete(ask(CANARY)))
    assert events[-1].HasField("completed")
    (line,) = served.log_lines("internal_error")
    assert line["type"] == "ValueError"
    (decision,) = served.log_lines("decision")
    assert decision["basis"] == "default"
    assert "task_type" not in decision
    assert CANARY not in served.log.getvalue()


async def test_prompts_where_they_are_switched_on_and_nothing_else(tmp_path: Path) -> None:
    async with serving(tmp_path, Settings(prompts=True)) as served:
        request = ask(CANARY)
        request.messages.insert(0, user("what was before"))
        await collect(served.router.Complete(request))
        await served.router.Route(router_service_pb2.RouteRequest(messages=[user("route me")]))
        assert [d["prompt"] for d in served.log_lines("decision")] == [CANARY, "route me"]
        others = [line for line in served.log_lines() if line["event"] != "decision"]
        assert CANARY not in json.dumps(others)
        assert KEY not in served.log.getvalue()


async def test_prompts_are_off_by_default() -> None:
    assert LogSettings().prompts is False


RECORD = AttemptRecord(
    2,
    "m",
    "p",
    AttemptReason.HEDGE,
    AttemptOutcome.TIMED_OUT,
    Usage(10, 0, 5, 0, 1_500_000_000, estimated=True),
    100.0,
    102.5,
    failure=Failure(FailureKind.TIMED_OUT, "no first token in time"),
)


@pytest.mark.parametrize(
    ("level", "events"),
    [
        ("debug", ["attempt_started", "attempt", "request", "internal_error"]),
        ("info", ["attempt", "request", "internal_error"]),
        ("warning", ["internal_error"]),
        ("error", ["internal_error"]),
    ],
)
def test_levels(level: str, events: list[str]) -> None:
    stream = io.StringIO()
    settings = LogSettings(level)
    log = configure(settings, stream)
    observer = LogObserver(log, settings)
    observer.attempt_started(AttemptStart("d", 2, "m", AttemptReason.HEDGE))
    observer.attempt_ended(AttemptDetails("d", RECORD, 10))
    observer.request_ended(Receipt("d", CallContext(), (RECORD,), RECORD.usage, 7, "", None, 2.5))
    FaultLog(log)(ValueError("x"))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == events


def test_what_an_attempt_says() -> None:
    stream = io.StringIO()
    LogObserver(configure(LogSettings(), stream), LogSettings()).attempt_ended(
        AttemptDetails("d", RECORD, 10)
    )
    line = json.loads(stream.getvalue())
    del line["timestamp"]
    assert line == {
        "event": "attempt",
        "level": "info",
        "decision_id": "d",
        "attempt": 2,
        "model": "m",
        "provider": "p",
        "reason": "hedge",
        "outcome": "timed_out",
        "failure": "timed_out",
        "message": "no first token in time",
        "first_token_ms": None,
        "duration_ms": 2500.0,
        "input_tokens": 10,
        "output_tokens": 5,
        "estimated": True,
        "cost_usd": 1.5,
    }


def test_a_fault_is_logged_by_its_place_and_not_by_its_text() -> None:
    stream = io.StringIO()
    faults = FaultLog(configure(LogSettings(), stream))

    def fail(depth: int) -> None:
        if depth:
            fail(depth - 1)
        raise KeyError(CANARY)

    try:
        fail(40)
    except KeyError as error:
        first, second = faults(error), faults(error)
    assert first != second
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["error_id"] for line in lines] == [first, second]
    assert lines[0]["type"] == "KeyError"
    assert len(lines[0]["frames"]) == 12
    assert lines[0]["frames"][-1].endswith(" fail")
    assert Path(__file__).name in lines[0]["frames"][-1]
    assert CANARY not in stream.getvalue()


async def test_a_fault_in_a_task_group_is_logged_as_itself() -> None:
    stream = io.StringIO()
    faults = FaultLog(configure(LogSettings(), stream))

    async def fail() -> None:
        raise KeyError(CANARY)

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
    faults(caught.value)
    line = json.loads(stream.getvalue())
    assert line["type"] == "KeyError"
    assert line["frames"][-1].endswith(" fail")
    assert CANARY not in stream.getvalue()


def test_logs_go_to_standard_error_unless_told_otherwise() -> None:
    script = (
        "from pointsman_server.telemetry.logs import LogSettings, configure\n"
        "configure(LogSettings()).info('hello', n=1)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert ran.stdout == b""
    assert json.loads(ran.stderr)["n"] == 1


def test_what_json_cannot_hold_is_logged_all_the_same() -> None:
    stream = io.StringIO()
    log = configure(LogSettings(), stream)
    log.info("odd", what={1, 2}.__class__, half="\ud800")
    line = json.loads(stream.getvalue())
    assert line["what"] == "<class 'set'>"
    assert line["half"] == "\ud800"
