"""The simulator as a process of its own, and other clients' view of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import aiohttp
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from pointsman_bench.load.errors import BenchError
from pointsman_bench.simulator.behaviour import Lognormal, ModelBehaviour, SimulatorConfig
from pointsman_bench.stage import simulator

MODELS = (
    ModelBehaviour("steady", Lognormal(0.02, 0.3), Lognormal(0.001, 0.3), Lognormal(20, 0.4)),
    ModelBehaviour("burst", Lognormal(0.0), Lognormal(0.0), Lognormal(64)),
)
CONFIG = SimulatorConfig(MODELS)


async def test_the_official_client_reads_its_answers() -> None:
    """Streams and whole answers; usage adds up."""
    async with simulator(CONFIG) as upstream:
        client = AsyncOpenAI(base_url=upstream.url, api_key="none", max_retries=0)
        asked: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
        stream = await client.chat.completions.create(
            model="steady",
            messages=asked,
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
        whole = await client.chat.completions.create(model="burst", messages=asked)
        await client.close()
    words = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices).split()
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens == len(words)
    assert len((whole.choices[0].message.content or "").split()) == 64


async def test_many_calls_at_once_are_all_answered_and_in_the_books() -> None:
    """Four hundred clients on connections that are used again."""
    async with simulator(CONFIG) as upstream, aiohttp.ClientSession() as session:

        async def one(i: int) -> int:
            await asyncio.sleep(i / 400)
            body = {
                "model": MODELS[i % 2].name,
                "messages": [{"role": "user", "content": "x" * (i % 7) * 500}],
                "stream": True,
                "stream_options": {"include_usage": True},
            }
            async with session.post(f"{upstream.url}/chat/completions", json=body) as response:
                text = await response.text()
            assert text.endswith("data: [DONE]\n\n")
            return text.count('"delta":{"content"')

        tokens = sum(await asyncio.gather(*(one(i) for i in range(400))))
        account = await upstream.account()
    assert account.in_flight == 0
    assert sum(books.calls for books in account.models.values()) == 400
    assert sum(books.completed for books in account.models.values()) == 400
    assert sum(books.output_tokens for books in account.models.values()) == tokens


async def test_it_ends_with_whoever_started_it() -> None:
    """Also where that fails in the middle."""
    with suppress(RuntimeError):
        async with simulator(CONFIG) as upstream:
            assert upstream.child.process.returncode is None
            raise RuntimeError("on purpose")
    assert upstream.child.process.returncode is not None


async def test_it_ends_when_its_standard_input_does() -> None:
    """That is how it knows that its parent was killed."""
    async with simulator(CONFIG) as upstream:
        process = upstream.child.process
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(10):
            assert await process.wait() == 0


async def test_a_port_that_is_taken_is_named() -> None:
    """Rather than waited for."""
    async with simulator(CONFIG) as upstream:
        port = int(upstream.url.split(":")[2].partition("/")[0])
        began = time.monotonic()
        with pytest.raises(BenchError, match=r"did not start: .*address already in use"):
            async with simulator(SimulatorConfig(MODELS, port=port)):
                pass
        assert time.monotonic() - began < 30
