"""Whether the accounts of generator, server and providers agree. Pure.

An attempt that its server gives up on before the connection to the provider has carried it is in
the server's books and not in the provider's: a hedge that lost at once, a client that left at
once. So the two are equal where nobody leaves and nothing is raced, and else differ by no more
than the attempts that were given up on.
"""

from __future__ import annotations

from pointsman_bench.results import Check, Counts, ProviderBooks, ServerBooks

UNCERTAIN = ("LOST_RACE", "CANCELLED", "TIMED_OUT", "UNREACHABLE")
"""Outcomes of attempts that the provider may not have seen."""


def check(
    counts: Counts,
    server: ServerBooks | None,
    provider: ProviderBooks | None,
    *,
    capped: bool,
) -> tuple[Check, ...]:
    """Compare what there is. ``counts`` are those of the whole run, its warm-up too."""
    checks = [_ends(counts)]
    if capped:
        checks.append(
            Check(
                "no answer cost more than its request allowed",
                counts.over_cap == 0,
                f"{counts.over_cap} answers did",
            )
        )
    if server is not None:
        checks += _server_checks(counts, server)
    if provider is not None:
        checks += _provider_checks(counts, server, provider)
    return tuple(checks)


def _ends(counts: Counts) -> Check:
    ended = counts.answered + counts.failed + counts.cancelled
    return Check(
        "requests sent = answered + failed + cancelled",
        counts.sent == ended,
        f"{counts.sent} = {counts.answered} + {counts.failed} + {counts.cancelled}",
    )


def _server_checks(counts: Counts, server: ServerBooks) -> list[Check]:
    # a client that leaves at once may do so before its request was on its way
    low = counts.sent - counts.cancelled
    return [
        Check(
            "the server counted the requests that were sent",
            low <= server.requests <= counts.sent,
            f"it counted {server.requests} of {counts.sent}, {counts.cancelled} of them left",
        ),
        Check(
            "no attempt is left under way in the server",
            server.attempts_in_flight_at_end == 0,
            f"{server.attempts_in_flight_at_end} are",
        ),
    ]


def _provider_checks(
    counts: Counts, server: ServerBooks | None, provider: ProviderBooks
) -> list[Check]:
    calls = sum(model.calls for model in provider.models.values())
    attempts = counts.attempts if server is None else server.attempts
    whose = "the clients" if server is None else "the server"
    given_up = sum(counts.attempt_outcomes.get(name, 0) for name in UNCERTAIN) + counts.cancelled
    return [
        Check(
            "the providers saw the attempts that were made",
            attempts - given_up <= calls <= attempts + (counts.cancelled if not server else 0),
            f"they saw {calls}, {whose} counted {attempts}, of which {given_up} were given up on",
        ),
        Check(
            "no call is left under way at the providers",
            provider.in_flight_at_end == 0,
            f"{provider.in_flight_at_end} are",
        ),
    ]
