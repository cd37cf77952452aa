"""Which transport serves."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman_server.api.call import Service
from pointsman_server.domain.clock import Monotonic
from pointsman_server.transports.base import GrpcSettings, OnFault, Transport, TransportKind
from pointsman_server.transports.fast import FastServer
from pointsman_server.transports.grpc_aio import GrpcServer


def make_server(
    kind: TransportKind,
    settings: GrpcSettings,
    services: Sequence[Service],
    clock: Monotonic,
    on_fault: OnFault,
) -> Transport:
    """A transport that serves ``services``, not yet listening."""
    server = FastServer if kind == "fast" else GrpcServer
    return server(settings, services, clock, on_fault)
