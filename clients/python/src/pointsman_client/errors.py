"""Why calls fail. Every failure of a call is one of these.

PointsmanError               carries the reason, the code and all details
 +-- Unavailable             nothing can answer now: try later, or elsewhere
 |    +-- ServerUnreachable  no server answers at the address
 +-- DeadlineExceeded        the time given has passed
 +-- BudgetExceeded          a budget is spent
 +-- Cancelled               the call, turn or chat was cancelled
 +-- BrokenStream            the stream broke off or broke its contract: no answer came of it
 +-- TextDiscarded           text that was handed out no longer counts; the answer goes on
"""

from __future__ import annotations

from typing import ClassVar

import grpc
from google.rpc.status_pb2 import Status

from pointsman_client.details import ErrorDetails, decode, parse_status

_DETAILS_KEY = "grpc-status-details-bin"
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_NO_DETAILS = ErrorDetails()


class PointsmanError(Exception):
    """A call failed. Branch on ``reason``, then ``code``; never on the message.

    Attributes:
        message: What went wrong, for a person.
        code: The gRPC status code.
        reason: A name of ``pointsman.v1.ErrorReason`` without its prefix, such as "OVERLOADED".
            Empty where pointsman did not raise the error: the network, a proxy or this client did.
        metadata: What the reason documents, such as "budget" and "reset_time".
        violations: The request's malformed fields, as (field, description).
        quota: The budgets or limits reached, as (subject, description).
        resource: What was not found, as (type, name, description).
        retry_after_s: How long to wait before a retry; None where the server did not say.

    """

    default_code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        message: str,
        code: grpc.StatusCode | None = None,
        details: ErrorDetails = _NO_DETAILS,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.default_code if code is None else code
        self.reason = details.reason
        self.metadata = details.metadata
        self.violations = details.violations
        self.quota = details.quota
        self.resource = details.resource
        self.retry_after_s = details.retry_after_s

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {self.message}"


class Unavailable(PointsmanError):
    """Nothing can answer now: no model, or no server. ``retry_after_s`` may say when to retry."""

    default_code = grpc.StatusCode.UNAVAILABLE


class ServerUnreachable(Unavailable):
    """No server answers at the client's address."""


class DeadlineExceeded(PointsmanError):
    """The time given to the call or turn has passed."""

    default_code = grpc.StatusCode.DEADLINE_EXCEEDED


class BudgetExceeded(PointsmanError):
    """A budget is spent. ``metadata`` names it and says when it is reset."""

    default_code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Cancelled(PointsmanError):
    """The call, turn or chat was cancelled before its answer was whole."""

    default_code = grpc.StatusCode.CANCELLED


class BrokenStream(PointsmanError):
    """The stream broke off or broke its contract: what came of it must not pass for an answer."""

    default_code = grpc.StatusCode.DATA_LOSS


class TextDiscarded(PointsmanError):
    """Another model starts over: the text handed out so far no longer counts.

    Not the end: iterate again for the text that replaces it.
    """

    default_code = grpc.StatusCode.ABORTED


def from_status(status: Status) -> PointsmanError:
    """Make the error that a google.rpc.Status tells of."""
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    details = decode(status)
    return _class_of(code, details)(status.message, code, details)


def from_rpc_error(
    error: grpc.aio.AioRpcError, target: str, *, answered: bool = False
) -> PointsmanError:
    """Make the error that a failed call to ``target`` tells of.

    ``answered`` says that the server had begun to answer, so that it was there.
    """
    details = _trailing_details(error)
    code, message = error.code(), error.details() or ""
    if code is grpc.StatusCode.UNAVAILABLE and details is None:
        if answered:
            return Unavailable(f"the connection to {target} was lost ({message})")
        return ServerUnreachable(
            f"no pointsman server answers at {target}: start one with `pointsman serve`, or give"
            f" Client the address of one that runs ({message})"
        )
    details = details or _NO_DETAILS
    return _class_of(code, details)(message, code, details)


def _trailing_details(error: grpc.aio.AioRpcError) -> ErrorDetails | None:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            status = parse_status(value)
            return _NO_DETAILS if status is None else decode(status)
    return None


def _class_of(code: grpc.StatusCode, details: ErrorDetails) -> type[PointsmanError]:
    if details.reason == "BUDGET_EXCEEDED":
        return BudgetExceeded
    by_code = {kind.default_code: kind for kind in (Unavailable, DeadlineExceeded, Cancelled)}
    return by_code.get(code, PointsmanError)
