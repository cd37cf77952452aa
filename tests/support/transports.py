"""Servers over each transport: what conformance is tested against."""

from __future__ import annotations

from served import Settings

TRANSPORTS = ("grpc", "fast")
"""The reference comes first: where both fail, look at the test."""

USUAL = ", drain: 5s"


def over(transport: str, server: str = USUAL, *, total: str = "60s") -> Settings:
    """Settings of a server over a transport.

    Args:
        transport: one of `TRANSPORTS`.
        server: more of the configuration's server section, after a comma.
        total: the most that a call may take.
    """
    return Settings(server=f", transport: {transport}{server}", total=total)
