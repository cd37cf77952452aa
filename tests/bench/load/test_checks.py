"""Whether the three accounts agree."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pointsman_bench.load.checks import check
from pointsman_bench.results import Counts, ModelBooks, ProviderBooks, ServerBooks

COUNTS = Counts(sent=100, answered=90, failed=4, cancelled=6, attempts=110)
SERVER = ServerBooks(requests=100, attempts=110, attempts_in_flight_at_end=0, cost_usd=1.0)
RACED = {"LOST_RACE": 5}


def provider(calls: int = 110, in_flight: int = 0) -> ProviderBooks:
    books = ModelBooks(calls, calls, 0, 0, 0, 0, 0)
    return ProviderBooks({"a": books}, calls / 100, in_flight, 0.0)


def failed(counts: Counts, server: ServerBooks | None, books: ProviderBooks | None) -> list[str]:
    return [c.name for c in check(counts, server, books, capped=True) if not c.passed]


def test_accounts_that_agree_pass() -> None:
    """All six comparisons are made."""
    checks = check(COUNTS, SERVER, provider(), capped=True)
    assert len(checks) == 6
    assert all(c.passed for c in checks)


def test_a_request_that_never_ended_is_found() -> None:
    """Or one that ended twice."""
    for answered in (89, 91):
        assert failed(replace(COUNTS, answered=answered), SERVER, provider()) == [
            "requests sent = answered + failed + cancelled"
        ]


@pytest.mark.parametrize(
    ("requests", "agrees"), [(93, False), (94, True), (100, True), (101, False)]
)
def test_the_server_may_miss_only_requests_whose_clients_left(requests: int, agrees: bool) -> None:
    """These may have left before they were there."""
    found = failed(COUNTS, replace(SERVER, requests=requests), provider())
    assert found == ([] if agrees else ["the server counted the requests that were sent"])


@pytest.mark.parametrize(("calls", "agrees"), [(98, False), (99, True), (110, True), (111, False)])
def test_providers_may_miss_only_attempts_that_were_given_up_on(calls: int, agrees: bool) -> None:
    """Six clients left, and five attempts lost a race; nothing may be called behind the books."""
    counts = replace(COUNTS, attempt_outcomes=RACED)
    found = failed(counts, SERVER, provider(calls))
    assert found == ([] if agrees else ["the providers saw the attempts that were made"])


def test_where_nothing_was_given_up_on_the_accounts_are_equal() -> None:
    """To the last call."""
    quiet = Counts(sent=10, answered=10, attempts=12, attempt_outcomes={"PROVIDER_ERROR": 2})
    server = replace(SERVER, requests=10, attempts=12)
    assert failed(quiet, server, provider(12)) == []
    assert failed(quiet, server, provider(11)) == ["the providers saw the attempts that were made"]


def test_what_is_left_under_way_is_found() -> None:
    """In the server, and at the providers."""
    assert failed(COUNTS, replace(SERVER, attempts_in_flight_at_end=1), provider()) == [
        "no attempt is left under way in the server"
    ]
    assert failed(COUNTS, SERVER, provider(in_flight=2)) == [
        "no call is left under way at the providers"
    ]


def test_an_answer_over_its_cap_is_found() -> None:
    """Where requests had caps."""
    over = replace(COUNTS, over_cap=1)
    assert failed(over, None, None) == ["no answer cost more than its request allowed"]
    assert all(c.passed for c in check(over, None, None, capped=False))


def test_without_the_servers_books_the_clients_are_compared_with_the_providers() -> None:
    """A client that left may have left attempts behind that it did not hear of."""
    assert failed(COUNTS, None, provider(116)) == []
    assert failed(COUNTS, None, provider(117)) == ["the providers saw the attempts that were made"]
