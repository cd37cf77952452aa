"""The server's metrics page."""

from __future__ import annotations

import pytest
from pointsman_bench.load.errors import BenchError
from pointsman_bench.load.metrics import Scrape, parse, scrape

PAGE = """\
# HELP pointsman_attempts_total Provider calls.
# TYPE pointsman_attempts_total counter
pointsman_attempts_total{model="a/b",outcome="completed",reason="primary"} 10.0
pointsman_attempts_total{model="a } 7",outcome="lost_race",reason="hedge"} 2.0
pointsman_attempts_created{model="a/b"} 1.7e+09
pointsman_attempts_in_flight{model="a/b"} 1.0
pointsman_requests_total{error=""} 9.0
pointsman_requests_total{error="Overloaded"} 3.0
pointsman_cost_usd_total{model="a/b"} 1.25e-05 1700000000
pointsman_cost_usd_total 0.5 1700000000
"""


def test_samples_are_summed_over_their_labels() -> None:
    """Whatever the labels hold, and with a timestamp or without."""
    assert parse(PAGE) == Scrape(requests=12, attempts=12, in_flight=1, cost_usd=0.5000125)


def test_what_was_counted_before_is_taken_off() -> None:
    """But what is under way is under way."""
    since = Scrape(12, 20, 3, 0.5).since(Scrape(2, 5, 9, 0.25))
    assert since == Scrape(10, 15, 3, 0.25)


def test_a_page_without_our_metrics_counts_nothing() -> None:
    """A server that has served nothing yet has no samples."""
    assert parse("# nothing\nother_total 3\n") == Scrape()


async def test_a_page_that_is_not_there_is_named() -> None:
    """With what to do about it."""
    with pytest.raises(BenchError, match="--metrics"):
        await scrape("http://127.0.0.1:1/metrics")
