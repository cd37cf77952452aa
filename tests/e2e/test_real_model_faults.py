"""A real llama.cpp, and everything that can go wrong between it and the router."""

from __future__ import annotations

import asyncio
import time

import pytest
from faults import (
    Canned,
    CutAfterBytes,
    CutAfterEvents,
    Delay,
    Drip,
    GarbageAfterBytes,
    StallAfterBytes,
)
from pointsman.v1.router_service_pb2 import (
    FINISH_REASON_MAX_TOKENS,
    FINISH_REASON_STOP,
    AttemptOutcome,
    AttemptReason,
    CompletionEvent,
)
from pointsman_client import Completion, Constraints, Execution, Generation, PointsmanError
from station import Station

PROMPT = "Count from one to twenty in words."
FAST = Generation(max_output_tokens=24, temperature=0.0)
NO_HEDGE = Execution(hedging=False)


def response(status: str, body: str, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", "content-type: application/json", "connection: close", *headers]
    return "\r\n".join([*head, f"content-length: {len(body)}", "", body]).encode()


async def collect(completion: Completion) -> list[CompletionEvent]:
    return [event async for event in completion]


def attempts(events: list[CompletionEvent]) -> list[tuple[str, str]]:
    """What was started and how it ended, in the order in which a client sees it."""
    seen = []
    for event in events:
        match event.WhichOneof("event"):
            case "attempt_started":
                reason = AttemptReason.Name(event.attempt_started.reason)
                seen.append((event.attempt_started.model, reason.removeprefix("ATTEMPT_REASON_")))
            case "attempt_ended":
                outcome = AttemptOutcome.Name(event.attempt_ended.outcome)
                seen.append(("", outcome.removeprefix("ATTEMPT_OUTCOME_")))
    return seen


async def truth(station: Station) -> str:
    """What the model says when nothing is in the way; at temperature 0 always the same."""
    return await station.client.complete(PROMPT, generation=FAST, execution=NO_HEDGE).text()


async def test_an_answer_comes_through_whole(station: Station) -> None:
    """Text, usage and cost of a real model arrive, and the log has one line for each step."""
    completion = station.client.complete(PROMPT, generation=FAST, execution=NO_HEDGE)
    text = await completion.text()
    completed = completion.completed
    assert "2" in text
    assert completed is not None
    assert completed.model == "flaky/smol"
    assert completed.usage.output_tokens == 24
    assert not completed.usage.estimated
    tokens = completed.usage
    assert tokens.cost_usd_nanos == -(-(tokens.input_tokens * 100 + 24 * 200) * 10**6 // 10**6)
    assert [len(station.log_lines(e)) for e in ("decision", "attempt", "request")] == [1, 1, 1]
    assert PROMPT not in station.log.getvalue()


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Canned(response("500 Internal Server Error", "{}")), "PROVIDER_ERROR"),
        (
            Canned(response("529 Overloaded", '{"error": {"message": "busy"}}')),
            "PROVIDER_ERROR",
        ),
        (Canned(response("200 OK", "<html>hello</html>")), "PROVIDER_ERROR"),
        (Canned(b"\x00\xff garbage, not HTTP \r\n\r\n"), "PROVIDER_ERROR"),
        (CutAfterBytes(0), None),
        (CutAfterBytes(40, reset=True), None),
        (GarbageAfterBytes(0), "PROVIDER_ERROR"),
    ],
)
async def test_what_may_pass_is_retried_on_the_same_model(
    station: Station, fault: object, outcome: str | None
) -> None:
    """One failed connection costs one retry, and the answer is the one that was meant."""
    expected = await truth(station)
    station.flaky.enqueue(fault)  # type: ignore[arg-type]
    completion = station.client.complete(PROMPT, generation=FAST, execution=NO_HEDGE)
    events = await collect(completion)
    assert completion.text_so_far == expected
    started = [a for a in attempts(events) if a[0]]
    assert started == [("flaky/smol", "PRIMARY"), ("flaky/smol", "RETRY")]
    ended = [o for model, o in attempts(events) if not model]
    assert len(ended) == 1
    if outcome is not None:
        assert ended == [outcome]


