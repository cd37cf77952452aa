"""Counting in the window, and judging answers."""

from __future__ import annotations

from array import array

import pytest
from pointsman_bench.capacity.answers import AnswerError
from pointsman_bench.capacity.judge import Judge
from pointsman_bench.capacity.tally import Exchange, Tally, quantiles
from pointsman_bench.capacity.work import MAX_ERRORS


def test_nothing_counts_while_the_window_is_closed() -> None:
    """But the ends of calls, which tell whether there is any progress."""
    tally = Tally()
    tally.arrived(100, 5, 2)
    tally.end(Exchange(0.0, 0), 1.0)
    assert (tally.calls, tally.tokens, tally.messages, tally.received_bytes) == (0, 0, 0, 0)
    assert tally.ended == 1
    assert tally.whole is None


def test_an_open_window_counts_arrivals_and_ends() -> None:
    """Tokens when they arrive, latencies when a call ends."""
    tally = Tally()
    tally.open = True
    tally.arrived(100, 5, 2)
    tally.end(Exchange(10.0, 0, first_token_at=10.5), 12.0)
    assert (tally.calls, tally.tokens, tally.messages, tally.received_bytes) == (1, 5, 2, 100)
    assert tally.first_token is not None
    assert tally.whole is not None
    assert tally.first_token.p50 == 0.5
    assert tally.whole.worst == 2.0


def test_a_failed_call_is_an_error_and_has_no_latency() -> None:
    """The first error is kept, for whoever has to mend it."""
    tally = Tally()
    tally.open = True
    for why in ("first", "second"):
        tally.end(Exchange(0.0, 0, error=why), 1.0)
    assert (tally.calls, tally.errors, tally.first_error) == (0, 2, "first")
    assert tally.whole is None


def test_too_many_failures_are_hopeless() -> None:
    """Those of the warm-up count too."""
    tally = Tally()
    for number in range(MAX_ERRORS):
        assert not tally.hopeless
        tally.end(Exchange(0.0, number, error="no"), 1.0)
    assert tally.hopeless


def test_quantiles_are_observations() -> None:
    """Each is one of the samples."""
    found = quantiles(array("d", [float(n) for n in range(100, 0, -1)]))
    assert found is not None
    assert (found.p50, found.p90, found.p99, found.worst) == (51.0, 91.0, 100.0, 100.0)


class Scripted:
    """Answers whose reading says what it is told to."""

    def __init__(self, tokens: int | str) -> None:
        self.tokens = tokens
        self.readings = 0

    def glance(self, piece: bytes) -> int:
        return 0

    def read(self, pieces: list[bytes]) -> int:
        self.readings += 1
        if isinstance(self.tokens, str):
            raise AnswerError(self.tokens)
        return self.tokens


def judged(answers: Scripted, exchange: Exchange) -> Tally:
    """The tally after one judgement."""
    tally = Tally()
    tally.open = True
    Judge(answers, 64, 50, tally).end(exchange, 1.0)
    return tally


def test_an_answer_that_looks_right_is_read_only_now_and_then() -> None:
    """Every 50th, here."""
    for number, readings in ((0, 1), (1, 0), (49, 0), (50, 1)):
        answers = Scripted(64)
        tally = judged(answers, Exchange(0.0, number, tokens=64))
        assert (answers.readings, tally.verified, tally.calls) == (readings, readings, 1)


def test_an_answer_that_looks_wrong_is_read_and_the_count_mended() -> None:
    """A glance that missed tokens is no error, and they count."""
    tally = judged(Scripted(64), Exchange(0.0, 7, tokens=60))
    assert (tally.calls, tally.errors, tally.tokens) == (1, 0, 4)


@pytest.mark.parametrize(
    ("found", "error"),
    [(63, "63 tokens came in place of 64"), ("the last message is cut off", "cut off")],
)
def test_an_answer_that_is_wrong_is_an_error(found: int | str, error: str) -> None:
    """Also where a glance saw the right number."""
    tally = judged(Scripted(found), Exchange(0.0, 0, tokens=64))
    assert (tally.calls, tally.errors) == (0, 1)
    assert error in tally.first_error


def test_a_call_that_failed_is_not_read() -> None:
    """What it failed of says more."""
    answers = Scripted(64)
    tally = judged(answers, Exchange(0.0, 0, tokens=3, error="grpc-status 14: away"))
    assert answers.readings == 0
    assert tally.first_error == "grpc-status 14: away"
