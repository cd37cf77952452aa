from __future__ import annotations

import json
import math
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain.attempts import Failure, FailureKind
from pointsman_server.providers.failures import (
    MAX_RETRY_AFTER_S,
    Refusal,
    anthropic_failure,
    anthropic_stream_failure,
    openai_failure,
    openai_stream_failure,
    retry_after,
)

NOW = 1_790_000_000.0  # Mon, 21 Sep 2026 14:13:20 GMT
K = FailureKind


def refusal(status: int, body: object = b"", **headers: str) -> Refusal:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Refusal(status, {name.replace("_", "-"): v for name, v in headers.items()}, raw)


def openai_error(**fields: object) -> object:
    return {"error": {"message": "words", "param": None, **fields}}


def anthropic_error(kind: str, message: str = "words", **fields: object) -> object:
    error = {"type": kind, "message": message, **fields}
    return {"type": "error", "error": error, "request_id": "req_1"}


def money(code: str) -> object:
    return anthropic_error("rate_limit_error", details={"error_code": code})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, openai_error(type="tokens", code="rate_limit_exceeded"), K.RATE_LIMITED),
        (429, b"", K.RATE_LIMITED),
        (429, openai_error(type="insufficient_quota", code="insufficient_quota"), K.OUT_OF_CREDIT),
        (429, openai_error(type="insufficient_quota", code=None), K.OUT_OF_CREDIT),
        (429, openai_error(type="x", code="credit_balance_exhausted"), K.OUT_OF_CREDIT),
        (400, openai_error(type="x", code="billing_hard_limit_reached"), K.OUT_OF_CREDIT),
        (402, {"error": {"message": "Insufficient Balance", "type": "x"}}, K.OUT_OF_CREDIT),
        (429, openai_error(type="engine_overloaded_error"), K.OVERLOADED),
        (401, openai_error(type="invalid_request_error", code="invalid_api_key"), K.AUTHENTICATION),
        (401, {"error": {"code": 401, "type": "authentication_error"}}, K.AUTHENTICATION),
        (403, {"detail": "Forbidden"}, K.AUTHENTICATION),
        (403, openai_error(code="model_not_found"), K.MODEL_NOT_FOUND),
        (
            404,
            openai_error(type="invalid_request_error", code="model_not_found"),
            K.MODEL_NOT_FOUND,
        ),
        (404, {"error": {"code": "DeploymentNotFound", "message": ""}}, K.MODEL_NOT_FOUND),
        (
            404,
            {
                "object": "error",
                "message": "The model `x` does not exist.",
                "type": "NotFoundError",
                "param": None,
                "code": 404,
            },
            K.MODEL_NOT_FOUND,
        ),
        (404, b"404: Not Found", K.REJECTED),
        (404, {"detail": "Not Found"}, K.REJECTED),
        (400, openai_error(code="context_length_exceeded"), K.CONTEXT_TOO_LONG),
        (400, {"error": {"code": 400, "type": "exceed_context_size_error"}}, K.CONTEXT_TOO_LONG),
        (500, {"error": {"code": 500, "type": "exceed_context_size_error"}}, K.CONTEXT_TOO_LONG),
        (
            400,
            {"error": {"type": "BadRequestError", "param": "input_tokens", "code": 400}},
            K.CONTEXT_TOO_LONG,
        ),
        (
            400,
            {"object": "error", "message": "This model's maximum context length is 16384 tokens."},
            K.CONTEXT_TOO_LONG,
        ),
        (413, b"<html>too large</html>", K.CONTEXT_TOO_LONG),
        (400, openai_error(code="content_policy_violation"), K.PROMPT_REFUSED),
        (400, openai_error(code="invalid_prompt"), K.PROMPT_REFUSED),
        (
            400,
            {
                "error": {
                    "code": "content_filter",
                    "innererror": {"code": "ResponsibleAIPolicyViolation"},
                }
            },
            K.PROMPT_REFUSED,
        ),
        (400, openai_error(type="invalid_request_error", code=None), K.REJECTED),
        (422, {"detail": [{"type": "extra_forbidden", "loc": ["body"]}]}, K.REJECTED),
        (408, b"", K.SERVER_ERROR),
        (409, b"", K.SERVER_ERROR),
        (500, openai_error(type="server_error"), K.SERVER_ERROR),
        (502, b"<html>", K.SERVER_ERROR),
        (504, b"", K.SERVER_ERROR),
        (524, b"", K.SERVER_ERROR),
        (503, openai_error(type="server_error"), K.OVERLOADED),
        (503, {"error": {"code": 503, "type": "unavailable_error"}}, K.OVERLOADED),
        (529, b"", K.OVERLOADED),
        (307, b"", K.REJECTED),
        (204, b"", K.PROTOCOL),
        (418, b"", K.REJECTED),
    ],
)
def test_openai_refusals(status: int, body: object, kind: FailureKind) -> None:
    failure = openai_failure(refusal(status, body), NOW)
    assert failure.kind is kind
    assert f"status {status}" in failure.message


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, anthropic_error("rate_limit_error"), K.RATE_LIMITED),
        (429, money("ramp_limit_exceeded"), K.RATE_LIMITED),
        (429, money("enforced_spend_limit_reached"), K.OUT_OF_CREDIT),
        (429, money("contract_spend_limit_reached"), K.OUT_OF_CREDIT),
        (
            429,
            anthropic_error("rate_limit_error", error_code="enforced_spend_limit_reached"),
            K.OUT_OF_CREDIT,
        ),
        (402, anthropic_error("billing_error"), K.OUT_OF_CREDIT),
        (402, b"", K.OUT_OF_CREDIT),
        (
            400,
            anthropic_error("invalid_request_error", "Your credit balance is too low to access"),
            K.OUT_OF_CREDIT,
        ),
        (401, anthropic_error("authentication_error"), K.AUTHENTICATION),
        (403, anthropic_error("permission_error"), K.AUTHENTICATION),
        (404, anthropic_error("not_found_error", "model: x"), K.MODEL_NOT_FOUND),
        (
            400,
            anthropic_error("invalid_request_error", "prompt is too long: 208310 tokens > 200000"),
            K.CONTEXT_TOO_LONG,
        ),
        (413, anthropic_error("request_too_large"), K.CONTEXT_TOO_LONG),
        (
            400,
            anthropic_error("invalid_request_error", "Output blocked by content filtering policy"),
            K.PROMPT_REFUSED,
        ),
        (400, anthropic_error("invalid_request_error", "max_tokens: too large"), K.REJECTED),
        (409, anthropic_error("conflict_error"), K.SERVER_ERROR),
        (500, anthropic_error("api_error"), K.SERVER_ERROR),
        (504, anthropic_error("timeout_error"), K.SERVER_ERROR),
        (503, b"", K.OVERLOADED),
        (529, anthropic_error("overloaded_error"), K.OVERLOADED),
        (302, b"", K.REJECTED),
    ],
)
def test_anthropic_refusals(status: int, body: object, kind: FailureKind) -> None:
    failure = anthropic_failure(refusal(status, body), NOW)
    assert failure.kind is kind
    assert f"status {status}" in failure.message


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "x", "type": "server_error", "code": None}, K.SERVER_ERROR),
        ({"message": "x", "code": 502}, K.SERVER_ERROR),
        ({"message": "x", "code": 503}, K.OVERLOADED),
        ({"message": "x", "code": "429"}, K.RATE_LIMITED),
        ({"message": "x", "code": 7}, K.SERVER_ERROR),
        ({"message": "x", "code": "rate_limit_exceeded"}, K.RATE_LIMITED),
        ({"message": "x", "code": "credit_balance_exhausted"}, K.OUT_OF_CREDIT),
        ({"message": "x", "type": "invalid_request_error"}, K.REJECTED),
        ({"message": "maximum context length is 8192"}, K.CONTEXT_TOO_LONG),
        ("it broke", K.SERVER_ERROR),
        (["it broke"], K.SERVER_ERROR),
    ],
)
def test_openai_errors_inside_a_stream(error: object, kind: FailureKind) -> None:
    assert openai_stream_failure(json.dumps({"error": error}).encode()).kind is kind


