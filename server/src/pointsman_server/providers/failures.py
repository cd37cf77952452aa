"""Status, body and headers of a refusal -> `Failure`, once, for each dialect. Pure.

A provider's machine-readable code decides where it has one, its status otherwise. A few refusals
come without any code of their own; for those alone, and last, the provider's wording is read. No
wording is ever passed on: messages are pointsman's, with the code in them only if it looks like
one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import msgspec

from pointsman_server.domain.attempts import Failure, FailureKind

MAX_RETRY_AFTER_S = 3600.0
MAX_ERROR_BODY_BYTES = 1 << 16

_CODE = re.compile(r"[a-z0-9_.-]{1,64}")
_SECONDS = re.compile(r"[ \t]*[0-9]+(\.[0-9]*)?[ \t]*")

_OPENAI_CODES: Mapping[str, FailureKind] = {
    **dict.fromkeys(
        (
            "insufficient_quota",
            "insufficient_balance",
            "insufficient_credits",
            "credit_balance_exhausted",
            "billing_hard_limit_reached",
            "billing_not_active",
            "usage_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
        ),
        FailureKind.OUT_OF_CREDIT,
    ),
    **dict.fromkeys(
        ("context_length_exceeded", "exceed_context_size_error", "string_above_max_length"),
        FailureKind.CONTEXT_TOO_LONG,
    ),
    **dict.fromkeys(
        (
            "content_filter",
            "content_policy_violation",
            "cyber_policy",
            "invalid_prompt",
            "misalignment_policy_violation",
            "moderation_blocked",
        ),
        FailureKind.PROMPT_REFUSED,
    ),
    **dict.fromkeys(
        ("model_not_found", "deploymentnotfound", "invalid_model", "unknown_model"),
        FailureKind.MODEL_NOT_FOUND,
    ),
    **dict.fromkeys(("invalid_api_key", "authentication_error"), FailureKind.AUTHENTICATION),
    **dict.fromkeys(
        ("server_overloaded", "engine_overloaded", "engine_overloaded_error"),
        FailureKind.OVERLOADED,
    ),
    "rate_limit_exceeded": FailureKind.RATE_LIMITED,
}

_ANTHROPIC_CODES: Mapping[str, FailureKind] = {
    **dict.fromkeys(
        (
            "billing_error",
            "contract_spend_limit_reached",
            "enforced_spend_limit_reached",
            "linked_organization_billing_unavailable",
            "linked_organization_spend_limit_reached",
            "user_profile_billing_not_authorized",
            "user_profile_not_billable",
        ),
        FailureKind.OUT_OF_CREDIT,
    ),
    **dict.fromkeys(
        ("authentication_error", "permission_error", "organization_on_hold"),
        FailureKind.AUTHENTICATION,
    ),
    "exceed_context_size_error": FailureKind.CONTEXT_TOO_LONG,
    "not_found_error": FailureKind.MODEL_NOT_FOUND,
    "overloaded_error": FailureKind.OVERLOADED,
    "rate_limit_error": FailureKind.RATE_LIMITED,
    "request_too_large": FailureKind.CONTEXT_TOO_LONG,
}

_OPENAI_WORDINGS: tuple[tuple[str, FailureKind], ...] = (
    # Servers that answer 400 with their exception's name for a code: vLLM, TGI, SGLang.
    ("maximum context length", FailureKind.CONTEXT_TOO_LONG),
    ("context length is only", FailureKind.CONTEXT_TOO_LONG),
    ("context window", FailureKind.CONTEXT_TOO_LONG),
)

_ANTHROPIC_WORDINGS: tuple[tuple[str, FailureKind], ...] = (
    # All three are a bare invalid_request_error.
    ("prompt is too long", FailureKind.CONTEXT_TOO_LONG),
    ("exceed context limit", FailureKind.CONTEXT_TOO_LONG),
    ("credit balance is too low", FailureKind.OUT_OF_CREDIT),
    ("content filtering policy", FailureKind.PROMPT_REFUSED),
)

_PHRASES: Mapping[FailureKind, str] = {
    FailureKind.RATE_LIMITED: "the provider's rate limit is reached",
    FailureKind.OUT_OF_CREDIT: "the provider's account is out of credit or at its spend limit",
    FailureKind.OVERLOADED: "the provider is overloaded",
    FailureKind.SERVER_ERROR: "the provider failed",
    FailureKind.PROTOCOL: "the provider's answer makes no sense",
    FailureKind.AUTHENTICATION: "the provider does not accept the API key",
    FailureKind.MODEL_NOT_FOUND: "the provider does not know the model",
    FailureKind.PROMPT_REFUSED: "the provider refused the prompt",
    FailureKind.CONTEXT_TOO_LONG: "the prompt is too long for the model",
    FailureKind.REJECTED: "the provider rejected the request",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that is not an answer; ``body`` is its beginning, names of headers in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class ErrorFields:
    """What an error object says. ``codes`` goes from the most specific to the least."""

    codes: tuple[str, ...] = ()
    status: int | None = None
    param: str = ""
    wording: str = ""


def openai_failure(refusal: Refusal, now: float) -> Failure:
    """Say why an OpenAI-compatible server did not answer; ``now`` is Unix time, for HTTP dates."""
    fields = error_fields(refusal.body)
    kind = _openai_kind(fields, refusal.status)
    return _failure(kind, fields, refusal.status, retry_after(refusal.headers, now))


def anthropic_failure(refusal: Refusal, now: float) -> Failure:
    """Say why an Anthropic-compatible server did not answer; ``now`` is Unix time, for dates."""
    fields = error_fields(refusal.body)
    kind = _anthropic_kind(fields, refusal.status)
    return _failure(kind, fields, refusal.status, retry_after(refusal.headers, now))


def openai_stream_failure(body: bytes) -> Failure:
    """Say why an OpenAI-compatible stream broke off, from the event that says so."""
    fields = error_fields(body)
    return _failure(_openai_kind(fields, fields.status), fields, fields.status, None)


def anthropic_stream_failure(body: bytes) -> Failure:
    """Say why an Anthropic-compatible stream broke off, from its ``error`` event."""
    fields = error_fields(body)
    return _failure(_anthropic_kind(fields, fields.status), fields, fields.status, None)


def error_fields(body: bytes) -> ErrorFields:
    """Read an error in any of the shapes that servers use; empty where there is none."""
    try:
        decoded: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return ErrorFields()
    if not isinstance(decoded, dict):
        return ErrorFields()
    error = decoded.get("error", decoded)
    if isinstance(error, str):
        return ErrorFields(wording=error.lower())
    if not isinstance(error, dict):
        return ErrorFields()
    details = error.get("details")
    inner = error.get("innererror")
    found = [
        details.get("error_code") if isinstance(details, dict) else None,
        error.get("error_code"),
        inner.get("code") if isinstance(inner, dict) else None,
        error.get("code"),
        error.get("type"),
    ]
    codes = tuple(code.lower() for code in found if isinstance(code, str) and not code.isdigit())
    param, wording = error.get("param"), error.get("message")
    return ErrorFields(
        codes=codes,
        status=_status(error.get("code")),
        param=param if isinstance(param, str) else "",
        wording=wording.lower() if isinstance(wording, str) else "",
    )


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read how long the provider asked to be left alone, in seconds within [0, 3600].

    ``retry-after-ms`` counts before ``retry-after``, which is a number of seconds or an HTTP date.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = lowered.get(name, "")
        if _SECONDS.fullmatch(value):
            return min(float(value) * scale, MAX_RETRY_AFTER_S)
    try:
        date = parsedate_to_datetime(lowered.get("retry-after", ""))
        return min(max(date.timestamp() - now, 0.0), MAX_RETRY_AFTER_S)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _openai_kind(fields: ErrorFields, status: int | None) -> FailureKind:
    for code in fields.codes:
        if code in _OPENAI_CODES:
            return _OPENAI_CODES[code]
    if status in (None, 400, 422, 500):
        if fields.param == "input_tokens":
            return FailureKind.CONTEXT_TOO_LONG
        for wording, kind in _OPENAI_WORDINGS:
            if wording in fields.wording:
                return kind
    if status == 404 and (fields.param == "model" or "model" in fields.wording):
        return FailureKind.MODEL_NOT_FOUND
    return _kind_of_status(status, fields)


def _anthropic_kind(fields: ErrorFields, status: int | None) -> FailureKind:
    if status in (None, 400):
        for wording, kind in _ANTHROPIC_WORDINGS:
            if wording in fields.wording:
                return kind
    for code in fields.codes:
        if code in _ANTHROPIC_CODES:
            return _ANTHROPIC_CODES[code]
    return _kind_of_status(status, fields)


def _kind_of_status(status: int | None, fields: ErrorFields) -> FailureKind:
    if status is None and "invalid_request_error" in fields.codes:
        return FailureKind.REJECTED
    match status:
        case 401 | 403:
            return FailureKind.AUTHENTICATION
        case 402:
            return FailureKind.OUT_OF_CREDIT
        case 413:
            return FailureKind.CONTEXT_TOO_LONG
        case 429:
            return FailureKind.RATE_LIMITED
        case 503 | 529:
            return FailureKind.OVERLOADED
        case 408 | 409 | None:
            return FailureKind.SERVER_ERROR
        case _ if status >= 500:
            return FailureKind.SERVER_ERROR
        case _ if status < 300:
            return FailureKind.PROTOCOL
        case _:
            return FailureKind.REJECTED


def _failure(
    kind: FailureKind, fields: ErrorFields, status: int | None, retry_after_s: float | None
) -> Failure:
    notes = [] if status is None else [f"status {status}"]
    notes += [code for code in fields.codes if _CODE.fullmatch(code)][:1]
    if status is not None and 300 <= status < 400:
        notes.append("redirects are not followed")
    message = _PHRASES[kind] + (f" ({', '.join(notes)})" if notes else "")
    # A wait is of use only where the same call may do better afterwards.
    return Failure(kind, message, retry_after_s if kind.transient else None)


def _status(code: object) -> int | None:
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        code = int(code)
    if isinstance(code, int) and not isinstance(code, bool) and 400 <= code <= 599:
        return code
    return None