async def test_a_long_retry_after_goes_to_the_backup(station: Station) -> None:
    """A provider that asks for a minute is not waited for: the backup answers at once."""
    limited = response("429 Too Many Requests", '{"error": {"message": "x"}}', "retry-after: 60")
    station.flaky.enqueue(Canned(limited))
    completion = station.client.complete(PROMPT, generation=FAST, execution=NO_HEDGE)
    events = await collect(completion)
    assert attempts(events) == [
        ("flaky/smol", "PRIMARY"),
        ("", "RATE_LIMITED"),
        ("steady/smol", "FALLBACK"),
    ]
    assert completion.completed is not None
    assert completion.completed.model == "steady/smol"


async def test_a_short_retry_after_is_waited_for(station: Station) -> None:
    """A provider that asks for a fifth of a second gets it, and the retry."""
    limited = response("429 Too Many Requests", "{}", "retry-after-ms: 200")
    station.flaky.enqueue(Canned(limited))
    began = time.monotonic()
    events = await collect(station.client.complete(PROMPT, generation=FAST, execution=NO_HEDGE))
    assert ("flaky/smol", "RETRY") in attempts(events)
    assert time.monotonic() - began >= 0.2


async def test_an_answer_cut_in_the_middle_is_never_complete(station: Station) -> None:
    """A cut after text is an error that says so; no token is sent twice, none is invented."""
    expected = await truth(station)
    station.flaky.enqueue(CutAfterEvents(8))
    completion = station.client.complete(PROMPT, generation=FAST, execution=NO_HEDGE)
    with pytest.raises(PointsmanError) as caught:
        await collect(completion)
    assert caught.value.reason == "ANSWER_INTERRUPTED"
    assert caught.value.metadata["model"] == "flaky/smol"
    assert completion.text_so_far
    assert expected.startswith(completion.text_so_far)
    assert completion.completed is None


async def test_a_cut_answer_starts_over_where_the_caller_allows_it(station: Station) -> None:
    """With RESTART the backup answers from the beginning, and the client drops what it had."""
    expected = await truth(station)
    station.flaky.enqueue(CutAfterEvents(8, reset=True))
    restart = Execution(hedging=False, switch_policy="restart")
    completion = station.client.complete(PROMPT, generation=FAST, execution=restart)
    events = await collect(completion)
    assert [e.model_switched.discard for e in events if e.HasField("model_switched")] == [True]
    assert completion.text_so_far == expected
    assert completion.completed is not None
    assert completion.completed.model == "steady/smol"
    spent = [e.attempt_ended.usage for e in events if e.HasField("attempt_ended")]
    assert spent[0].estimated
    assert spent[0].output_tokens > 0


async def test_a_silent_stream_ends_by_its_idle_limit(station: Station) -> None:
    """A stream that stalls in the middle is closed after two seconds, with what was sent."""
    station.flaky.enqueue(StallAfterBytes(2500))
    completion = station.client.complete(PROMPT, generation=FAST, execution=NO_HEDGE)
    began = time.monotonic()
    with pytest.raises(PointsmanError) as caught:
        await collect(completion)
    assert caught.value.reason == "ANSWER_INTERRUPTED"
    assert caught.value.metadata["outcome"] == "ATTEMPT_OUTCOME_TIMED_OUT"
    assert time.monotonic() - began < 12
    await station.flaky.wait_for(lambda proxy: any(c.side == "client" for c in proxy.closes))


async def test_a_slow_drip_of_bytes_is_put_together(station: Station) -> None:
    """Events that arrive in pieces of seven bytes make the same text."""
    expected = await truth(station)
    station.flaky.enqueue(Drip(bytes_per_tick=7, tick_s=0.0005))
    text = await station.client.complete(PROMPT, generation=FAST, execution=NO_HEDGE).text()
    assert text == expected


async def test_a_slow_call_is_hedged_and_the_loser_is_closed(station: Station) -> None:
    """The backup fires after the delay and wins; the loser's connection closes, its cost counts."""
    station.flaky.enqueue(Delay(30.0))
    completion = station.client.complete(
        PROMPT, generation=FAST, execution=Execution(hedging=True, hedge_delay_s=0.2)
    )
    events = await collect(completion)
    assert attempts(events) == [
        ("flaky/smol", "PRIMARY"),
        ("steady/smol", "HEDGE"),
        ("", "LOST_RACE"),
    ]
    await station.flaky.wait_for(lambda proxy: any(c.side == "client" for c in proxy.closes))
    completed = completion.completed
    assert completed is not None
    assert completed.model == "steady/smol"
    lost = next(e.attempt_ended.usage for e in events if e.HasField("attempt_ended"))
    assert lost.estimated
    assert lost.cost_usd_nanos > 0
    total = completed.total_usage.cost_usd_nanos
    assert total == completed.usage.cost_usd_nanos + lost.cost_usd_nanos


