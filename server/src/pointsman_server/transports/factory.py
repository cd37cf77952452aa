"""Which transport serves."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman_server.api.call import Service
from pointsman_server.domain.clock import Monotonic
from pointsman_server.transports.base import GrpcSettings, OnFault, Transport, TransportKind


def make_server(
    kind: TransportKind,
    settings: GrpcSettings,
    services: Sequence[Service],
    clock: Monotonic,
    on_fault: OnFault,
) -> Transport:
    """A transport that serves ``services``, not yet listening."""
    # only the one that serves is loaded: each brings some megabytes
    if kind == "fast":
        from pointsman_server.transports.fast import FastServer

        return FastServer(settings, services, clock, on_fault)
    from pointsman_server.transports.grpc_aio import GrpcServer

    return GrpcServer(settings, services, clock, on_fault)
