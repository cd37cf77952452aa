"""What came of one request, read from the events of its stream. Pure: times are passed in."""

from __future__ import annotations

from collections.abc import Iterable

from pointsman.v1.classification_pb2 import Complexity, Urgency
from pointsman.v1.router_service_pb2 import (
    ATTEMPT_OUTCOME_LOST_RACE,
    ATTEMPT_REASON_HEDGE,
    AttemptOutcome,
    AttemptReason,
    CompletionEvent,
)

from pointsman_bench.results import E2E, OVERHEAD, TPOT, TTFT, Counts

_REASONS = {v: n.removeprefix("ATTEMPT_REASON_") for n, v in AttemptReason.items()}
_OUTCOMES = {v: n.removeprefix("ATTEMPT_OUTCOME_") for n, v in AttemptOutcome.items()}
_URGENCIES = {v: n.removeprefix("URGENCY_").lower() for n, v in Urgency.items()}
_COMPLEXITIES = {v: n.removeprefix("COMPLEXITY_").lower() for n, v in Complexity.items()}

OK = "OK"
LEFT = "LEFT"
"""The status of a request that the generator itself left."""


class Reading:
    """One request as its client saw it. Times are seconds of one monotonic clock.

    ``status`` is "" until it has ended; then a gRPC status's name, or `LEFT`.
    """

    __slots__ = (
        "attempt_outcomes",
        "attempt_reasons",
        "baseline_cost",
        "complexity",
        "cost",
        "decision_id",
        "due",
        "ended",
        "failed_cost",
        "first_text",
        "gaps",
        "hedge_attempt",
        "hedge_won",
        "input_tokens",
        "last_text",
        "lost_hedge_cost",
        "messages",
        "model",
        "output_tokens",
        "overhead_s",
        "reason",
        "sent",
        "status",
        "task_type",
        "urgency",
    )

    def __init__(self, due: float, sent: float) -> None:
        self.due, self.sent = due, sent
        self.ended = 0.0
        self.first_text: float | None = None
        self.last_text: float | None = None
        self.gaps: list[float] = []
        self.messages = 0
        self.decision_id = self.model = self.task_type = self.urgency = self.complexity = ""
        self.attempt_reasons: list[str] = []
        self.attempt_outcomes: list[str] = []
        self.hedge_attempt: int | None = None
        self.hedge_won = False
        self.input_tokens = self.output_tokens = 0
        self.cost = self.baseline_cost = self.lost_hedge_cost = self.failed_cost = 0
        self.overhead_s: float | None = None
        self.status = self.reason = ""

    def batch(self, events: Iterable[CompletionEvent], now: float) -> bool:
        """One message came at ``now`` with these events; whether there was text in it."""
        text = False
        for event in events:
            match event.WhichOneof("event"):
                case "delta":
                    text = True
                case "decision":
                    self._decided(event)
                case "attempt_started":
                    self._started(event)
                case "attempt_ended":
                    self._ended(event)
                case "completed":
                    self._completed(event)
        if not text:
            return False
        self.messages += 1
        if self.last_text is None:
            self.first_text = now
        else:
            self.gaps.append(now - self.last_text)
        self.last_text = now
        return True

    def end(self, now: float, status: str, reason: str = "") -> None:
        """The call ended at ``now``; ``reason`` is the ErrorInfo's."""
        self.ended, self.status, self.reason = now, status, reason
        if status != OK:
            # the events told what single attempts cost, and no `completed` the sum
            self.failed_cost, self.cost = max(self.failed_cost, self.cost), 0

    def _decided(self, event: CompletionEvent) -> None:
        decision = event.decision
        reading = decision.classification
        self.decision_id, self.model = decision.decision_id, decision.model
        self.task_type = reading.task_type.value
        self.urgency = _URGENCIES.get(reading.urgency, "")
        self.complexity = _COMPLEXITIES.get(reading.complexity, "")

    def _started(self, event: CompletionEvent) -> None:
        started = event.attempt_started
        self.attempt_reasons.append(_REASONS.get(started.reason, str(started.reason)))
        if started.reason == ATTEMPT_REASON_HEDGE:
            self.hedge_attempt = started.attempt

    def _ended(self, event: CompletionEvent) -> None:
        ended = event.attempt_ended
        self.attempt_outcomes.append(_OUTCOMES.get(ended.outcome, str(ended.outcome)))
        self.cost += ended.usage.cost_usd_nanos
        if ended.outcome == ATTEMPT_OUTCOME_LOST_RACE:
            self.lost_hedge_cost += ended.usage.cost_usd_nanos

    def _completed(self, event: CompletionEvent) -> None:
        done = event.completed
        self.model = done.model
        self.hedge_won = self.hedge_attempt is not None and done.attempt == self.hedge_attempt
        self.input_tokens = done.usage.input_tokens
        self.output_tokens = done.usage.output_tokens
        self.cost = done.total_usage.cost_usd_nanos
        self.baseline_cost = done.baseline_cost_usd_nanos

    def measured(self) -> dict[str, float]:
        """The latencies (seconds) that this request has a value of, by metric."""
        found = {}
        if self.first_text is not None:
            found[TTFT] = self.first_text - self.due
        if self.overhead_s is not None:
            found[OVERHEAD] = self.overhead_s
        if self.status == OK:
            found[E2E] = self.ended - self.due
            first, last = self.first_text, self.last_text
            if first is not None and last is not None and self.output_tokens > 1:
                found[TPOT] = (last - first) / (self.output_tokens - 1)
        return found

    def count(self, counts: Counts, kind: str, cap: int | None, *, good: bool) -> None:
        """Add this request, which has ended, to ``counts``; ``sent`` was counted when it was."""
        ok, left = self.status == OK, self.status == LEFT
        counts.answered += ok
        counts.cancelled += left
        counts.failed += not (ok or left)
        counts.cut += not (ok or left) and self.first_text is not None
        counts.good += good
        counts.hedged += self.hedge_attempt is not None
        counts.hedge_wins += self.hedge_won
        counts.attempts += len(self.attempt_reasons)
        counts.messages += self.messages
        counts.output_tokens += self.output_tokens
        counts.input_tokens += self.input_tokens
        counts.cost += self.cost
        counts.baseline_cost += self.baseline_cost
        counts.failed_cost += self.failed_cost
        counts.lost_hedge_cost += self.lost_hedge_cost
        counts.over_cap += cap is not None and self.cost > cap
        for names, mix in (
            (self.attempt_reasons, counts.attempt_reasons),
            (self.attempt_outcomes, counts.attempt_outcomes),
            ((self.status,), counts.statuses),
            ((self.reason,), counts.reasons),
            ((self.model,) if ok else (), counts.models),
            ((self.task_type,), counts.task_types),
            ((self.urgency,), counts.urgencies),
            ((self.complexity,), counts.complexities),
            ((kind,), counts.kinds),
        ):
            for name in filter(None, names):
                mix[name] = mix.get(name, 0) + 1
