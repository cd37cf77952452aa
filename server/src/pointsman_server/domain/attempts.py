"""One call to one model: why it was made and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pointsman_server.domain.money import Usage


class AttemptReason(StrEnum):
    """Why an attempt was made."""

    PRIMARY = "primary"
    HEDGE = "hedge"
    RETRY = "retry"
    FALLBACK = "fallback"


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    LOST_RACE = "lost_race"
    TIMED_OUT = "timed_out"
    RATE_LIMITED = "rate_limited"
    PROVIDER_ERROR = "provider_error"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class FinishReason(StrEnum):
    """Why generation ended."""

    STOP = "stop"
    MAX_TOKENS = "max_tokens"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    UNKNOWN = "unknown"


class FailureKind(StrEnum):
    """What went wrong with an attempt: the one vocabulary that providers' errors are mapped to."""

    RATE_LIMITED = "rate_limited"
    OUT_OF_CREDIT = "out_of_credit"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    PROTOCOL = "protocol"
    AUTHENTICATION = "authentication"
    MODEL_NOT_FOUND = "model_not_found"
    PROMPT_REFUSED = "prompt_refused"
    CONTEXT_TOO_LONG = "context_too_long"
    REJECTED = "rejected"

    @property
    def outcome(self) -> AttemptOutcome:
        """How an attempt that failed so is reported."""
        return _OUTCOMES[self]

    @property
    def transient(self) -> bool:
        """Whether the same call to the same model may do better a moment later."""
        return self in _TRANSIENT


_OUTCOMES = {
    FailureKind.RATE_LIMITED: AttemptOutcome.RATE_LIMITED,
    FailureKind.OUT_OF_CREDIT: AttemptOutcome.RATE_LIMITED,
    FailureKind.OVERLOADED: AttemptOutcome.PROVIDER_ERROR,
    FailureKind.SERVER_ERROR: AttemptOutcome.PROVIDER_ERROR,
    FailureKind.UNREACHABLE: AttemptOutcome.UNREACHABLE,
    FailureKind.TIMED_OUT: AttemptOutcome.TIMED_OUT,
    FailureKind.DEADLINE: AttemptOutcome.TIMED_OUT,
    FailureKind.INTERRUPTED: AttemptOutcome.PROVIDER_ERROR,
    FailureKind.PROTOCOL: AttemptOutcome.PROVIDER_ERROR,
    FailureKind.AUTHENTICATION: AttemptOutcome.REJECTED,
    FailureKind.MODEL_NOT_FOUND: AttemptOutcome.REJECTED,
    FailureKind.PROMPT_REFUSED: AttemptOutcome.REJECTED,
    FailureKind.CONTEXT_TOO_LONG: AttemptOutcome.REJECTED,
    FailureKind.REJECTED: AttemptOutcome.REJECTED,
}

_TRANSIENT = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.OVERLOADED,
        FailureKind.SERVER_ERROR,
        FailureKind.UNREACHABLE,
        FailureKind.INTERRUPTED,
        FailureKind.PROTOCOL,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed.

    ``message`` is a sentence that is safe to show and to log: never a provider's raw body.
    ``retry_after_s`` is how long the provider asked to be left alone.
    """

    kind: FailureKind
    message: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """What is known of an attempt once it has ended; times in seconds on the server's clock."""

    number: int
    model: str
    provider: str
    reason: AttemptReason
    outcome: AttemptOutcome
    usage: Usage
    started_at: float
    ended_at: float
    first_token_at: float | None = None
    failure: Failure | None = None

    @property
    def first_token_s(self) -> float | None:
        """Time from the attempt's start to its first token; ``None`` where none came."""
        return None if self.first_token_at is None else self.first_token_at - self.started_at
