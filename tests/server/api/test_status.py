"""Every error has its status, with the details that error_reason.proto documents."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from pointsman.v1 import error_reason_pb2
from pointsman_server.api.status import (
    ERROR_DOMAIN,
    MAX_MESSAGE_BYTES,
    duration,
    internal_status,
    to_status,
)
from pointsman_server.domain.attempts import Failure, FailureKind
from pointsman_server.domain.decision import Candidate, Ineligibility
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

DETAILS: tuple[type[Message], ...] = (BadRequest, ErrorInfo, ResourceInfo, RetryInfo)
BROKE = Failure(FailureKind.INTERRUPTED, "the connection broke")
LIMITED = Failure(FailureKind.RATE_LIMITED, "slow down", retry_after_s=2.5)


def candidate(name: str, why: str = "is too slow") -> Candidate:
    return Candidate(name, 0.0, 0.5, 1, 1.0, Ineligibility.TOO_SLOW, why)


# An error of each kind: its code, reason, the metadata of its ErrorInfo, and its other details.
EXPECTED: dict[type[RouterError], tuple[RouterError, int, str, dict[str, str], list[Message]]] = {
    InvalidRequest: (
        InvalidRequest(FieldViolation("a[0].b", "is required"), FieldViolation("", "is odd")),
        code_pb2.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {},
        [
            BadRequest(
                field_violations=[
                    BadRequest.FieldViolation(field="a[0].b", description="is required"),
                    BadRequest.FieldViolation(field="", description="is odd"),
                ]
            )
        ],
    ),
    NotFound: (
        NotFound("model", "acme/x"),
        code_pb2.NOT_FOUND,
        "NOT_FOUND",
        {},
        [ResourceInfo(resource_type="model", resource_name="acme/x")],
    ),
    NoEligibleModel: (
        NoEligibleModel((candidate("a"), candidate("b"))),
        code_pb2.FAILED_PRECONDITION,
        "NO_ELIGIBLE_MODEL",
        {"candidates": "2"},
        [],
    ),
    Overloaded: (
        Overloaded(256, 1.5),
        code_pb2.RESOURCE_EXHAUSTED,
        "OVERLOADED",
        {},
        [RetryInfo(retry_delay=duration(1.5))],
    ),
    ShuttingDown: (
        ShuttingDown(),
        code_pb2.UNAVAILABLE,
        "SHUTTING_DOWN",
        {},
        [RetryInfo(retry_delay=duration(1.0))],
    ),
    DeadlineExceeded: (
        DeadlineExceeded("route"),
        code_pb2.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
        {"stage": "route"},
        [],
    ),
    PromptRefused: (
        PromptRefused("acme/x", Failure(FailureKind.PROMPT_REFUSED, "no")),
        code_pb2.INVALID_ARGUMENT,
        "PROMPT_REFUSED",
        {"model": "acme/x"},
        [],
    ),
    AllModelsFailed: (
        AllModelsFailed(3, "acme/x", LIMITED),
        code_pb2.UNAVAILABLE,
        "ALL_MODELS_FAILED",
        {
            "attempts": "3",
            "last_model": "acme/x",
            "last_reason": "ATTEMPT_OUTCOME_RATE_LIMITED",
        },
        [RetryInfo(retry_delay=duration(2.5))],
    ),
    AnswerInterrupted: (
        AnswerInterrupted("acme/x", BROKE),
        code_pb2.UNAVAILABLE,
        "ANSWER_INTERRUPTED",
        {"model": "acme/x", "outcome": "ATTEMPT_OUTCOME_PROVIDER_ERROR"},
        [],
    ),
}


def all_errors(base: type[RouterError] = RouterError) -> Iterator[type[RouterError]]:
    for error in base.__subclasses__():
        yield error
        yield from all_errors(error)


def unpacked(status: Status) -> list[Message]:
    found: list[Message] = []
    for packed in status.details:
        kind = next(k for k in DETAILS if packed.Is(k.DESCRIPTOR))
        message = kind()
        packed.Unpack(message)
        found.append(message)
    return found


def info_of(status: Status) -> ErrorInfo:
    (info,) = (d for d in unpacked(status) if isinstance(d, ErrorInfo))
    return info


def test_there_is_an_example_of_every_error() -> None:
    assert set(all_errors()) == set(EXPECTED)


@pytest.mark.parametrize("kind", EXPECTED)
def test_code_reason_metadata_and_details(kind: type[RouterError]) -> None:
    error, code, reason, metadata, details = EXPECTED[kind]
    status = to_status(error)
    info, *others = unpacked(status)
    assert isinstance(info, ErrorInfo)
    assert (status.code, status.message) == (code, str(error))
    assert (info.domain, info.reason) == ("pointsman.dev", reason)
    assert dict(info.metadata) == metadata
    assert others == details
    assert f"ERROR_REASON_{reason}" in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name


def test_an_error_that_was_forgotten_here_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError, match="RouterError has no status"):
        to_status(RouterError())


def test_an_internal_error_says_only_where_to_look() -> None:
    status = internal_status("e7")
    assert status.code == code_pb2.INTERNAL
    assert status.message == "internal error; the server's log has it as e7"
    assert unpacked(status) == [
        ErrorInfo(reason="INTERNAL", domain=ERROR_DOMAIN, metadata={"error_id": "e7"})
    ]


@pytest.mark.parametrize("kind", FailureKind)
def test_every_kind_of_failure_has_an_outcome_in_the_api(kind: FailureKind) -> None:
    failure = Failure(kind, "it is")
    last = info_of(to_status(AllModelsFailed(1, "m", failure))).metadata["last_reason"]
    assert last == f"ATTEMPT_OUTCOME_{kind.outcome.name}"
    outcome = info_of(to_status(AnswerInterrupted("m", failure))).metadata["outcome"]
    assert outcome == last


def header_bytes(status: Status) -> int:
    """What a status comes to in HTTP/2 headers at worst: percent-encoded, and in base64."""
    return len(quote(status.message)) + len(base64.b64encode(status.SerializeToString()))


LONG = ("x" * 5_000_000, "é" * 5_000_000, "漢" * 5_000_000, "🚂" * 5_000_000, "\n" * 5_000_000)


@pytest.mark.parametrize("text", LONG, ids=lambda t: t[0])
def test_no_status_outgrows_what_clients_take_of_headers(text: str) -> None:
    for error in (
        InvalidRequest(FieldViolation(text, text)),
        InvalidRequest(*[FieldViolation(text[:999], text[:999])] * 100),
        InvalidRequest(*[FieldViolation("f", "d")] * 1000),
        NotFound("model", text),
        NoEligibleModel(tuple(candidate(f"m{i}", text[:99]) for i in range(1000))),
    ):
        status = to_status(error)
        assert header_bytes(status) < 7500
        assert len(status.message.encode()) <= MAX_MESSAGE_BYTES
        assert info_of(status).reason


def test_what_is_cut_ends_with_an_ellipsis_and_what_fits_is_whole() -> None:
    prefix = len(str(NotFound("model", "")))
    fits = "x" * (MAX_MESSAGE_BYTES - prefix)
    assert to_status(NotFound("model", fits)).message == str(NotFound("model", fits))
    over = to_status(NotFound("model", fits + "x")).message
    assert len(over.encode()) == MAX_MESSAGE_BYTES
    assert over.endswith("x…")


def test_of_many_violations_the_first_are_told() -> None:
    many = [FieldViolation(f"messages[{i}].role", "is required") for i in range(500)]
    (_, bad) = unpacked(to_status(InvalidRequest(*many)))
    assert isinstance(bad, BadRequest)
    told = [v.field for v in bad.field_violations]
    assert 20 <= len(told) < 100
    assert told == [v.field for v in many[: len(told)]]


@given(st.floats(-1e6, 1e9))
def test_a_duration_is_never_negative_and_exact_to_the_nanosecond(seconds: float) -> None:
    value = duration(seconds)
    assert 0 <= value.nanos < 1_000_000_000
    whole = value.seconds + value.nanos / 1e9
    assert math.isclose(whole, max(0.0, seconds), rel_tol=1e-15, abs_tol=1e-9)
