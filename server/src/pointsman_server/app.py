"""The composition root: the only module that names concrete classes and wires them together."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from pointsman_classifier import Classifier

from pointsman_server import __version__
from pointsman_server.api.admin import AdminService, ServerFacts
from pointsman_server.api.registry import RegistryService
from pointsman_server.api.router import RouterService
from pointsman_server.config import Config, ProviderSettings
from pointsman_server.domain.clock import uuid7
from pointsman_server.domain.model import Model
from pointsman_server.domain.observer import Observer, Observers
from pointsman_server.engine import Engine
from pointsman_server.execution.executor import Executor
from pointsman_server.execution.hedge_budget import HedgeBudget
from pointsman_server.providers.anthropic import AnthropicProvider
from pointsman_server.providers.base import Provider
from pointsman_server.providers.openai import OpenAIProvider
from pointsman_server.reading import ClassifierReader
from pointsman_server.registry.health import HealthView
from pointsman_server.registry.registry import Registry
from pointsman_server.routing.router import Router
from pointsman_server.telemetry.logs import FaultLog, LogObserver
from pointsman_server.telemetry.metrics import MetricsObserver, MetricsPage
from pointsman_server.transports.base import SETTLE_S, is_loopback
from pointsman_server.transports.factory import make_server

LocalProviders = Callable[[str, Sequence[Model]], Provider]
"""Makes the account of the given name that serves the given local models."""


@dataclass(frozen=True, slots=True)
class Core:
    """Everything but the transport: enough to read, route and answer in this process."""

    config: Config
    engine: Engine
    registry: Registry
    health: HealthView
    providers: Mapping[str, Provider]
    metrics: MetricsObserver
    reader: ClassifierReader

    async def start(self) -> None:
        """Make providers ready.

        Raises:
            ProviderError: one of them cannot be.
        """
        await asyncio.gather(*(p.start() for p in self.providers.values()))

    async def close(self) -> None:
        """Close providers and threads."""
        await asyncio.gather(*(p.close() for p in self.providers.values()))
        self.reader.close()


def build_core(
    config: Config,
    local_providers: LocalProviders,
    observers: Sequence[Observer] = (),
    classifier: Classifier | None = None,
    on_fault: Callable[[Exception], object] = lambda _: None,
) -> Core:
    """Wire the core together. Opens no socket and starts no process.

    ``on_fault`` is told of observers that fail.
    """
    clock = time.monotonic
    registry = Registry(config.models)
    health, metrics = HealthView(clock), MetricsObserver()
    observer = Observers([health, metrics, *observers], on_fault)
    providers = {p.name: _provider(p, config.models, local_providers) for p in config.providers}
    router = Router(registry, config.routing, health, clock, uuid7)
    budget = HedgeBudget(config.routing.hedge.extra_share)
    executor = Executor(providers, observer, budget, clock, random.random)
    reader = ClassifierReader(classifier or Classifier.load())
    engine = Engine(
        reader,
        router,
        executor,
        observer,
        clock,
        limits=config.limits,
        timeouts=config.timeouts,
        retry=config.retry,
    )
    return Core(config, engine, registry, health, providers, metrics, reader)


def _provider(
    settings: ProviderSettings, models: Sequence[Model], local_providers: LocalProviders
) -> Provider:
    match settings.kind:
        case "openai" if settings.http is not None:
            return OpenAIProvider(
                settings.name,
                settings.http,
                settings.api_key,
                max_tokens_field=settings.max_tokens_field,
                ask_for_usage=settings.ask_for_usage,
            )
        case "anthropic" if settings.http is not None:
            return AnthropicProvider(
                settings.name, settings.http, settings.api_key, key_header=settings.key_header
            )
        case "local":
            own = [m for m in models if m.provider == settings.name]
            return local_providers(settings.name, own)
        case _:
            raise ValueError(f"provider {settings.name}: {settings.kind} without an address")


class Server:
    """A core behind gRPC, with metrics beside it.

    ``alone`` is off for one of several that serve together: it is not for it to say that all serve.
    """

    def __init__(self, core: Core, log: structlog.BoundLogger, *, alone: bool = True) -> None:
        config, clock = core.config, time.monotonic
        self.core = core
        self._log = log
        self._ready_event = "serving" if alone else "worker_ready"
        total_s = config.timeouts.total_s
        facts = ServerFacts(
            version=__version__,
            started_at=time.time(),
            vocabulary=core.engine.vocabulary,
            config_digest=config.digest,
            max_request_bytes=config.grpc.max_request_bytes,
        )
        self._router = RouterService(core.engine, clock, total_s)
        services = [
            self._router.service(),
            RegistryService(core.registry, core.health).service(),
            AdminService(facts).service(),
        ]
        self._grpc = make_server(config.transport, config.grpc, services, clock, FaultLog(log))
        self._metrics: MetricsPage | None = None

    @property
    def address(self) -> str:
        """Where clients connect to, with the port that is really in use."""
        address = self.core.config.grpc.address
        if address.startswith("unix:"):
            return address
        return f"{address.rpartition(':')[0]}:{self._grpc.port}"

    @property
    def metrics_port(self) -> int | None:
        """The port of /metrics; ``None`` where it is not served."""
        return self._metrics.port if self._metrics else None

    async def start(self) -> None:
        """Make providers ready, then listen.

        Raises:
            OSError: an address cannot be listened on.
            ProviderError: a local model cannot be started.
        """
        config = self.core.config
        await self.core.start()
        if config.metrics_address is not None:
            host, port = config.metrics_address
            try:
                self._metrics = MetricsPage(host, port, self.core.metrics.registry)
            except OSError as error:
                message = f"cannot serve metrics on {host}:{port}: {error.strerror}"
                raise OSError(message) from None
        try:
            await self._grpc.start()
        except OSError:
            self._close_metrics()
            raise
        if not is_loopback(config.grpc.address):
            self._log.warning(
                "open_to_the_network",
                address=self.address,
                why="callers are not authenticated; put a proxy that does in front",
            )
        self._log.info(
            self._ready_event,
            address=self.address,
            metrics_port=self.metrics_port,
            models=[m.name for m in self.core.registry],
            classifier=self.core.engine.vocabulary.classifier_version,
            config=config.source,
            config_digest=config.digest,
        )

    async def drain(self) -> None:
        """Say NOT_SERVING, take nothing new, let calls under way end, then close everything.

        Calls that have not ended after the configured time are cut off.
        """
        limit_s = self.core.config.drain_s
        self._log.info("draining", in_flight=self.core.engine.admission.in_flight, limit_s=limit_s)
        await self._grpc.not_serving()
        if self.core.config.transport == "grpc":
            # which cuts off, without a word, calls that arrive while it stops: they are told why
            self._take_nothing_new()
            await asyncio.sleep(SETTLE_S)
        stopping = asyncio.create_task(self._grpc.stop(limit_s))
        await asyncio.wait({stopping}, timeout=SETTLE_S)
        self._take_nothing_new()
        await stopping
        await self.core.close()
        await asyncio.to_thread(self._close_metrics)  # which waits for its own thread
        self._log.info("stopped")

    def _take_nothing_new(self) -> None:
        """Refuse calls; a conversation that is open gets no further turns."""
        self.core.engine.admission.draining = True
        self._router.drain()

    def _close_metrics(self) -> None:
        metrics, self._metrics = self._metrics, None
        if metrics is not None:
            metrics.close()


def build_server(
    config: Config,
    local_providers: LocalProviders,
    log: structlog.BoundLogger,
    *,
    alone: bool = True,
) -> Server:
    """Wire a server together, not yet listening. See `Server`."""
    observers = [LogObserver(log, config.log)]
    core = build_core(config, local_providers, observers, on_fault=FaultLog(log))
    return Server(core, log, alone=alone)
