"""What the metadata of a call says."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

_OVERHEAD = "x-pointsman-overhead-ms"
_DETAILS = "grpc-status-details-bin"

Metadata = Iterable[tuple[str, str | bytes]]


def overhead_s(metadata: Metadata | None) -> float | None:
    """What the server says that routing took, in seconds; ``None`` where it says nothing."""
    for key, value in metadata or ():
        if key == _OVERHEAD:
            try:
                return float(value) / 1000
            except ValueError:
                return None
    return None


def error_reason(metadata: Metadata | None) -> str:
    """The ErrorInfo's reason in the trailers; "" where there is none."""
    for key, value in metadata or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                details = Status.FromString(value).details
                for detail in details:
                    info = ErrorInfo()
                    if detail.Unpack(info):
                        return str(info.reason)
            except DecodeError:
                return ""
    return ""
