"""Other gateways, as their documentation starts them, with logs at warnings and one process.

Where a setting makes a gateway do less (no authentication, no log of requests), it is set: what is
compared is carrying tokens.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pointsman_bench.capacity.work import Work
from pointsman_bench.peers import names
from pointsman_bench.peers.install import NodePackage, Package, PythonPackage, installed
from pointsman_bench.peers.launch import Command, Launched, free_port, launched
from pointsman_bench.peers.system import Place, chat_work
from pointsman_bench.peers.workloads import Workload

CommandOf = Callable[[Path, Place, int], Command]
"""From an installation, a place and a port, how to start it there."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A peer that speaks OpenAI's dialect. ``headers`` are made of the upstream's host:port."""

    name: str
    package: Package
    command: CommandOf
    headers: Callable[[str], Mapping[str, str]] = lambda _: {}

    @property
    def versions(self) -> str:
        """The peer and its version, and what of its own is pinned."""
        pins = self.package.overrides if isinstance(self.package, NodePackage) else ()
        more = "".join(f", {name} {version}" for name, version in pins)
        return f"{self.package.name} {self.package.version}{more}"

    @asynccontextmanager
    async def start(self, place: Place) -> AsyncIterator[Launched]:
        """Install it where it is not, and run it.

        Raises:
            Missing: it cannot be installed.
            LaunchError: it did not start.
        """
        home = await installed(self.package, place.cache, place.say)
        port = free_port()
        command = self.command(home, place, port)
        async with launched(self.name, command, port, place.folder, place.cores) as server:
            yield server

    def work(self, workload: Workload, place: Place, address: str) -> Work:
        """The workload in OpenAI's dialect."""
        return chat_work(workload, address, self.headers(place.upstream))


def _litellm(home: Path, place: Place, port: int) -> Command:
    config = place.folder / "litellm.yaml"
    models = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{name}",
                "api_base": f"http://{place.upstream}/v1",
                "api_key": "sk-none",
            },
        }
        for name in place.models
    ]
    config.write_text(json.dumps({"model_list": models}))  # JSON is YAML
    listen = ("--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
    return Command(
        (str(home / "bin" / "litellm"), "--config", str(config), *listen),
        {
            "LITELLM_LOG": "ERROR",
            # else it fetches a list of prices at start
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            # it demands a key, or this; without authentication it has less to do
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        },
    )


def _portkey(home: Path, place: Place, port: int) -> Command:
    script = home / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    node = shutil.which("node") or "node"
    shim = str(Path(__file__).with_name("loopback.cjs"))
    return Command(
        (node, "--require", shim, str(script), f"--port={port}", "--headless"),
        {"NODE_ENV": "production"},
    )


def _portkey_headers(upstream: str) -> dict[str, str]:
    return {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://{upstream}/v1"}


def _smg(home: Path, place: Place, port: int) -> Command:
    return Command(
        (
            *(str(home / "bin" / "smg"), "launch", "--host", "127.0.0.1", "--port", str(port)),
            *("--backend", "openai", "--worker-urls", f"http://{place.upstream}"),
            *("--prometheus-host", "127.0.0.1", "--prometheus-port", str(free_port())),
            *("--log-level", "warn"),
        ),
        {},
    )


def litellm() -> Gateway:
    """LiteLLM's proxy."""
    # the newest whose own packages could all be had when this was pinned
    package = PythonPackage("litellm", "1.106.0", "litellm[proxy]==1.106.0")
    return Gateway(names.LITELLM, package, _litellm)


def portkey() -> Gateway:
    """Portkey's gateway."""
    # with a later @hono/node-server all of its streams fail with "TypeError: immutable":
    # https://github.com/Portkey-AI/gateway/issues/1389
    pins = (("@hono/node-server", "1.14.1"),)
    package = NodePackage("portkey", "1.15.2", "@portkey-ai/gateway", pins)
    return Gateway(names.PORTKEY, package, _portkey, _portkey_headers)


def smg() -> Gateway:
    """Shepherd Model Gateway."""
    return Gateway(names.SMG, PythonPackage("smg", "1.13.0", "smg==1.13.0"), _smg)
