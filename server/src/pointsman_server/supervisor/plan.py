"""What the parent is started with, on its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start.

    ``arguments`` are those of a worker's `pointsman`, without its seat. ``address`` is host:port,
    also with port 0; ``metrics`` the same, or empty for nowhere. ``config_path`` is the file that
    workers are configured by; empty where there is none. ``banner`` is for people at a terminal.
    """

    arguments: list[str]
    workers: int
    address: str
    metrics: str
    config_path: str
    banner: bool


def encode_plan(plan: Plan) -> str:
    """A plan for the command line."""
    return json.dumps(asdict(plan))


def decode_plan(text: str) -> Plan:
    """A plan from the command line, where `encode_plan`'s text was put."""
    return Plan(**json.loads(text))


def written(address: tuple[str, int] | None) -> str:
    """host:port, with brackets around an IPv6 host; empty for nowhere."""
    if address is None:
        return ""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_port(address: str) -> tuple[str, int]:
    """The two parts of host:port; brackets around an IPv6 host are dropped."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
