"""What happens in the life of a completion, in the order in which clients see it."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_server.domain.attempts import AttemptOutcome, AttemptReason, FinishReason
from pointsman_server.domain.decision import Decision
from pointsman_server.domain.messages import ToolCall
from pointsman_server.domain.money import Usage


@dataclass(frozen=True, slots=True)
class Decided:
    """A model was chosen. Always the first event."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A provider call began."""

    attempt: int
    model: str
    reason: AttemptReason


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """A provider call ended without completing the answer."""

    attempt: int
    outcome: AttemptOutcome
    usage: Usage
    message: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the answer."""

    attempt: int
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A whole tool call; calls are not sent in pieces."""

    attempt: int
    call: ToolCall


@dataclass(frozen=True, slots=True)
class ModelSwitched:
    """Another attempt takes over after text was sent; ``discard`` drops the text so far."""

    from_attempt: int
    to_attempt: int
    model: str
    reason: AttemptReason
    discard: bool


@dataclass(frozen=True, slots=True)
class Completed:
    """The answer is whole. Always the last event.

    ``first_token_s`` counts from acceptance. ``baseline_cost_nanos`` is what ``usage`` would have
    cost with ``baseline_model``, the strongest that was eligible.
    """

    attempt: int
    model: str
    finish_reason: FinishReason
    usage: Usage
    total_usage: Usage
    first_token_s: float | None
    decision_id: str
    baseline_model: str
    baseline_cost_nanos: int


CompletionEvent = (
    Decided | AttemptStarted | AttemptEnded | TextDelta | ToolCallDelta | ModelSwitched | Completed
)
