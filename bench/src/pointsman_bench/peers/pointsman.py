"""pointsman itself: either transport, with and without reading the prompt; and a floor."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from pointsman.v1.decision_pb2 import RoutingConstraints
from pointsman.v1.message_pb2 import ROLE_SYSTEM, ROLE_USER, Message, Part
from pointsman.v1.router_service_pb2 import CompleteRequest, GenerateRequest

from pointsman_bench.capacity.work import Work
from pointsman_bench.peers import names
from pointsman_bench.peers.launch import Command, Launched, free_port, launched
from pointsman_bench.peers.system import INSTRUCTIONS, PROMPT, Place
from pointsman_bench.peers.workloads import TOKENS, Workload

_PROVIDER = "bench"
_TWIN = "-twin"


def model_name(upstream_model: str) -> str:
    """What pointsman calls a model of the upstream."""
    return f"{_PROVIDER}/{upstream_model}"


@dataclass(frozen=True, slots=True)
class Pointsman:
    """A server with one worker.

    Each of the upstream's models is there twice under two names. A call that allows one of them
    leaves nothing to decide; one that allows both is routed, and its prompt read for that.
    """

    name: str
    transport: str
    reads: bool

    @property
    def versions(self) -> str:
        """The server, and how its calls are routed."""
        how = "every prompt read" if self.reads else "model pinned"
        return f"pointsman {version('pointsman-server')}, transport {self.transport}, {how}"

    @asynccontextmanager
    async def start(self, place: Place) -> AsyncIterator[Launched]:
        """Run it.

        Raises:
            LaunchError: it did not start.
        """
        port = free_port()
        config = place.folder / f"{self.name}.yaml"
        config.write_text(config_text(port, place.upstream, place.models, self.transport))
        command = Command(
            (sys.executable, "-m", "pointsman_server", "serve", "--config", str(config), "--json"),
            {},
        )
        async with launched(self.name, command, port, place.folder, place.cores) as server:
            yield server

    def work(self, workload: Workload, place: Place, address: str) -> Work:
        """The workload over gRPC: a stream by Complete, a whole answer by Generate."""
        del place
        name = model_name(workload.model)
        return grpc_work(workload, address, (name, name + _TWIN) if self.reads else (name,))


def grpc_work(
    workload: Workload, address: str, allowed: Sequence[str], *, completed: bool = True
) -> Work:
    """A workload over gRPC; ``completed`` as in `Work`."""
    kind = CompleteRequest if workload.streamed else GenerateRequest
    request = kind(
        messages=[
            Message(role=ROLE_SYSTEM, parts=[Part(text=INSTRUCTIONS)]),
            Message(role=ROLE_USER, parts=[Part(text=PROMPT)]),
        ],
        constraints=RoutingConstraints(allowed_models=allowed),
    )
    request.generation.temperature = 0.2
    request.generation.max_output_tokens = 512
    return Work(
        protocol="grpc",
        address=address,
        path=f"/pointsman.v1.RouterService/{'Complete' if workload.streamed else 'Generate'}",
        body=request.SerializeToString(),
        streamed=workload.streamed,
        completed=completed,
        tokens=TOKENS,
        streams=workload.streams,
        stagger_s=workload.stagger_s,
    )


def config_text(port: int, upstream: str, models: Sequence[str], transport: str) -> str:
    """The server's configuration, as JSON, which is YAML.

    Hedging is off, since no peer has it: a hedge is work that was not asked for.
    """
    upstreams = {model_name(model) + suffix: model for model in models for suffix in ("", _TWIN)}
    return json.dumps(
        {
            "version": 1,
            "server": {
                "address": f"127.0.0.1:{port}",
                "metrics": "127.0.0.1:0",
                "transport": transport,
                "drain": "2s",
            },
            "providers": {_PROVIDER: {"kind": "openai", "base_url": f"http://{upstream}/v1"}},
            "models": {
                name: {
                    "provider_model": model,
                    "price": {"input": 0.1, "output": 0.4},
                    "context_window": 128_000,
                }
                for name, model in upstreams.items()
            },
            "policy": {"hedge": {"extra_cost": 0.0}},
            "telemetry": {"log_level": "warning"},
        }
    )


@dataclass(frozen=True, slots=True)
class Echo:
    """The floor: a bare grpc.aio server that sends the same tokens, one message a token.

    It asks no upstream and decides nothing. What pointsman does better than this it does by
    sending fewer messages, or by not being grpc.aio.
    """

    name: str = names.ECHO

    @property
    def versions(self) -> str:
        """The library that it is made of."""
        return f"grpcio {version('grpcio')}, one message a token, no upstream"

    @asynccontextmanager
    async def start(self, place: Place) -> AsyncIterator[Launched]:
        """Run it.

        Raises:
            LaunchError: it did not start.
        """
        port = free_port()
        command = Command((sys.executable, "-m", "pointsman_bench.peers.echo", str(port)), {})
        async with launched(self.name, command, port, place.folder, place.cores) as server:
            yield server

    def work(self, workload: Workload, place: Place, address: str) -> Work:
        """The same requests as pointsman's; the echo reads only the model's name in them."""
        del place
        return grpc_work(workload, address, (model_name(workload.model),), completed=False)
