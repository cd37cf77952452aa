"""What a failed call says besides its code: google.rpc error details, decoded.

No I/O, and no surprise: what is unknown or malformed is skipped, since an error that cannot be
read must not hide the error that was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    QuotaFailure,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status

DOMAIN = "pointsman.dev"
_REASON_PREFIX = "ERROR_REASON_"


class Violation(NamedTuple):
    """A field of the request that is malformed."""

    field: str
    """Its path, such as ``messages[2].role``."""

    description: str


class QuotaViolation(NamedTuple):
    """A budget or limit that was reached."""

    subject: str
    description: str


class Resource(NamedTuple):
    """A resource that an error is about."""

    type: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """The details of one error; empty where it carried none."""

    reason: str = ""
    """A name of ``pointsman.v1.ErrorReason`` without its prefix, such as "BUDGET_EXCEEDED"."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    quota: tuple[QuotaViolation, ...] = ()
    resource: Resource | None = None
    retry_after_s: float | None = None


def parse_status(serialized: bytes) -> Status | None:
    """Read the value of ``grpc-status-details-bin``; None where it is no such thing."""
    try:
        return Status.FromString(serialized)
    except DecodeError:
        return None


def decode(status: Status) -> ErrorDetails:
    """Gather what a status's details say. Of details that come twice, the last counts."""
    reason, metadata, resource, retry_after_s = "", {}, None, None
    violations: list[Violation] = []
    quota: list[QuotaViolation] = []
    for packed in status.details:
        detail = _unpack(packed)
        match detail:
            case ErrorInfo() if detail.domain == DOMAIN:
                reason = detail.reason.removeprefix(_REASON_PREFIX)
                metadata = dict(detail.metadata)
            case BadRequest():
                violations += (Violation(v.field, v.description) for v in detail.field_violations)
            case QuotaFailure():
                quota += (QuotaViolation(v.subject, v.description) for v in detail.violations)
            case ResourceInfo():
                resource = Resource(detail.resource_type, detail.resource_name, detail.description)
            case RetryInfo():
                delay = detail.retry_delay
                retry_after_s = max(0.0, delay.seconds + delay.nanos / 1e9)
            case _:
                pass
    return ErrorDetails(reason, metadata, tuple(violations), tuple(quota), resource, retry_after_s)


def _unpack(
    packed: AnyMessage,
) -> ErrorInfo | BadRequest | QuotaFailure | ResourceInfo | RetryInfo | None:
    for kind in (ErrorInfo, BadRequest, QuotaFailure, ResourceInfo, RetryInfo):
        if packed.Is(kind.DESCRIPTOR):
            try:
                return kind.FromString(packed.value)
            except DecodeError:
                return None
    return None
