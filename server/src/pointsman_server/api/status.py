"""Domain errors as google.rpc.Status, with the details that `error_reason.proto` promises."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any as PackedAny
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from pointsman.v1 import error_reason_pb2

from pointsman_server.api.names import outcome_name
from pointsman_server.domain.errors import (
    AllModelsFailed,
    AnswerInterrupted,
    DeadlineExceeded,
    FieldViolation,
    InvalidRequest,
    NoEligibleModel,
    NotFound,
    Overloaded,
    PromptRefused,
    RouterError,
    ShuttingDown,
)

ERROR_DOMAIN = "pointsman.dev"
MAX_MESSAGE_BYTES = 768
MAX_TEXT_BYTES = 256
MAX_VIOLATIONS_BYTES = 2048
"""Statuses travel in HTTP/2 headers, and clients refuse more than 8 KiB of these: instead of the
error they would then see one of gRPC's own. A byte of the message may come to more than four: three
where it is percent-encoded, and in the details, in base64, one and a third."""


@dataclass(frozen=True, slots=True)
class _Shape:
    code: int
    reason: int
    metadata: dict[str, str]
    details: tuple[Message, ...] = ()


def to_status(error: RouterError) -> status_pb2.Status:
    """The status that tells a client of ``error``: one ErrorInfo first, then other details."""
    shape = _shape(error)
    return _status(shape, str(error))


def internal_status(error_id: str) -> status_pb2.Status:
    """The status for a fault of our own. Says nothing of it but where to look."""
    shape = _Shape(
        code_pb2.INTERNAL, error_reason_pb2.ERROR_REASON_INTERNAL, {"error_id": error_id}
    )
    return _status(shape, f"internal error; the server's log has it as {error_id}")


def _status(shape: _Shape, message: str) -> status_pb2.Status:
    info = error_details_pb2.ErrorInfo(
        reason=error_reason_pb2.ErrorReason.Name(shape.reason).removeprefix("ERROR_REASON_"),
        domain=ERROR_DOMAIN,
        metadata=shape.metadata,
    )
    status = status_pb2.Status(code=shape.code, message=_cut(message, MAX_MESSAGE_BYTES))
    for detail in (info, *shape.details):
        packed = PackedAny()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _shape(error: RouterError) -> _Shape:
    reasons = error_reason_pb2
    match error:
        case InvalidRequest():
            return _Shape(
                code_pb2.INVALID_ARGUMENT,
                reasons.ERROR_REASON_INVALID_REQUEST,
                {},
                (_bad_request(error.violations),),
            )
        case NotFound():
            resource = error_details_pb2.ResourceInfo(
                resource_type=error.resource_type, resource_name=_cut(error.name, MAX_TEXT_BYTES)
            )
            return _Shape(code_pb2.NOT_FOUND, reasons.ERROR_REASON_NOT_FOUND, {}, (resource,))
        case NoEligibleModel():
            return _Shape(
                code_pb2.FAILED_PRECONDITION,
                reasons.ERROR_REASON_NO_ELIGIBLE_MODEL,
                {"candidates": str(len(error.candidates))},
            )
        case Overloaded():
            return _Shape(
                code_pb2.RESOURCE_EXHAUSTED,
                reasons.ERROR_REASON_OVERLOADED,
                {},
                (_retry_info(error.retry_after_s),),
            )
        case ShuttingDown():
            return _Shape(
                code_pb2.UNAVAILABLE,
                reasons.ERROR_REASON_SHUTTING_DOWN,
                {},
                (_retry_info(error.retry_after_s),),
            )
        case DeadlineExceeded():
            return _Shape(
                code_pb2.DEADLINE_EXCEEDED,
                reasons.ERROR_REASON_DEADLINE_EXCEEDED,
                {"stage": error.stage},
            )
        case _:
            return _provider_shape(error)


def _provider_shape(error: RouterError) -> _Shape:
    reasons = error_reason_pb2
    match error:
        case PromptRefused():
            return _Shape(
                code_pb2.INVALID_ARGUMENT,
                reasons.ERROR_REASON_PROMPT_REFUSED,
                {"model": error.model},
            )
        case AllModelsFailed():
            metadata = {
                "attempts": str(error.attempts),
                "last_model": error.last_model,
                "last_reason": outcome_name(error.last.kind.outcome),
            }
            if error.hopeless:
                return _Shape(
                    code_pb2.FAILED_PRECONDITION, reasons.ERROR_REASON_ALL_MODELS_FAILED, metadata
                )
            return _Shape(
                code_pb2.UNAVAILABLE,
                reasons.ERROR_REASON_ALL_MODELS_FAILED,
                metadata,
                (_retry_info(error.retry_after_s),),
            )
        case AnswerInterrupted():
            metadata = {
                "model": error.model,
                "outcome": outcome_name(error.failure.kind.outcome),
            }
            return _Shape(code_pb2.UNAVAILABLE, reasons.ERROR_REASON_ANSWER_INTERRUPTED, metadata)
        case _:
            raise TypeError(f"{type(error).__name__} has no status: add it here")


def _bad_request(violations: Sequence[FieldViolation]) -> error_details_pb2.BadRequest:
    """As many of the violations as there is room for, from the first."""
    message = error_details_pb2.BadRequest()
    for violation in violations:
        message.field_violations.add(
            field=_cut(violation.field, MAX_TEXT_BYTES),
            description=_cut(violation.description, MAX_TEXT_BYTES),
        )
        if message.ByteSize() > MAX_VIOLATIONS_BYTES:
            del message.field_violations[-1]
            break
    return message


def _cut(text: str, max_bytes: int) -> str:
    """``text``, or as much of its beginning as ``max_bytes`` of UTF-8 can hold, and an ellipsis."""
    if len(text) <= max_bytes and len(text.encode()) <= max_bytes:
        return text
    return text[:max_bytes].encode()[: max_bytes - 3].decode(errors="ignore") + "…"


def _retry_info(seconds: float) -> error_details_pb2.RetryInfo:
    return error_details_pb2.RetryInfo(retry_delay=duration(seconds))


def duration(seconds: float) -> Duration:
    """Seconds as a protobuf Duration, to the nanosecond, never negative."""
    nanos = max(0, math.floor(seconds * 1e9))
    return Duration(seconds=nanos // 1_000_000_000, nanos=nanos % 1_000_000_000)
