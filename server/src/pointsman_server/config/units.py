"""Values that people write with units: 8s, 5%, $0.25, env:NAME."""

from __future__ import annotations

import ipaddress
import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema

from pointsman_server.domain.money import NANOS_PER_USD

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MAX_SECONDS = 24 * 3600.0
_SECRET = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\0]+")
_MAX_DOLLARS = Decimal(1_000_000)
_PORT = re.compile(r"[0-9]{1,5}")
_MAX_SHOWN = 40
MAX_WORKERS = 256


def shown(value: object) -> str:
    """``value`` for an error: what stands in the file, unless it is long or made of others."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a huge number"
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


def seconds(value: object) -> float:
    """A duration such as 8s, 500ms or 2m, in seconds."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{shown(value)} is not a duration; write 8s, 500ms, 2m or 1h")
    amount = float(match[1]) * _SECONDS[match[2]]
    if not 0 < amount <= _MAX_SECONDS:
        raise ValueError(f"{shown(value)} must be over 0 and at most 24h")
    return amount


def share(value: object) -> float:
    """A share such as 5% or 0.05, from 0 to 1."""
    try:
        if isinstance(value, str) and value.strip().endswith("%"):
            amount = float(value.strip()[:-1]) / 100
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            amount = float(value)
        else:
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f"{shown(value)} is not a share; write 5% or 0.05") from None
    if not 0 <= amount <= 1:
        raise ValueError(f"{shown(value)} must lie between 0% and 100%")
    return amount


def nanos(value: object) -> int:
    """A price such as $0.25 or 0.25, in nano-dollars."""
    text = value.strip().removeprefix("$") if isinstance(value, str) else value
    try:
        if isinstance(text, bool) or not isinstance(text, (str, int, float)):
            raise InvalidOperation
        dollars = Decimal(str(text))
        if not dollars.is_finite():
            raise InvalidOperation
    except (InvalidOperation, ValueError):
        raise ValueError(f"{shown(value)} is not a price; write $0.25") from None
    if not 0 <= dollars <= _MAX_DOLLARS:
        raise ValueError(f"{shown(value)} must lie between $0 and ${_MAX_DOLLARS}")
    return int(dollars * NANOS_PER_USD)


def secret_reference(value: object) -> str:
    """Where a secret is: env:NAME or file:PATH, never the secret."""
    if not isinstance(value, str) or not _SECRET.fullmatch(value):
        # the value is not repeated: it may be the key itself
        raise ValueError(
            "is not a reference to a secret; write env:NAME or file:PATH, "
            "keys do not belong into this file"
        )
    return value


def address(value: object) -> str:
    """host:port, or unix:PATH."""
    if isinstance(value, str) and value.startswith("unix:") and len(value) > len("unix:"):
        return value
    if isinstance(value, str) and _is_host_port(value):
        return value
    raise ValueError(f"{shown(value)} is not an address; write 127.0.0.1:50051 or unix:/run/p.sock")


def host_port(value: object) -> str:
    """host:port."""
    if isinstance(value, str) and not value.startswith("unix:") and _is_host_port(value):
        return value
    raise ValueError(f"{shown(value)} is not an address; write 127.0.0.1:9464")


def _is_host_port(text: str) -> bool:
    host, _, port = text.rpartition(":")
    if not host or not _PORT.fullmatch(port) or int(port) > 65535:
        return False
    bare = host.strip("[]")
    return ":" not in bare or _is_ipv6(bare)


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def workers(value: object) -> int | Literal["auto"]:
    """A number of worker processes, or "auto": one a core. Digits in a text are a number, too."""
    if value == "auto":
        return "auto"
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_WORKERS:
        raise ValueError(
            f"{shown(value)} is not a number of workers; write auto, or 1 to {MAX_WORKERS}"
        )
    return value


def names(value: object) -> object:
    """One name or a list of them."""
    return [value] if isinstance(value, str) else value


def _text(pattern: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


def _text_or_number(pattern: str, example: str) -> WithJsonSchema:
    text = {"type": "string", "pattern": pattern, "examples": [example]}
    return WithJsonSchema({"anyOf": [text, {"type": "number", "minimum": 0}]})


_NAMES = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
)

Seconds = Annotated[
    float, BeforeValidator(seconds), _text(r"^\s*\d+(\.\d+)?\s*(ms|s|m|h)\s*$", "8s")
]
Share = Annotated[float, BeforeValidator(share), _text_or_number(r"^\s*[\d.]+\s*%\s*$", "5%")]
Nanos = Annotated[int, BeforeValidator(nanos), _text_or_number(r"^\s*\$?[\d.]+\s*$", "$0.25")]
SecretReference = Annotated[
    str, BeforeValidator(secret_reference), _text("^(env|file):.+$", "env:OPENAI_API_KEY")
]
Address = Annotated[
    str, BeforeValidator(address), _text("^(unix:.+|.+:[0-9]+)$", "127.0.0.1:50051")
]
HostPort = Annotated[str, BeforeValidator(host_port), _text("^.+:[0-9]+$", "127.0.0.1:9464")]
Names = Annotated[list[str], BeforeValidator(names), _NAMES]
Workers = Annotated[
    int | Literal["auto"],
    BeforeValidator(workers),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_WORKERS}, {"const": "auto"}]}
    ),
]
