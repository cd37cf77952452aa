"""A real model behind a real server, with a fault proxy between the two."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fault_proxy import FaultProxy, fault_proxy
from pointsman_client import Client
from pointsman_server.app import Server, build_server
from pointsman_server.config import load_file
from pointsman_server.domain.model import Model
from pointsman_server.providers.base import Provider
from pointsman_server.providers.local.models import SMOLLM2
from pointsman_server.providers.local.server import LocalServer, LocalServerSettings
from pointsman_server.telemetry.logs import configure
from real_models import smollm2_path


@dataclass(frozen=True, slots=True)
class Station:
    """A pointsman server with two accounts that lead to one real SmolLM2 in llama.cpp.

    ``flaky`` carries the account of "flaky/smol", which every request prefers, ``steady`` that of
    "steady/smol", the backup.
    """

    client: Client
    server: Server
    flaky: FaultProxy
    steady: FaultProxy
    log: io.StringIO

    def log_lines(self, event: str) -> list[dict[str, object]]:
        """What was logged under a name."""
        lines = map(json.loads, self.log.getvalue().splitlines())
        return [line for line in lines if line["event"] == event]


def config_text(flaky: str, steady: str) -> str:
    """The configuration of a `Station`, as its user would write it."""
    return f"""
version: 1
server: {{address: "127.0.0.1:0", metrics: null, drain: 10s, classify_within: 5s}}
providers:
  flaky: {{kind: openai, base_url: "{flaky}/v1", api_key: env:SMOL_KEY, keep_alive: false}}
  steady: {{kind: openai, base_url: "{steady}/v1", api_key: env:SMOL_KEY, keep_alive: false}}
  messages: {{kind: anthropic, base_url: "{steady}", api_key: env:SMOL_KEY, keep_alive: false}}
models:
  messages/smol: {{tier: cheap, price: {{input: $0.50, output: $0.90}}, context_window: 2048}}
  flaky/smol: {{tier: cheap, price: {{input: $0.10, output: $0.20}}, context_window: 2048}}
  steady/smol: {{tier: cheap, price: {{input: $0.30, output: $0.60}}, context_window: 2048}}
policy:
  tree: [{{use: flaky/smol}}]
  hedge: {{extra_cost: 50%}}
timeouts: {{first_token: 20s, idle: 2s}}
retry: {{base_delay: 10ms, max_delay: 20ms}}
telemetry: {{log_level: debug}}
"""


@asynccontextmanager
async def running_station(folder: Path) -> AsyncIterator[Station]:
    """A `Station` that keeps its files in ``folder``, started and drained again."""
    settings = LocalServerSettings(
        model_name="smol",
        model_path=await smollm2_path(),
        slot_context=SMOLLM2.slot_context,
        directory=folder,
    )
    async with AsyncExitStack() as stack:
        model = LocalServer(settings)
        stack.push_async_callback(model.stop)
        await model.start()
        flaky = await stack.enter_async_context(fault_proxy(model.socket_path))
        steady = await stack.enter_async_context(fault_proxy(model.socket_path))
        file = folder / "pointsman.yaml"
        file.write_text(config_text(flaky.url, steady.url))
        config = load_file(file, {"SMOL_KEY": model.api_key})
        log = io.StringIO()

        def no_local_models(name: str, models: Sequence[Model]) -> Provider:
            raise AssertionError(f"nothing here is local, and {name} was asked for")

        server = build_server(config, no_local_models, configure(config.log, log))
        await server.start()
        stack.push_async_callback(server.drain)
        client = await stack.enter_async_context(Client(server.address, timeout_s=60))
        yield Station(client, server, flaky, steady, log)
