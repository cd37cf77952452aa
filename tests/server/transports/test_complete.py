"""RouterService.Complete over real gRPC, with what providers do to it made visible."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from answers import (
    openai_chunk,
    openai_events,
    openai_tool_piece,
    openai_usage,
    paced,
    sse,
    text_reply,
)
from google.protobuf.duration_pb2 import Duration
from pointsman.v1 import decision_pb2, router_service_pb2
from pointsman.v1.router_service_pb2 import GenerateRequest
from served import (
    ErrorInfo,
    RetryInfo,
    Served,
    Settings,
    ask,
    collect,
    detail,
    failing,
    kinds,
    reason_of,
    serving,
    status_of,
    text_of,
)
from upstream import Cut, Hang, Hold, Pause, Reply, SeenRequest, Send, Step, Upstream, whole

Code = grpc.StatusCode
SOON = Duration(nanos=20_000_000)


def said(*texts: str) -> list[Send]:
    """The beginning of an answer, each piece in a send of its own."""
    return [Send(openai_chunk({"content": text})) for text in texts]


def rest(*texts: str) -> Send:
    """An answer whose beginning was `said`, to its end."""
    return Send(b"".join(openai_events(texts)))


def check_numbering(events: list[Any]) -> None:
    assert [e.sequence for e in events] == list(range(len(events)))
    elapsed = [e.elapsed.ToNanoseconds() for e in events]
    assert elapsed == sorted(elapsed)
    assert elapsed[0] >= 0


def sent_to(upstream: Upstream, number: int = -1) -> list[Any]:
    """The messages of a request as a provider received them."""
    body: Any = upstream.requests[number].json
    messages: list[Any] = body["messages"]
    return messages


async def test_an_answer_from_its_decision_to_its_end(served: Served) -> None:
    call = served.router.Complete(ask("Say hello to the world."))
    events = await collect(call)
    assert kinds(events) == ["decision", "attempt_started", "delta", "completed"]
    check_numbering(events)
    assert text_of(events) == "Hello, world"
    decision, completed = events[0].decision, events[-1].completed
    assert (decision.model, completed.model) == ("one/a", "one/a")
    assert completed.decision_id == decision.decision_id
    assert completed.finish_reason == router_service_pb2.FINISH_REASON_STOP
    assert (completed.usage.input_tokens, completed.usage.output_tokens) == (12, 3)
    assert completed.usage.cost_usd_nanos == 12 * 1000 + 3 * 2000
    assert completed.total_usage == completed.usage
    assert completed.baseline_model in ("one/a", "two/b")
    assert completed.time_to_first_token.ToNanoseconds() > 0
    assert await call.code() is Code.OK


async def test_what_arrives_together_is_sent_together(served: Served) -> None:
    """Everything that one wake of the server delivered is one message."""
    served.one.enqueue(Reply([rest("Hello", ", ", "world", "!")]))
    responses = [r async for r in served.router.Complete(ask())]
    assert [kinds(r.events) for r in responses] == [
        ["decision", "attempt_started"],
        ["delta", "completed"],
    ]
    assert text_of([e for r in responses for e in r.events]) == "Hello, world!"


async def test_a_whole_answer_in_one_message(served: Served) -> None:
    call = served.router.Generate(
        GenerateRequest(messages=ask("Say hello to the world.").messages, explain=True)
    )
    answer = await call
    assert answer.text == "Hello, world"
    assert answer.decision.model == answer.completed.model == "one/a"
    assert answer.decision.reasons
    assert (answer.completed.usage.input_tokens, answer.completed.usage.output_tokens) == (12, 3)
    assert dict(await call.initial_metadata())["x-pointsman-model"] == "one/a"
    assert dict(await call.trailing_metadata())["x-pointsman-attempts"] == "1"


async def test_a_whole_answer_that_fails_says_why(served: Served) -> None:
    served.one.enqueue(Reply([*said("only half")]))
    request = GenerateRequest(messages=ask().messages)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.router.Generate(request)
    assert reason_of(status_of(caught.value)) == "ANSWER_INTERRUPTED"
    assert caught.value.code() is Code.UNAVAILABLE


async def test_metadata_before_the_first_message_and_after_the_last(served: Served) -> None:
    call = served.router.Complete(ask())
    headers = dict(await call.initial_metadata())
    events = await collect(call)
    trailers = dict(await call.trailing_metadata())
    assert headers["x-pointsman-decision-id"] == events[0].decision.decision_id
    assert headers["x-pointsman-model"] == "one/a"
    assert headers["x-pointsman-basis"] == "decision_tree"
    assert headers["x-pointsman-confidence"] == f"{events[0].decision.confidence:.3f}"
    assert trailers == {
        "x-pointsman-cost-usd": "0.000018000",
        "x-pointsman-baseline-cost-usd": trailers["x-pointsman-baseline-cost-usd"],
        "x-pointsman-attempts": "1",
        "x-pointsman-hedged": "false",
    }


async def test_headers_come_before_the_model_says_anything(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(Reply([Hold(go), rest("late")]))
    call = served.router.Complete(ask())
    async with asyncio.timeout(2):
        assert dict(await call.initial_metadata())["x-pointsman-model"] == "one/a"
    go.set()
    assert text_of(await collect(call)) == "late"


async def test_text_comes_as_the_provider_sends_it(served: Served) -> None:
    go = asyncio.Event()
    served.one.enqueue(Reply([*said("first"), Hold(go), rest("second")]))
    seen = []
    async with asyncio.timeout(5):
        async for response in served.router.Complete(ask()):
            seen += response.events
            if response.events[-1].delta.text == "first":
                go.set()
    check_numbering(seen)
    assert text_of(seen) == "firstsecond"


async def test_explanations_where_they_are_asked_for(served: Served) -> None:
    plain = await collect(served.router.Complete(ask()))
    explained = await collect(served.router.Complete(ask(explain=True)))
    assert not plain[0].decision.candidates
    assert {c.model for c in explained[0].decision.candidates} == {"one/a", "two/b"}
    assert explained[0].decision.reasons


async def test_a_slow_primary_is_hedged_in_the_open(served: Served) -> None:
    served.one.enqueue(Reply([Hang()]))
    request = ask()
    request.execution.hedge_delay.CopyFrom(SOON)
    call = served.router.Complete(request)
    events = await collect(call)
    check_numbering(events)
    assert kinds(events) == [
        "decision",
        "attempt_started",
        "attempt_started",
        "attempt_ended",
        "delta",
        "completed",
    ]
    decision, first, second, lost, delta, completed = events
    assert decision.decision.hedge_model == "two/b"
    assert decision.decision.hedge_delay == SOON
    assert decision.decision.execution_strategy == decision_pb2.EXECUTION_STRATEGY_HEDGED
    assert first.attempt_started.reason == router_service_pb2.ATTEMPT_REASON_PRIMARY
    assert second.attempt_started.reason == router_service_pb2.ATTEMPT_REASON_HEDGE
    assert (second.attempt_started.attempt, second.attempt_started.model) == (1, "two/b")
    assert lost.attempt_ended.outcome == router_service_pb2.ATTEMPT_OUTCOME_LOST_RACE
    assert lost.attempt_ended.attempt == 0
    assert lost.attempt_ended.usage.estimated
    assert delta.delta.attempt == completed.completed.attempt == 1
    total = completed.completed.total_usage.cost_usd_nanos
    assert total > completed.completed.usage.cost_usd_nanos
    trailers = dict(await call.trailing_metadata())
    assert trailers["x-pointsman-hedged"] == "true"
    assert trailers["x-pointsman-attempts"] == "2"
    await served.one.wait_for(lambda u: len(u.closes) == 1 and u.closes[0].answering)


async def test_no_hedge_where_the_caller_wants_none(served: Served) -> None:
    served.one.enqueue(Reply([Pause(0.1), rest("slow")]))
    request = ask()
    request.execution.hedging = False
    request.execution.hedge_delay.CopyFrom(SOON)
    events = await collect(served.router.Complete(request))
    assert text_of(events) == "slow"
    assert events[0].decision.execution_strategy == decision_pb2.EXECUTION_STRATEGY_SINGLE
    assert not served.two.requests


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (whole("oops", 500, "text/plain"), router_service_pb2.ATTEMPT_OUTCOME_PROVIDER_ERROR),
        (whole("{}", 429), router_service_pb2.ATTEMPT_OUTCOME_RATE_LIMITED),
        (whole("{}", 401), router_service_pb2.ATTEMPT_OUTCOME_REJECTED),
        (whole("<html>", 200, "text/html"), router_service_pb2.ATTEMPT_OUTCOME_PROVIDER_ERROR),
        (Reply([Cut(reset=True)]), router_service_pb2.ATTEMPT_OUTCOME_PROVIDER_ERROR),
        (Reply(()), router_service_pb2.ATTEMPT_OUTCOME_PROVIDER_ERROR),
    ],
)
async def test_a_failure_before_text_falls_back_in_the_open(
    reply: Reply, outcome: int, served: Served
) -> None:
    served.one.enqueue(reply)
    call = served.router.Complete(ask())
    events = await collect(call)
    check_numbering(events)
    assert kinds(events) == [
        "decision",
        "attempt_started",
        "attempt_ended",
        "attempt_started",
        "delta",
        "completed",
    ]
    assert events[2].attempt_ended.outcome == outcome
    assert events[2].attempt_ended.message
    assert events[3].attempt_started.reason == router_service_pb2.ATTEMPT_REASON_FALLBACK
    assert events[5].completed.model == "two/b"
    assert len(served.one.requests) == len(served.two.requests) == 1
    assert dict(await call.trailing_metadata())["x-pointsman-hedged"] == "false"


@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_a_cut_stream_is_an_error_after_its_text(framing: Any, served: Served) -> None:
    for cut in ([Cut()], [Cut(reset=True)], [Pause(0.01)] if framing == "close" else [Cut()]):
        served.one.enqueue(Reply([*said("half of"), Pause(0.02), *cut], framing=framing))
        call = served.router.Complete(ask())
        events, error = await failing(call)
        check_numbering(events)
        assert text_of(events) == "half of"
        assert "completed" not in kinds(events)
        assert error.code() is Code.UNAVAILABLE
        status = status_of(error)
        assert reason_of(status) == "ANSWER_INTERRUPTED"
        info = detail(status, ErrorInfo)
        assert info is not None
        assert dict(info.metadata) == {
            "model": "one/a",
            "outcome": "ATTEMPT_OUTCOME_PROVIDER_ERROR",
        }
        trailers = {k: v for k, v in error.trailing_metadata() if isinstance(v, str)}
        assert trailers["x-pointsman-attempts"] == "1"
        assert float(trailers["x-pointsman-cost-usd"]) > 0
    assert not served.two.requests


async def test_a_cut_stream_starts_over_where_the_caller_allows_it(served: Served) -> None:
    served.one.enqueue(Reply([*said("half of"), Pause(0.02), Cut()]))
    request = ask()
    request.execution.switch_policy = router_service_pb2.SWITCH_POLICY_RESTART
    events = await collect(served.router.Complete(request))
    check_numbering(events)
    assert kinds(events) == [
        "decision",
        "attempt_started",
        "delta",
        "attempt_ended",
        "attempt_started",
        "model_switched",
        "delta",
        "completed",
    ]
    switched = events[5].model_switched
    assert (switched.from_attempt, switched.to_attempt, switched.model) == (0, 1, "two/b")
    assert switched.discard
    assert text_of(events[6:]) == "Hello, world"


async def test_all_models_fail(served: Served) -> None:
    served.one.enqueue(whole("oops", 500, "text/plain"))
    served.two.enqueue(whole("{}", 429, headers=(("retry-after", "7"),)))
    events, error = await failing(served.router.Complete(ask()))
    assert kinds(events)[-1] == "attempt_ended"
    assert error.code() is Code.UNAVAILABLE
    status = status_of(error)
    assert reason_of(status) == "ALL_MODELS_FAILED"
    info, retry = detail(status, ErrorInfo), detail(status, RetryInfo)
    assert info is not None
    assert dict(info.metadata) == {
        "attempts": "2",
        "last_model": "two/b",
        "last_reason": "ATTEMPT_OUTCOME_RATE_LIMITED",
    }
    assert retry is not None
    assert retry.retry_delay == Duration(seconds=7)


async def test_a_refused_prompt_is_nobodys_failure(served: Served) -> None:
    refusal = json.dumps({"error": {"code": "content_filter", "message": "the prompt: no"}})
    for upstream in (served.one, served.two):
        upstream.enqueue(whole(refusal, 400))
    _, error = await failing(served.router.Complete(ask()))
    assert error.code() is Code.INVALID_ARGUMENT
    assert reason_of(status_of(error)) == "PROMPT_REFUSED"
    assert "the prompt: no" not in str(error)


async def test_tool_calls_come_whole(served: Served) -> None:
    served.one.enqueue(
        Reply(
            [
                Send(openai_tool_piece(0, "c1", "look", '{"at":')),
                Pause(0.02),
                Send(openai_tool_piece(0, "", "", ' "it"}')),
                Send(openai_chunk({}, "tool_calls") + openai_usage(5, 6) + sse("[DONE]")),
            ]
        )
    )
    request = ask()
    request.generation.tools.add(name="look", parameters_json_schema="{}")
    events = await collect(served.router.Complete(request))
    (delta,) = [e.delta for e in events if e.WhichOneof("event") == "delta"]
    assert delta.tool_call.call_id == "c1"
    assert json.loads(delta.tool_call.arguments_json) == {"at": "it"}
    finish = events[-1].completed.finish_reason
    assert finish == router_service_pb2.FINISH_REASON_TOOL_CALLS


async def test_absurd_counts_of_a_provider_do_no_harm(served: Served) -> None:
    for prompt, completion in ((10**30, 5), (-5, 5), (2**63, 2**63), (0, 0)):
        answer = openai_chunk({"content": "hi"}) + openai_chunk({}, "stop")
        served.one.enqueue(Reply([Send(answer + openai_usage(prompt, completion) + sse("[DONE]"))]))
        events = await collect(served.router.Complete(ask()))
        assert events[-1].completed.usage.estimated
        assert 0 < events[-1].completed.usage.cost_usd_nanos < 10**9


async def test_the_callers_deadline_ends_the_call_with_its_stage(served: Served) -> None:
    begins: list[list[Step]] = [[Hang()], [*said("half of"), Hang()]]
    for steps in begins:
        served.one.enqueue(Reply(steps))
        _, error = await failing(served.router.Complete(ask(), timeout=0.6))
        assert error.code() is Code.DEADLINE_EXCEEDED
        status = status_of(error)
        assert reason_of(status) == "DEADLINE_EXCEEDED"
        info = detail(status, ErrorInfo)
        assert info is not None
        assert info.metadata["stage"] == "execute"
    await served.one.wait_for(lambda u: len(u.closes) == 2)
    await served.idle()
    assert [line["error"] for line in served.log_lines("request")] == ["DeadlineExceeded"] * 2


async def test_our_own_deadline_ends_calls_that_have_none(tmp_path: Path) -> None:
    async with serving(tmp_path, Settings(total="300ms")) as served:
        served.one.enqueue(Reply([Hang()]))
        _, error = await failing(served.router.Complete(ask()))
        assert error.code() is Code.DEADLINE_EXCEEDED
        assert reason_of(status_of(error)) == "DEADLINE_EXCEEDED"


async def test_a_deadline_that_is_past_already(served: Served) -> None:
    hi = ask().messages
    route, read = router_service_pb2.RouteRequest, router_service_pb2.ClassifyRequest
    for timeout in (1e-9, 0.0):
        for call in (
            served.router.Complete(ask(), timeout=timeout).read(),
            served.router.Route(route(messages=hi), timeout=timeout),
            served.router.Classify(read(messages=hi), timeout=timeout),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            # a moment may be left when the call arrives, and that is too short for any model
            assert caught.value.code() in (Code.DEADLINE_EXCEEDED, Code.FAILED_PRECONDITION)
    assert not served.one.requests


WHEN: dict[str, list[Step]] = {
    "before the first token": [Hang()],
    "in the middle": [*said("a", "b"), Hang()],
    "while text flows": paced([openai_chunk({"content": "tick"})] * 500, 0.005),
}


@pytest.mark.parametrize("when", WHEN)
async def test_a_client_that_cancels_closes_its_providers_connection(
    when: str, served: Served
) -> None:
    served.one.enqueue(Reply(WHEN[when]))
    call = served.router.Complete(ask())
    await served.one.wait_for(lambda u: len(u.requests) == 1)
    if when != "before the first token":
        while not text_of((await call.read()).events):
            pass
    call.cancel()
    cancelled_at = asyncio.get_running_loop().time()
    await served.one.wait_for(lambda u: len(u.closes) == 1)
    (close,) = served.one.closes
    assert close.answering
    assert close.at - cancelled_at < 0.1
    await served.idle()
    (request,) = served.log_lines("request")
    assert request["error"] == "Cancelled"
    (attempt,) = served.log_lines("attempt")
    assert (attempt["outcome"], attempt["estimated"]) == ("cancelled", True)
    assert attempt["input_tokens"] > 0


async def test_a_client_that_vanishes_closes_both_of_a_hedges_connections(served: Served) -> None:
    for upstream in (served.one, served.two):
        upstream.enqueue(Reply([Hang()]))
    request = ask()
    request.execution.hedge_delay.CopyFrom(SOON)
    async with grpc.aio.insecure_channel(served.address) as channel:
        complete: Any = channel.unary_stream(
            "/pointsman.v1.RouterService/Complete",
            request_serializer=router_service_pb2.CompleteRequest.SerializeToString,
        )
        call = complete(request)
        await call.read()
        await served.two.wait_for(lambda u: len(u.requests) == 1)
    for upstream in (served.one, served.two):
        await upstream.wait_for(lambda u: len(u.closes) == 1)
    await served.idle()


def parrot(request: SeenRequest) -> Reply:
    """Says the prompt again, word by word."""
    body: Any = request.json
    words: str = body["messages"][-1]["content"]
    return text_reply("openai", [f"{word} " for word in words.split()], pause_s=0.001)


async def test_fifty_streams_at_once_are_not_mixed(served: Served) -> None:
    served.one.default = parrot
    prompts = [" ".join(f"{i}-{word}" for word in range(20)) for i in range(50)]
    answers = await asyncio.gather(
        *(collect(served.router.Complete(ask(prompt))) for prompt in prompts)
    )
    for prompt, events in zip(prompts, answers, strict=True):
        assert text_of(events).split() == prompt.split()
        check_numbering(events)
    assert len({events[0].decision.decision_id for events in answers}) == 50
    assert not served.two.requests
    assert served.in_flight == 0


async def test_streams_over_the_limit_of_a_connection_wait(tmp_path: Path) -> None:
    limit = ", drain: 5s, max_concurrent_streams: 10"
    async with serving(tmp_path, Settings(server=limit)) as served:
        await collect(served.router.Complete(ask()))  # a connection that knows the limit
        go = asyncio.Event()
        served.one.default = lambda request: Reply([Hold(go), rest("at last")])
        calls = [asyncio.create_task(collect(served.router.Complete(ask()))) for _ in range(11)]
        await served.one.wait_for(lambda u: len(u.requests) == 11, timeout_s=20)
        await asyncio.sleep(0.1)
        assert len(served.one.requests) == 11
        assert not any(call.done() for call in calls)
        go.set()
        assert [text_of(events) for events in await asyncio.gather(*calls)] == ["at last"] * 11


async def test_two_hundred_streams_at_once_on_a_fresh_connection(served: Served) -> None:
    calls = [asyncio.create_task(collect(served.router.Complete(ask()))) for _ in range(200)]
    answers = [text_of(events) for events in await asyncio.gather(*calls)]
    assert answers == ["Hello, world"] * 200


async def test_over_the_limit_of_calls_in_flight(tmp_path: Path) -> None:
    async with serving(tmp_path, Settings(server=", max_in_flight: 1")) as served:
        go = asyncio.Event()
        served.one.enqueue(Reply([Hold(go), rest("whole")]))
        first = asyncio.create_task(collect(served.router.Complete(ask())))
        await served.one.wait_for(lambda u: len(u.requests) == 1)
        _, error = await failing(served.router.Complete(ask()))
        assert error.code() is Code.RESOURCE_EXHAUSTED
        status = status_of(error)
        assert reason_of(status) == "OVERLOADED"
        retry = detail(status, RetryInfo)
        assert retry is not None
        assert retry.retry_delay.ToNanoseconds() > 0
        go.set()
        assert text_of(await first) == "whole"
        await served.idle()
        assert text_of(await collect(served.router.Complete(ask()))) == "Hello, world"


async def test_what_the_provider_was_sent(served: Served) -> None:
    request = ask("And this?")
    request.messages.insert(0, ask("Say this.").messages[0])
    await collect(served.router.Complete(request))
    assert [m["content"] for m in sent_to(served.one)] == ["Say this.", "And this?"]