async def test_everything_down_is_said_once(station: Station) -> None:
    """With both accounts failing the caller gets one typed error and a delay to wait."""
    broken = Canned(response("503 Service Unavailable", "{}"))
    station.flaky.enqueue(broken, broken)
    station.steady.enqueue(broken)
    completion = station.client.complete(PROMPT, generation=FAST, execution=NO_HEDGE)
    with pytest.raises(PointsmanError) as caught:
        await collect(completion)
    assert caught.value.reason == "ALL_MODELS_FAILED"
    assert caught.value.retry_after_s is not None
    assert caught.value.metadata["attempts"] == "3"
    assert await truth(station)


async def test_leaving_stops_the_model(station: Station) -> None:
    """A client that goes away in mid-answer closes the provider's connection at once."""
    long = Generation(max_output_tokens=900, temperature=0.0)
    completion = station.client.complete("Tell me a long story.", generation=long)
    async with completion:
        async for _ in completion.texts():
            break
    left = asyncio.get_running_loop().time()
    await station.flaky.wait_for(lambda proxy: any(c.side == "client" for c in proxy.closes))
    closed = next(c.at for c in station.flaky.closes if c.side == "client")
    assert closed - left < 0.5
    [line] = station.log_lines("request")
    assert line["error"] == "Cancelled"


async def test_a_conversation_remembers_what_it_stopped(station: Station) -> None:
    """Cancelling a turn keeps its text in the history, and the chat goes on."""
    async with station.client.chat(
        generation=Generation(max_output_tokens=200, temperature=0.0), execution=NO_HEDGE
    ) as chat:
        turn = chat.turn("Tell me a long story about a red fox.")
        async for event in turn:
            if event.HasField("delta"):
                await chat.cancel()
        assert turn.cancelled
        assert turn.text_so_far
        second = chat.turn("Say hello.")
        assert await second.text()
        assert second.decision is not None
        first = turn.decision
        assert first is not None
        assert second.decision.classification.prompt_tokens > first.classification.prompt_tokens


async def test_draining_lets_an_answer_end(station: Station) -> None:
    """A drain refuses new calls and waits for the answer under way, which arrives whole."""
    expected = await truth(station)
    completion = station.client.complete(PROMPT, generation=FAST, execution=NO_HEDGE)
    events = aiter(completion)
    await anext(events)
    draining = asyncio.create_task(station.server.drain())
    async for _ in events:
        pass
    assert completion.text_so_far == expected
    await draining


async def test_the_same_model_in_anthropics_dialect(station: Station) -> None:
    """llama.cpp speaks both dialects; text, usage and stop reason come through either."""
    pinned = Constraints(models=("messages/smol",))
    completion = station.client.complete(PROMPT, generation=FAST, constraints=pinned)
    assert (await completion.text()).strip()
    completed = completion.completed
    assert completed is not None
    assert completed.model == "messages/smol"
    # this dialect takes no temperature any more, so the answer's length is the model's mood
    assert completed.finish_reason in (FINISH_REASON_STOP, FINISH_REASON_MAX_TOKENS)
    assert 0 < completed.usage.output_tokens <= 24
    assert completed.usage.input_tokens > 10
    assert not completed.usage.estimated


async def test_a_cut_message_is_never_complete(station: Station) -> None:
    """In Anthropic's dialect too, an answer without its last event is an error."""
    station.steady.enqueue(CutAfterEvents(8))
    pinned = Constraints(models=("messages/smol",))
    completion = station.client.complete(PROMPT, generation=FAST, constraints=pinned)
    with pytest.raises(PointsmanError) as caught:
        await collect(completion)
    assert caught.value.reason == "ANSWER_INTERRUPTED"
    assert completion.text_so_far