@pytest.mark.parametrize(
    ("kind_of_error", "kind"),
    [
        ("overloaded_error", K.OVERLOADED),
        ("api_error", K.SERVER_ERROR),
        ("rate_limit_error", K.RATE_LIMITED),
        ("invalid_request_error", K.REJECTED),
        ("timeout_error", K.SERVER_ERROR),
        ("never_heard_of", K.SERVER_ERROR),
    ],
)
def test_anthropic_errors_inside_a_stream(kind_of_error: str, kind: FailureKind) -> None:
    body = json.dumps(anthropic_error(kind_of_error)).encode()
    assert anthropic_stream_failure(body).kind is kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "86400"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "9" * 400}, MAX_RETRY_AFTER_S),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "Mon, 21 Sep 2026 14:13:50 GMT"}, 30.0),
        ({"retry-after": "Mon, 21 Sep 2026 14:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 21 Sep 2096 14:00:00 GMT"}, MAX_RETRY_AFTER_S),
        ({"retry-after": "Mon, 99 Sep 2026 99:00:00 GMT"}, None),
        ({"retry-after": "tomorrow"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@given(st.text())
def test_retry_after_is_bounded_whatever_the_header_says(value: str) -> None:
    seconds = retry_after({"retry-after": value}, NOW)
    assert seconds is None or (math.isfinite(seconds) and 0 <= seconds <= MAX_RETRY_AFTER_S)


def test_a_wait_is_passed_on_only_where_waiting_helps() -> None:
    limited = openai_failure(refusal(429, b"", retry_after="7"), NOW)
    broke = openai_failure(
        refusal(429, openai_error(code="insufficient_quota"), retry_after="7"), NOW
    )
    assert (limited.retry_after_s, limited.kind.transient) == (7.0, True)
    assert (broke.retry_after_s, broke.kind.transient) == (None, False)


SAFE = re.compile(
    r"[a-z' A-Z]+( \(((status \d+|[a-z0-9_.-]{1,64}|redirects are not followed)(, )?)+\))?"
)


@pytest.mark.parametrize(
    "code",
    ["x" * 65, "has space", "ünïcode", "new\nline", "<b>", "", "a/b", "sk live"],
)
def test_a_code_that_does_not_look_like_one_is_left_out(code: str) -> None:
    failure = openai_failure(refusal(400, openai_error(code=code)), NOW)
    assert failure.message == "the provider rejected the request (status 400)"


def test_the_most_specific_code_is_named() -> None:
    failure = anthropic_failure(refusal(429, money("enforced_spend_limit_reached")), NOW)
    assert failure.message.endswith("(status 429, enforced_spend_limit_reached)")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "message", "type", "code", "details", "error_code", "param"]),
            inner,
            max_size=6,
        )
    ),
)


@given(
    st.one_of(st.binary(max_size=60), JSON.map(msgspec.json.encode)),
    st.integers(100, 599),
)
def test_any_body_gives_a_failure_with_a_safe_message(body: bytes, status: int) -> None:
    answers: list[Failure] = [
        openai_failure(Refusal(status, {}, body), NOW),
        anthropic_failure(Refusal(status, {}, body), NOW),
        openai_stream_failure(body),
        anthropic_stream_failure(body),
    ]
    for failure in answers:
        assert SAFE.fullmatch(failure.message), failure.message


def test_a_providers_wording_is_never_passed_on() -> None:
    body = openai_error(message="SECRET prompt text", code="invalid_prompt", param="SECRET")
    assert "SECRET" not in repr(openai_failure(refusal(400, body), NOW))


def test_deeply_nested_json_is_no_error_of_ours() -> None:
    assert openai_failure(Refusal(500, {}, b"[" * 60_000), NOW).kind is K.SERVER_ERROR
