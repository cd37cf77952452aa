"""structlog: one JSON line per decision, attempt and request. Prompts only where switched on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO
from uuid import uuid4

import msgspec
import structlog

from pointsman_server.domain.errors import RouterError
from pointsman_server.domain.money import NANOS_PER_USD
from pointsman_server.domain.observer import (
    AttemptDetails,
    AttemptStart,
    DecisionDetails,
    Receipt,
)
from pointsman_server.telemetry.lines import LineWriter

_JSON = msgspec.json.Encoder(enc_hook=repr)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """``level`` is debug, info, warning or error. ``prompts`` puts prompts into decisions."""

    level: str = "info"
    prompts: bool = False


def configure(
    settings: LogSettings, stream: TextIO | None = None, worker: int | None = None
) -> structlog.BoundLogger:
    """A logger that writes JSON lines to ``stream``, or to standard error from a thread.

    Every line has ``worker``, the number of this process among those that serve together, if any.
    """
    write = _into(stream, shared=worker is not None)
    logger: structlog.BoundLogger = structlog.wrap_logger(
        write, processors=[], wrapper_class=_AT_LEVEL[settings.level]
    )
    # bound now: an unbound logger of structlog's is bound anew for every line
    return logger.bind() if worker is None else logger.bind(worker=worker)


class _LineLogger(structlog.BoundLoggerBase):
    """Structlog's bound logger for lines of JSON: what is bound, what is said, level and time.

    In place of structlog's chain of processors, which costs several times as much: three lines a
    request are a tenth of what a request costs.
    """

    def debug(self, event: str, **fields: object) -> None:
        """Say what only who looks for a fault wants to know."""
        self._say("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Say what happens."""
        self._say("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Say what somebody should look at."""
        self._say("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Say what is wrong."""
        self._say("error", event, fields)

    def _say(self, level: str, event: str, fields: dict[str, object]) -> None:
        fields |= self._context
        fields["event"], fields["level"] = event, level
        fields["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        self._logger(_encoded(fields))


class _Info(_LineLogger):
    def debug(self, event: str, **fields: object) -> None:
        """Too little."""


class _Warning(_Info):
    def info(self, event: str, **fields: object) -> None:
        """Too little."""


class _Error(_Warning):
    def warning(self, event: str, **fields: object) -> None:
        """Too little."""


_AT_LEVEL = {"debug": _LineLogger, "info": _Info, "warning": _Warning, "error": _Error}


def _into(stream: TextIO | None, *, shared: bool) -> Callable[[bytes], object]:
    if stream is None:
        return LineWriter(sys.stderr.buffer, shared=shared).write
    return lambda line: stream.write(line.decode() + "\n")


def _encoded(fields: dict[str, object]) -> bytes:
    try:
        return _JSON.encode(fields)
    except (UnicodeError, TypeError, OverflowError):  # half a surrogate pair, say
        return json.dumps(fields, default=repr).encode()


class FaultLog:
    """Logs exceptions that are faults of our own, each under an identifier of its own."""

    def __init__(self, log: structlog.BoundLogger) -> None:
        self._log = log

    def __call__(self, error: BaseException) -> str:
        """Log ``error`` and where it came from, and return its identifier.

        The message is left out: an exception's text may hold what a prompt held.
        """
        error_id = uuid4().hex[:12]
        while isinstance(error, BaseExceptionGroup):  # a task group's: the first fault is in it
            error = error.exceptions[0]
        frames = []
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
            trace = trace.tb_next
        self._log.error(
            "internal_error", error_id=error_id, type=type(error).__name__, frames=frames[-12:]
        )
        return error_id


class LogObserver:
    """Writes what happens to requests."""

    def __init__(self, log: structlog.BoundLogger, settings: LogSettings) -> None:
        self._log = log
        self._prompts = settings.prompts
        self._faults = FaultLog(log)

    def reading_failed(self, error: Exception) -> None:
        """Log a fault of our own."""
        self._faults(error)

    def refused(self, error: RouterError) -> None:
        """One line a request that got no decision; without its text, which may quote the caller."""
        self._log.info("refused", error=type(error).__name__)

    def decided(self, details: DecisionDetails) -> None:
        """One line a decision."""
        decision, profile = details.decision, details.decision.profile
        fields: dict[str, object] = {
            "decision_id": decision.decision_id,
            "model": decision.model,
            "fallbacks": decision.fallback_models,
            "basis": decision.basis.value,
            "strategy": decision.strategy.value,
            "confidence": round(decision.confidence, 4),
            "propensity": decision.propensity,
            "policy": decision.policy_version,
            "hedge_delay_ms": _ms(decision.hedge_delay_s),
            "decide_ms": _ms(decision.duration_s),
            "user_id": details.context.user_id or None,
            "session_id": details.context.session_id or None,
        }
        if profile is not None:
            fields |= {
                "task_type": profile.task_type.value,
                "domain": profile.domain.value,
                "tone": profile.tone.value,
                "complexity": profile.complexity.name.lower(),
                "complexity_score": round(profile.complexity_score, 4),
                "urgency": profile.urgency.name.lower(),
                "multi_step": round(profile.multi_step, 4),
                "expected_output_tokens": profile.expected_output_tokens,
                "prompt_tokens": profile.prompt_tokens,
                "classify_ms": _ms(profile.duration_s),
            }
        if self._prompts:
            fields["prompt"] = details.messages[-1].text
        self._log.info("decision", **fields)

    def attempt_started(self, details: AttemptStart) -> None:
        """A line for debugging only: its end says the same and more."""
        self._log.debug(
            "attempt_started",
            decision_id=details.decision_id,
            attempt=details.number,
            model=details.model,
            reason=details.reason.value,
        )

    def attempt_ended(self, details: AttemptDetails) -> None:
        """One line an attempt."""
        record = details.record
        self._log.info(
            "attempt",
            decision_id=details.decision_id,
            attempt=record.number,
            model=record.model,
            provider=record.provider,
            reason=record.reason.value,
            outcome=record.outcome.value,
            failure=record.failure.kind.value if record.failure else None,
            message=record.failure.message if record.failure else None,
            first_token_ms=_ms(record.first_token_s),
            duration_ms=_ms(record.ended_at - record.started_at),
            input_tokens=record.usage.input_tokens,
            output_tokens=record.usage.output_tokens,
            estimated=record.usage.estimated,
            cost_usd=record.usage.cost_nanos / NANOS_PER_USD,
        )

    def request_ended(self, receipt: Receipt) -> None:
        """One line a request."""
        self._log.info(
            "request",
            decision_id=receipt.decision_id,
            error=receipt.error or None,
            attempts=len(receipt.attempts),
            first_token_ms=_ms(receipt.first_token_s),
            duration_ms=_ms(receipt.duration_s),
            cost_usd=receipt.usage.cost_nanos / NANOS_PER_USD,
            baseline_cost_usd=receipt.baseline_cost_nanos / NANOS_PER_USD,
        )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
