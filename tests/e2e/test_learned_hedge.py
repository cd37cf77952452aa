"""The hedge's threshold is learned: from the registry's prior to what the model really does."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from answers import text_reply
from pointsman.v1.router_service_pb2 import ATTEMPT_REASON_HEDGE
from pointsman_client import Client
from pointsman_server.app import Server, build_core
from pointsman_server.config import load_file
from pointsman_server.domain.model import Model
from pointsman_server.providers.base import Provider
from pointsman_server.registry.health import MIN_SAMPLES
from pointsman_server.telemetry.logs import configure
from upstream import Hang, Pause, Reply, Upstream, upstream_server

PRIOR_S = 5.0


def config(one: Upstream, two: Upstream) -> str:
    return f"""
version: 1
server: {{address: "127.0.0.1:0", metrics: null, classify_within: 10s}}
providers:
  one: {{kind: openai, base_url: "{one.url}/v1"}}
  two: {{kind: openai, base_url: "{two.url}/v1"}}
models:
  one/usual: {{price: {{input: $1, output: $2}}, first_token: {PRIOR_S:g}s}}
  two/backup: {{price: {{input: $1, output: $2}}}}
policy: {{tree: [{{use: one/usual}}], hedge: {{extra_cost: 10%, min_delay: 1ms}}}}
"""


def no_local_models(name: str, models: Sequence[Model]) -> Provider:
    raise AssertionError(f"nothing here is local: {name}")


def after(seconds: float) -> Reply:
    reply = text_reply("openai", ["hello"])
    return Reply((Pause(seconds), *reply.steps))


async def test_the_threshold_follows_the_model(tmp_path: Path) -> None:
    """Before there is evidence the prior decides; then the quantile that the extra cost implies."""
    async with upstream_server(after(0.03)) as one, upstream_server(after(0.0)) as two:
        file = tmp_path / "pointsman.yaml"
        file.write_text(config(one, two))
        core = build_core(load_file(file, {}), no_local_models)
        server = Server(core, configure(core.config.log, io.StringIO()))
        await server.start()
        async with Client(server.address) as client:
            first = await client.route("hello")
            assert first.hedge_model == "two/backup"
            assert first.hedge_delay.ToMilliseconds() == 4 * PRIOR_S * 1000
            for _ in range(MIN_SAMPLES):
                assert await client.complete("hello").text() == "hello"
            learned = (await client.route("hello")).hedge_delay.ToMilliseconds()
            # the 90th percentile of answers that took 30 ms and what this machine added
            assert 30 <= learned < 2000
            one.enqueue(Reply((Hang(),)))
            slow = client.complete("hello")
            events = [event async for event in slow]
            assert slow.text_so_far == "hello"
            hedges = [e for e in events if e.attempt_started.reason == ATTEMPT_REASON_HEDGE]
            assert [h.attempt_started.model for h in hedges] == ["two/backup"]
            fired = hedges[0].elapsed.ToMilliseconds()
            assert learned <= fired < 4 * PRIOR_S * 1000
        await one.wait_for(lambda books: any(c.answering for c in books.closes))
        await server.drain()
