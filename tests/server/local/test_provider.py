"""The provider with the real SmolLM2."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from pointsman_server.domain.attempts import FailureKind, FinishReason
from pointsman_server.domain.messages import GenerationOptions, Message, Role, Text, Tool
from pointsman_server.domain.model import Model
from pointsman_server.providers.base import (
    Batch,
    Finish,
    ModelCall,
    ProviderError,
    ProviderEvent,
    TextChunk,
)
from pointsman_server.providers.local.cache import cache_dir, path_in
from pointsman_server.providers.local.catalogue import SMOLLM2_135M
from pointsman_server.providers.local.models import SMOLLM2
from pointsman_server.providers.local.provider import LocalProvider
from pointsman_server.providers.local.server import LocalServer, LocalServerSettings, ServerState
from weight_sources import until

pytestmark = pytest.mark.usefixtures("smollm2")

SMOLLM2_PATH = path_in(SMOLLM2_135M, cache_dir(os.environ))
MODEL = SMOLLM2.registry_entry("local")
CONTEXT = 512


def server(slots: int = 1) -> LocalServer:
    return LocalServer(LocalServerSettings("smollm2-135m", SMOLLM2_PATH, CONTEXT, slots=slots))


@pytest.fixture
async def provider() -> AsyncIterator[LocalProvider]:
    """One slot, so that a call that is not freed blocks the next."""
    provider = LocalProvider("local", [server()])
    await provider.start()
    try:
        yield provider
    finally:
        await provider.close()


def call(
    text: str,
    max_tokens: int = 24,
    generation: GenerationOptions | None = None,
    model: Model = MODEL,
) -> ModelCall:
    return ModelCall(
        model=model,
        messages=(Message(Role.USER, (Text(text),)),),
        generation=generation or GenerationOptions(temperature=0.0),
        max_output_tokens=max_tokens,
        timeout_s=30.0,
    )


async def collect(provider: LocalProvider, call: ModelCall) -> list[ProviderEvent]:
    async with asyncio.timeout(60):
        return [event async for batch in provider.stream(call) for event in batch]


def text_of(events: list[ProviderEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextChunk))


async def test_an_answer_streams_and_reports_its_usage(provider: LocalProvider) -> None:
    events = await collect(provider, call("Say hello.", 40))

    assert "hello" in text_of(events).lower()
    assert sum(isinstance(event, TextChunk) for event in events) > 3
    finish = events[-1]
    assert isinstance(finish, Finish)
    assert finish.usage is not None
    assert not finish.usage.estimated
    assert 10 < finish.usage.input_tokens < 100
    assert 3 < finish.usage.output_tokens <= 40


async def test_at_temperature_zero_answers_repeat(provider: LocalProvider) -> None:
    asked = call("Name three colours.")

    assert text_of(await collect(provider, asked)) == text_of(await collect(provider, asked)) != ""


async def test_the_bound_on_output_ends_an_answer(provider: LocalProvider) -> None:
    finish = (await collect(provider, call("Tell me a long story about the sea.", 7)))[-1]

    assert isinstance(finish, Finish)
    assert finish.reason is FinishReason.MAX_TOKENS
    assert finish.usage is not None
    assert finish.usage.output_tokens == 7


async def test_answers_follow_a_json_schema(provider: LocalProvider) -> None:
    """Even where the prompt asks for something else."""
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["glad", "sad"]}, "age": {"type": "integer"}},
        "required": ["mood", "age"],
        "additionalProperties": False,
    }
    options = GenerationOptions(temperature=0.0, response_json_schema=json.dumps(schema))

    answer = json.loads(
        text_of(await collect(provider, call("Tell me a joke about a cat.", 60, options)))
    )

    assert set(answer) == {"mood", "age"}
    assert answer["mood"] in ("glad", "sad")
    assert isinstance(answer["age"], int)


async def test_closing_a_stream_frees_the_slot(provider: LocalProvider) -> None:
    async with aclosing(provider.stream(call("Tell me a very long story.", 400))) as stream:
        assert isinstance((await anext(stream))[0], TextChunk)
    started = time.monotonic()

    events = await collect(provider, call("Say hello.", 4))

    # The story would go on for four seconds and more.
    assert isinstance(events[-1], Finish)
    assert time.monotonic() - started < 3


async def test_cancelling_a_task_frees_the_slot(provider: LocalProvider) -> None:
    streaming = asyncio.Event()

    async def listen() -> None:
        async for _ in provider.stream(call("Tell me a very long story.", 400)):
            streaming.set()

    task = asyncio.create_task(listen())
    await streaming.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    started = time.monotonic()

    events = await collect(provider, call("Say hello.", 4))

    assert isinstance(events[-1], Finish)
    assert time.monotonic() - started < 3


async def test_several_calls_share_the_slots() -> None:
    provider = LocalProvider("local", [server(slots=2)])
    await provider.start()
    try:
        answers = await asyncio.gather(
            *(collect(provider, call(f"What is {n} plus {n}?", 8)) for n in range(12))
        )
    finally:
        await provider.close()

    assert all(isinstance(events[-1], Finish) for events in answers)
    assert len({text_of(events) for events in answers}) > 1


async def failure_of(provider: LocalProvider, call: ModelCall) -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        await collect(provider, call)
    return failed.value


async def test_a_prompt_beyond_the_slots_context_is_too_long(provider: LocalProvider) -> None:
    error = await failure_of(provider, call("canary " * CONTEXT))

    assert error.failure.kind is FailureKind.CONTEXT_TOO_LONG
    assert "canary" not in str(error)


async def test_a_model_that_is_not_served_is_not_found(provider: LocalProvider) -> None:
    other = Model("local/x", "local", "x", MODEL.tier, 10, 10)

    error = await failure_of(provider, call("hello", model=other))

    assert error.failure.kind is FailureKind.MODEL_NOT_FOUND


async def test_tools_are_refused(provider: LocalProvider) -> None:
    options = GenerationOptions(tools=(Tool("clock", "tells the time", "{}"),))

    error = await failure_of(provider, call("hello", generation=options))

    assert error.failure.kind is FailureKind.REJECTED


async def test_a_check_needs_a_running_server() -> None:
    provider = LocalProvider("local", [server()])
    with pytest.raises(ProviderError) as before:
        await provider.check()
    assert before.value.failure.kind is FailureKind.UNREACHABLE
    assert before.value.failure.message == (
        "the local model smollm2-135m cannot be asked: it is stopped"
    )

    await provider.start()
    await provider.check()
    await provider.close()
    await provider.close()

    error = await failure_of(provider, call("hello"))
    assert error.failure.kind is FailureKind.UNREACHABLE


async def rest_of(stream: AsyncGenerator[Batch, None]) -> None:
    async with asyncio.timeout(30):
        async for _ in stream:
            pass


async def test_a_crash_in_the_middle_is_an_interruption() -> None:
    local = server()
    provider = LocalProvider("local", [local])
    await provider.start()
    try:
        async with aclosing(provider.stream(call("Tell me a very long story.", 400))) as stream:
            await anext(stream)
            pid = local.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(ProviderError) as failed:
                await rest_of(stream)
        assert failed.value.failure.kind is FailureKind.INTERRUPTED

        await until(lambda: local.pid not in (pid, None) and not local.failure)
        assert text_of(await collect(provider, call("Say hello.", 4)))
    finally:
        await provider.close()


async def test_where_one_server_does_not_start_none_is_left(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model")
    good = server()
    provider = LocalProvider(
        "local", [good, LocalServer(LocalServerSettings("broken", broken, CONTEXT))]
    )

    with pytest.raises(ProviderError, match="broken") as failed:
        await provider.start()

    assert failed.value.failure.kind is FailureKind.UNREACHABLE

    assert good.pid is None
    assert not good.socket_path.parent.exists()
    await provider.close()


@pytest.fixture
async def bereft() -> AsyncIterator[LocalProvider]:
    """A provider whose only worker has just been killed."""
    local = server()
    provider = LocalProvider("local", [local])
    await provider.start()
    try:
        assert local.pid is not None
        os.kill(local.pid, signal.SIGKILL)
        await until(lambda: local.state is ServerState.RESTARTING)
        yield provider
    finally:
        await provider.close()


async def test_a_call_waits_for_a_worker_that_is_being_started_again(bereft: LocalProvider) -> None:
    """A dead worker is back within a second or two: a call that comes meanwhile is answered."""
    assert text_of(await collect(bereft, call("Say hello.", 4)))


async def test_a_call_does_not_wait_longer_than_it_has(bereft: LocalProvider) -> None:
    """A call with hardly any time left is told at once that nobody is there."""
    hurried = dataclasses.replace(call("Say hello.", 4), timeout_s=0.0)
    with pytest.raises(ProviderError) as failed:
        await collect(bereft, hurried)
    assert failed.value.failure.kind is FailureKind.UNREACHABLE


async def test_a_model_with_instructions_of_its_own() -> None:
    """Instructions stand in where the caller gave none: with them this model answers in English."""
    local = server()
    plain = LocalProvider("local", [local])
    instructed = LocalProvider("local", [local], {"smollm2-135m": "You are a helpful assistant."})
    await plain.start()
    try:
        question = call("What is the capital of France?", 8)
        assert "Paris" in text_of(await collect(instructed, question))
        assert "Paris" not in text_of(await collect(plain, question))
        theirs = Message(Role.SYSTEM, (Text("You are a helpful assistant."),))
        asked = dataclasses.replace(question, messages=(theirs, *question.messages))
        assert "Paris" in text_of(await collect(plain, asked))
    finally:
        await instructed.close()
        await plain.close()
