"""The shape of the configuration file. Every setting has a default but the version."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pointsman_server.config.units import (
    Address,
    HostPort,
    Names,
    Nanos,
    Seconds,
    SecretReference,
    Share,
    Workers,
)

Tokens = Annotated[int, Field(ge=1, le=100_000_000)]
Probability = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ServerSection(_Section):
    """Where to listen, and how much to take on.

    ``transport`` is fast for the quick HTTP/2 server, grpc for grpcio's, the reference.
    ``workers`` processes serve one port; the limits hold for each of them.
    """

    address: Address = "127.0.0.1:50051"
    transport: Literal["fast", "grpc"] = "fast"
    metrics: HostPort | None = "127.0.0.1:9464"
    workers: Workers = 1
    max_concurrent_streams: int = Field(default=1024, ge=1, le=100_000)
    max_in_flight: int = Field(default=256, ge=1, le=100_000)
    max_request_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    classify_within: Seconds = 0.25
    drain: Seconds = 30.0


class ProviderSection(_Section):
    """A provider account. ``vendor`` says whose prices hold, where the kind does not.

    ``ask_for_usage`` is off for servers that refuse ``stream_options``; ``key_header`` is for
    servers of Anthropic's dialect that want the key elsewhere.
    """

    kind: Literal["openai", "anthropic", "local"]
    api_key: SecretReference | None = None
    base_url: str | None = None
    vendor: str | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    ask_for_usage: bool | None = None
    key_header: Literal["authorization", "x-api-key"] = "authorization"
    connect_timeout: Seconds = 10.0
    max_connections: int = Field(default=512, ge=1, le=10_000)
    keep_alive: bool = True


class PriceSection(_Section):
    """US dollars a million tokens."""

    input: Nanos
    output: Nanos
    cached_input: Nanos | None = None


class ModelSection(_Section):
    """What to know of a model beyond the registry's snapshot, or against it."""

    provider: str | None = None
    provider_model: str | None = None
    tier: Literal["cheap", "middle", "strong"] | None = None
    price: PriceSection | None = None
    context_window: Tokens | None = None
    max_output_tokens: Tokens | None = None
    capabilities: list[Literal["tool_use", "json_schema", "vision", "reasoning"]] | None = None
    quality: dict[str, Probability] = Field(default_factory=dict)
    strengths: Names | None = None
    weaknesses: Names | None = None
    regions: Names = Field(default_factory=list)
    open_weights: bool | None = None
    enabled: bool = True
    first_token: Seconds | None = None
    timeout: Seconds | None = None
    machine: str | None = None


class ConditionSection(_Section):
    """When a rule holds: every field that is written contains the reading's value."""

    task_type: Names = Field(default_factory=list)
    domain: Names = Field(default_factory=list)
    tone: Names = Field(default_factory=list)
    complexity: Names = Field(default_factory=list)
    urgency: Names = Field(default_factory=list)


class RuleSection(_Section):
    """A rule of the decision tree: model names, tiers, or ``tuned``, in order of preference."""

    when: ConditionSection = ConditionSection()
    use: Names = Field(min_length=1)


class HedgeSection(_Section):
    """How much hedging may cost, as a share of calls."""

    extra_cost: Share = 0.05
    min_delay: Seconds = 0.02


class PolicySection(_Section):
    """How models are chosen."""

    tree: list[RuleSection] | None = None
    min_confidence: Probability = 0.25
    max_output_tokens: Tokens = 2048
    hedge: HedgeSection = HedgeSection()


class TimeoutSection(_Section):
    """How long to wait for what."""

    first_token: Seconds = 30.0
    idle: Seconds = 20.0
    total: Seconds = 300.0


class RetrySection(_Section):
    """How often to try again. ``max_attempts`` counts every call made for one request."""

    max_retries: int = Field(default=1, ge=0, le=10)
    max_attempts: int = Field(default=3, ge=1, le=20)
    base_delay: Seconds = 0.1
    max_delay: Seconds = 2.0
    max_retry_after: Seconds = 1.0


class TelemetrySection(_Section):
    """What to log. Prompts are never logged unless ``log_prompts`` is on."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_prompts: bool = False


class File(_Section):
    """A whole configuration file."""

    version: Literal[1]
    server: ServerSection = ServerSection()
    providers: dict[str, ProviderSection] = Field(default_factory=dict)
    models: dict[str, ModelSection | None] = Field(default_factory=dict)
    policy: PolicySection = PolicySection()
    timeouts: TimeoutSection = TimeoutSection()
    retry: RetrySection = RetrySection()
    telemetry: TelemetrySection = TelemetrySection()
