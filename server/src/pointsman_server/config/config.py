"""One frozen configuration, made of each part's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pointsman_server.domain.model import Model
from pointsman_server.engine import Limits
from pointsman_server.execution.retry import RetryPolicy
from pointsman_server.execution.timeout import TimeoutPolicy
from pointsman_server.providers.anthropic import KeyHeader
from pointsman_server.providers.openai_request import MaxTokensField
from pointsman_server.routing.router import RoutingPolicy
from pointsman_server.telemetry.logs import LogSettings
from pointsman_server.transports.base import GrpcSettings, TransportKind
from pointsman_server.upstream.settings import UpstreamSettings

ProviderKind = Literal["openai", "anthropic", "local"]


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """A provider account. ``http`` is ``None`` for local models, which bring their own server."""

    name: str
    kind: ProviderKind
    http: UpstreamSettings | None = None
    api_key: str | None = field(default=None, repr=False)
    max_tokens_field: MaxTokensField | None = None
    ask_for_usage: bool = True
    key_header: KeyHeader = "authorization"


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a server is started with. ``digest`` is equal for equal configurations."""

    providers: tuple[ProviderSettings, ...]
    models: tuple[Model, ...]
    source: str
    digest: str
    grpc: GrpcSettings = GrpcSettings()
    transport: TransportKind = "fast"
    metrics_address: tuple[str, int] | None = None
    limits: Limits = Limits()
    timeouts: TimeoutPolicy = TimeoutPolicy()
    retry: RetryPolicy = RetryPolicy()
    routing: RoutingPolicy = RoutingPolicy()
    log: LogSettings = LogSettings()
    drain_s: float = 30.0
    workers: int | Literal["auto"] = 1
