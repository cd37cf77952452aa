"""Small promises of the domain's values."""

from __future__ import annotations

import pytest
from builders import make_failure
from pointsman_server.domain.attempts import (
    AttemptOutcome,
    AttemptReason,
    AttemptRecord,
    FailureKind,
)
from pointsman_server.domain.errors import AllModelsFailed, FieldViolation, InvalidRequest
from pointsman_server.domain.messages import Message, Role, Text, ToolCall, ToolResult
from pointsman_server.domain.money import Usage


@pytest.mark.parametrize("kind", FailureKind)
def test_every_failure_has_an_outcome(kind: FailureKind) -> None:
    """Each kind of failure is reported as one that is not a success, a loss or a cancellation."""
    assert kind.outcome not in (
        AttemptOutcome.COMPLETED,
        AttemptOutcome.LOST_RACE,
        AttemptOutcome.CANCELLED,
    )


@pytest.mark.parametrize("kind", FailureKind)
def test_what_was_rejected_does_not_pass(kind: FailureKind) -> None:
    """A call that was rejected will be rejected again."""
    if kind.outcome is AttemptOutcome.REJECTED:
        assert not kind.transient


def test_the_first_token_counts_from_the_start() -> None:
    """An attempt's first-token time is its own, not the request's."""
    record = AttemptRecord(
        1, "m", "p", AttemptReason.HEDGE, AttemptOutcome.COMPLETED, Usage(), 10.0, 12.0, 10.5
    )
    assert record.first_token_s == 0.5


def test_a_messages_text() -> None:
    """A message's text is that of its plain parts and tool results, in order."""
    parts = (Text("a"), ToolCall("1", "f", "{}"), ToolResult("1", "b"))
    assert Message(Role.TOOL, parts).text == "a\nb"


def test_an_invalid_request_names_its_fields() -> None:
    """Each malformed field is named in the text, with what is wrong with it."""
    error = InvalidRequest(FieldViolation("a.b", "is bad"), FieldViolation("c", "is worse"))
    assert str(error) == "a.b: is bad; c: is worse"


@pytest.mark.parametrize(("asked", "told"), [(None, 1.0), (0.0, 0.0), (7.0, 7.0)])
def test_when_to_come_back(asked: float | None, told: float) -> None:
    """The caller is told to wait as long as the last provider asked for, 0 included."""
    failure = make_failure(FailureKind.RATE_LIMITED, asked)
    assert AllModelsFailed(3, "m", failure).retry_after_s == told
