"""Why calls fail. Every error that reaches a caller is one of these.

RouterError
 +-- InvalidRequest          a field is malformed, and which
 +-- NotFound                a named resource does not exist
 +-- NoEligibleModel         nothing in the registry may serve this
 +-- Overloaded              at the limit of calls in flight
 +-- ShuttingDown            draining: call another replica
 +-- DeadlineExceeded        the call's own deadline passed, and in which stage
 +-- PromptRefused           a provider would not take this prompt
 +-- AllModelsFailed         every model that could be tried was
 +-- AnswerInterrupted       the answer broke off after text was sent
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman_server.domain.attempts import AttemptOutcome, Failure
from pointsman_server.domain.decision import Candidate


class RouterError(Exception):
    """A call failed in a way that its caller can tell apart; ``str()`` is safe to show."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One malformed field: its path, such as ``messages[2].role``, and what is wrong with it."""

    field: str
    description: str


class InvalidRequest(RouterError):
    """A field is malformed."""

    def __init__(self, *violations: FieldViolation) -> None:
        self.violations = violations
        # a violation of the whole message has no field
        said = (f"{v.field}: {v.description}" if v.field else v.description for v in violations)
        super().__init__("; ".join(said))


class NotFound(RouterError):
    """A named resource does not exist."""

    def __init__(self, resource_type: str, name: str) -> None:
        self.resource_type = resource_type
        self.name = name
        super().__init__(f"no {resource_type} is called {name!r}")


class NoEligibleModel(RouterError):
    """No model meets the constraints and capabilities asked for; waiting does not help."""

    def __init__(self, candidates: tuple[Candidate, ...]) -> None:
        self.candidates = candidates
        why = "; ".join(f"{c.model}: {c.why_not}" for c in candidates) or "the registry is empty"
        super().__init__(f"no model can serve this request ({why})")


class Overloaded(RouterError):
    """The server is at its limit of calls in flight."""

    def __init__(self, limit: int, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"at the limit of {limit} calls in flight")


class ShuttingDown(RouterError):
    """The server is draining and takes no new calls."""

    def __init__(self, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("the server is shutting down")


class DeadlineExceeded(RouterError):
    """The call's deadline passed in ``stage``: "classify", "route" or "execute"."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        super().__init__(f"the deadline passed (stage: {stage})")


class PromptRefused(RouterError):
    """A provider refused the prompt itself."""

    def __init__(self, model: str, failure: Failure) -> None:
        self.model = model
        super().__init__(f"{model} refused the prompt: {failure.message}")


class AllModelsFailed(RouterError):
    """Every model that could be tried was tried.

    ``hopeless`` is true where the same request would only fail again: the last one turned it down.
    """

    def __init__(self, attempts: int, last_model: str, last: Failure) -> None:
        self.attempts = attempts
        self.last_model = last_model
        self.last = last
        self.hopeless = last.kind.outcome is AttemptOutcome.REJECTED
        self.retry_after_s = last.retry_after_s if last.retry_after_s is not None else 1.0
        super().__init__(f"all {attempts} attempts failed; the last, {last_model}: {last.message}")


class AnswerInterrupted(RouterError):
    """The answer broke off after part of it was sent: what was sent is not complete."""

    def __init__(self, model: str, failure: Failure) -> None:
        self.model = model
        self.failure = failure
        super().__init__(f"the answer of {model} broke off: {failure.message}")
