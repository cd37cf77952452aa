"""Every failure is one typed error that says all that the server said."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    QuotaFailure,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from pointsman.v1.error_reason_pb2 import ErrorReason
from pointsman_client import (
    BudgetExceeded,
    Cancelled,
    Client,
    DeadlineExceeded,
    PointsmanError,
    QuotaViolation,
    Resource,
    ServerUnreachable,
    Unavailable,
    Violation,
    from_status,
)
from pointsman_client.details import decode, parse_status

if TYPE_CHECKING:
    from tests.client.conftest import FakePointsman

Code = grpc.StatusCode


async def failing(client: Client) -> PointsmanError:
    with pytest.raises(PointsmanError) as caught:
        await client.classify("Hello")
    return caught.value


@pytest.mark.parametrize(
    ("reason", "code", "kind"),
    [
        ("INVALID_REQUEST", Code.INVALID_ARGUMENT, PointsmanError),
        ("NO_ELIGIBLE_MODEL", Code.FAILED_PRECONDITION, PointsmanError),
        ("BUDGET_EXCEEDED", Code.RESOURCE_EXHAUSTED, BudgetExceeded),
        ("OVERLOADED", Code.RESOURCE_EXHAUSTED, PointsmanError),
        ("ALL_MODELS_FAILED", Code.UNAVAILABLE, Unavailable),
        ("PROMPT_REFUSED", Code.INVALID_ARGUMENT, PointsmanError),
        ("NOT_FOUND", Code.NOT_FOUND, PointsmanError),
        ("ETAG_MISMATCH", Code.ABORTED, PointsmanError),
        ("REQUEST_ID_REUSED", Code.ALREADY_EXISTS, PointsmanError),
        ("DEADLINE_EXCEEDED", Code.DEADLINE_EXCEEDED, DeadlineExceeded),
        ("ANSWER_INTERRUPTED", Code.UNAVAILABLE, Unavailable),
        ("SHUTTING_DOWN", Code.UNAVAILABLE, Unavailable),
        ("INTERNAL", Code.INTERNAL, PointsmanError),
    ],
)
async def test_every_reason_arrives(
    fake: FakePointsman,
    client: Client,
    reason: str,
    code: grpc.StatusCode,
    kind: type[PointsmanError],
) -> None:
    name = f"ERROR_REASON_{reason}"
    assert name in ErrorReason.keys()  # noqa: SIM118 - an enum wrapper is no mapping
    fake.reply(fake.failure(code, "Told so.", reason=name, metadata={"budget": "team"}))
    error = await failing(client)
    assert type(error) is kind
    assert (error.reason, error.code, error.message) == (reason, code, "Told so.")
    assert error.metadata == {"budget": "team"}
    assert str(error) == f"{reason}: Told so."


def test_the_list_above_is_of_all_reasons() -> None:
    marks = test_every_reason_arrives.pytestmark  # type: ignore[attr-defined]
    listed = {f"ERROR_REASON_{case[0]}" for case in marks[0].args[1]}
    assert listed == set(ErrorReason.keys()) - {"ERROR_REASON_UNSPECIFIED"}


async def test_a_reason_without_the_enums_prefix_is_the_same_reason(
    fake: FakePointsman, client: Client
) -> None:
    fake.reply(fake.failure(Code.RESOURCE_EXHAUSTED, reason="BUDGET_EXCEEDED"))
    assert type(await failing(client)) is BudgetExceeded


async def test_malformed_fields_arrive_in_order(fake: FakePointsman, client: Client) -> None:
    bad = BadRequest(
        field_violations=[
            BadRequest.FieldViolation(field="messages[0].role", description="not set"),
            BadRequest.FieldViolation(field="generation.seed", description="too large"),
        ]
    )
    fake.reply(fake.failure(Code.INVALID_ARGUMENT, "bad", bad, reason="X"))
    assert (await failing(client)).violations == (
        Violation("messages[0].role", "not set"),
        Violation("generation.seed", "too large"),
    )


async def test_when_to_retry_arrives(fake: FakePointsman, client: Client) -> None:
    retry = RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000))
    fake.reply(fake.failure(Code.UNAVAILABLE, "later", retry, reason="X"))
    assert (await failing(client)).retry_after_s == 2.5


async def test_what_was_not_found_arrives(fake: FakePointsman, client: Client) -> None:
    resource = ResourceInfo(resource_type="model", resource_name="m", description="none such")
    fake.reply(fake.failure(Code.NOT_FOUND, "no", resource, reason="X"))
    assert (await failing(client)).resource == Resource("model", "m", "none such")


async def test_the_budget_reached_arrives(fake: FakePointsman, client: Client) -> None:
    quota = QuotaFailure(violations=[QuotaFailure.Violation(subject="user:u", description="$1")])
    fake.reply(fake.failure(Code.RESOURCE_EXHAUSTED, "no", quota, reason="BUDGET_EXCEEDED"))
    assert (await failing(client)).quota == (QuotaViolation("user:u", "$1"),)


async def test_an_error_without_details_is_still_an_error(
    fake: FakePointsman, client: Client
) -> None:
    fake.reply(fake.plain_failure(Code.PERMISSION_DENIED, "not yours"))
    error = await failing(client)
    assert (error.reason, error.code, error.message) == ("", Code.PERMISSION_DENIED, "not yours")
    assert (error.violations, error.quota, error.resource) == ((), (), None)
    assert error.retry_after_s is None
    assert str(error) == "PERMISSION_DENIED: not yours"


async def test_details_that_cannot_be_read_do_not_hide_the_error(
    fake: FakePointsman, client: Client
) -> None:
    fake.reply(fake.plain_failure(Code.INTERNAL, "oh", raw=b"\xff\xff\xff"))
    error = await failing(client)
    assert (error.code, error.message, error.reason) == (Code.INTERNAL, "oh", "")


async def test_a_server_whose_details_cannot_be_read_was_reached(
    fake: FakePointsman, client: Client
) -> None:
    fake.reply(fake.plain_failure(Code.UNAVAILABLE, "later", raw=b"\xff\xff\xff"))
    assert type(await failing(client)) is Unavailable


async def test_unknown_details_are_skipped(fake: FakePointsman, client: Client) -> None:
    retry = RetryInfo(retry_delay=Duration(seconds=1))
    unknown = StringValue(value="of another API")
    fake.reply(fake.failure(Code.UNAVAILABLE, "later", unknown, retry, reason="OVERLOADED"))
    error = await failing(client)
    assert (error.reason, error.retry_after_s) == ("OVERLOADED", 1.0)


async def test_another_systems_reason_is_not_ours(fake: FakePointsman, client: Client) -> None:
    foreign = ErrorInfo(reason="BUDGET_EXCEEDED", domain="elsewhere.example")
    fake.reply(fake.failure(Code.RESOURCE_EXHAUSTED, "no", foreign))
    error = await failing(client)
    assert type(error) is PointsmanError
    assert error.reason == ""


def test_a_detail_with_a_broken_value_is_skipped_and_the_rest_read() -> None:
    status = Status(code=3, message="m")
    url = "type.googleapis.com/google.rpc."
    for name in ("ErrorInfo", "BadRequest", "QuotaFailure", "ResourceInfo", "RetryInfo"):
        status.details.append(AnyMessage(type_url=url + name, value=b"\xff\xff"))
    status.details.add().Pack(ErrorInfo(reason="INVALID_REQUEST", domain="pointsman.dev"))
    assert decode(status).reason == "INVALID_REQUEST"


def test_a_delay_that_makes_no_sense_is_not_negative() -> None:
    status = Status(code=14)
    status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=-5)))
    assert decode(status).retry_after_s == 0.0


@given(st.binary(max_size=200))
def test_no_bytes_whatever_break_decoding(serialized: bytes) -> None:
    status = parse_status(serialized)
    if status is not None:
        decode(status)
        assert str(from_status(status))


def test_a_code_of_the_future_is_an_unknown_error() -> None:
    assert from_status(Status(code=999, message="new")).code is Code.UNKNOWN


def test_a_status_that_says_cancelled_is_cancelled() -> None:
    assert type(from_status(Status(code=1, message="left"))) is Cancelled


def test_errors_can_be_copied_and_sent_to_another_process() -> None:
    status = Status(code=8, message="spent")
    status.details.add().Pack(
        ErrorInfo(reason="BUDGET_EXCEEDED", domain="pointsman.dev", metadata={"budget": "b"})
    )
    error = from_status(status)
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is BudgetExceeded
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)


async def test_no_server_at_the_address() -> None:
    async with Client("127.0.0.1:1") as client:
        with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:1: start one with") as caught:
            await client.classify("a secret prompt")
        assert isinstance(caught.value, Unavailable)
        assert caught.value.code is Code.UNAVAILABLE
        assert "secret" not in str(caught.value)
        with pytest.raises(ServerUnreachable):
            await client.complete("Hello").text()
        with pytest.raises(ServerUnreachable):
            await client.health()
        with pytest.raises(ServerUnreachable):
            async with client.chat() as chat:
                await chat.turn("Hello").text()


async def test_a_server_that_says_unavailable_was_reached(
    fake: FakePointsman, client: Client
) -> None:
    fake.reply(fake.failure(Code.UNAVAILABLE, "draining", reason="SHUTTING_DOWN"))
    assert type(await failing(client)) is Unavailable
