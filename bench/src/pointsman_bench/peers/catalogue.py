"""The systems that can be compared, by name."""

from __future__ import annotations

from collections.abc import Callable

from pointsman_bench.peers import gateways, names
from pointsman_bench.peers.direct import Direct
from pointsman_bench.peers.pointsman import Echo, Pointsman
from pointsman_bench.peers.system import System

SYSTEMS: dict[str, Callable[[], System]] = {
    names.LITELLM: gateways.litellm,
    names.PORTKEY: gateways.portkey,
    names.SMG: gateways.smg,
    names.GRPC: lambda: Pointsman(names.GRPC, "grpc", reads=False),
    names.FAST: lambda: Pointsman(names.FAST, "fast", reads=False),
    names.GRPC_READ: lambda: Pointsman(names.GRPC_READ, "grpc", reads=True),
    names.FAST_READ: lambda: Pointsman(names.FAST_READ, "fast", reads=True),
    names.ECHO: Echo,
    names.DIRECT: Direct,
}
