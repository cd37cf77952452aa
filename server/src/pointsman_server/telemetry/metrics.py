"""Prometheus metrics, and the page that serves them."""

from __future__ import annotations

from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)

from pointsman_server.domain.errors import RouterError
from pointsman_server.domain.money import NANOS_PER_USD
from pointsman_server.domain.observer import (
    AttemptDetails,
    AttemptStart,
    DecisionDetails,
    Receipt,
)

_CLASSIFY_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25)
_SECONDS_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class _Children:
    """One metric's children by their labels: looking them up in the metric takes a lock."""

    def __init__(self, metric: Any) -> None:
        self._metric = metric
        self._known: dict[tuple[str, ...], Any] = {}

    def of(self, *labels: str) -> Any:
        """The child with these labels."""
        child = self._known.get(labels)
        if child is None:
            child = self._known[labels] = self._metric.labels(*labels)
        return child


class MetricsObserver:
    """Counts what happens. Labels are models, outcomes and labels of the classifier: bounded."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._decisions = _Children(
            Counter(
                "pointsman_decisions",
                "Decisions, by the model chosen and how.",
                ("model", "basis", "strategy", "task_type", "complexity"),
                registry=self.registry,
            )
        )
        self._classify = Histogram(
            "pointsman_classify_seconds",
            "Time to read a prompt, tokenizing included, without queueing.",
            buckets=_CLASSIFY_BUCKETS,
            registry=self.registry,
        )
        self._reading_failures = Counter(
            "pointsman_reading_failures",
            "Prompts that the classifier broke down on; they were routed without a reading.",
            registry=self.registry,
        )
        self._attempts = _Children(
            Counter(
                "pointsman_attempts",
                "Provider calls, by why they were made and how they ended.",
                ("model", "reason", "outcome"),
                registry=self.registry,
            )
        )
        self._in_flight = _Children(
            Gauge(
                "pointsman_attempts_in_flight",
                "Provider calls under way.",
                ("model",),
                registry=self.registry,
            )
        )
        self._first_token = _Children(
            Histogram(
                "pointsman_attempt_first_token_seconds",
                "Time from a provider call's start to its first token.",
                ("model",),
                buckets=_SECONDS_BUCKETS,
                registry=self.registry,
            )
        )
        self._tokens = _Children(
            Counter(
                "pointsman_tokens",
                "Tokens consumed, lost hedges included.",
                ("model", "kind"),
                registry=self.registry,
            )
        )
        self._cost = _Children(
            Counter(
                "pointsman_cost_usd",
                "Money spent, in US dollars.",
                ("model",),
                registry=self.registry,
            )
        )
        self._requests = _Children(
            Counter(
                "pointsman_requests",
                "Requests to route or answer, by how they ended (empty error: whole).",
                ("error",),
                registry=self.registry,
            )
        )
        self._baseline = Counter(
            "pointsman_baseline_cost_usd",
            "What the same tokens would have cost with the strongest model, in US dollars.",
            registry=self.registry,
        )
        self._duration = Histogram(
            "pointsman_request_seconds",
            "Time from acceptance to the end of a request.",
            buckets=_SECONDS_BUCKETS,
            registry=self.registry,
        )

    def page(self) -> str:
        """Everything counted so far, in Prometheus' text format."""
        return generate_latest(self.registry).decode()

    def reading_failed(self, error: Exception) -> None:
        """Count a reading that failed."""
        self._reading_failures.inc()

    def refused(self, error: RouterError) -> None:
        """Count a request that got no decision."""
        self._requests.of(type(error).__name__).inc()

    def decided(self, details: DecisionDetails) -> None:
        """Count a decision."""
        decision, profile = details.decision, details.decision.profile
        self._decisions.of(
            decision.model,
            decision.basis.value,
            decision.strategy.value,
            profile.task_type.value if profile else "",
            profile.complexity.name.lower() if profile else "",
        ).inc()
        if profile is not None:
            self._classify.observe(profile.duration_s)

    def attempt_started(self, details: AttemptStart) -> None:
        """Count a call under way."""
        self._in_flight.of(details.model).inc()

    def attempt_ended(self, details: AttemptDetails) -> None:
        """Count a call and what it consumed."""
        record = details.record
        self._in_flight.of(record.model).dec()
        self._attempts.of(record.model, record.reason.value, record.outcome.value).inc()
        if record.first_token_s is not None:
            self._first_token.of(record.model).observe(record.first_token_s)
        self._tokens.of(record.model, "input").inc(record.usage.input_tokens)
        self._tokens.of(record.model, "output").inc(record.usage.output_tokens)
        self._cost.of(record.model).inc(record.usage.cost_nanos / NANOS_PER_USD)

    def request_ended(self, receipt: Receipt) -> None:
        """Count a request."""
        self._requests.of(receipt.error).inc()
        self._baseline.inc(receipt.baseline_cost_nanos / NANOS_PER_USD)
        self._duration.observe(receipt.duration_s)


class MetricsPage:
    """Serves /metrics from a thread of its own."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self._server: WSGIServer
        self._thread: Thread
        self._server, self._thread = start_http_server(port, host, registry)

    @property
    def port(self) -> int:
        """The port in use, also where 0 was asked for."""
        return self._server.server_port

    def close(self) -> None:
        """Stop serving. Idempotent."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)
