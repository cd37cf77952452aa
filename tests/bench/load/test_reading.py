"""What came of a request, from its events."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pointsman.v1.classification_pb2 import COMPLEXITY_HIGH, URGENCY_NORMAL, Classification, Label
from pointsman.v1.decision_pb2 import Decision
from pointsman.v1.router_service_pb2 import (
    ATTEMPT_OUTCOME_LOST_RACE,
    ATTEMPT_OUTCOME_PROVIDER_ERROR,
    ATTEMPT_REASON_HEDGE,
    ATTEMPT_REASON_PRIMARY,
    ATTEMPT_REASON_RETRY,
    AttemptEnded,
    AttemptStarted,
    Completed,
    CompletionEvent,
    ContentDelta,
)
from pointsman.v1.usage_pb2 import Usage
from pointsman_bench.load.reading import LEFT, OK, Reading
from pointsman_bench.results import E2E, OVERHEAD, TPOT, TTFT, Counts

DUE, SENT = 100.0, 100.002


def decision() -> CompletionEvent:
    reading = Classification(
        task_type=Label(value="code"), urgency=URGENCY_NORMAL, complexity=COMPLEXITY_HIGH
    )
    return CompletionEvent(decision=Decision(decision_id="d1", model="a", classification=reading))


def started(number: int, reason: int = ATTEMPT_REASON_PRIMARY) -> CompletionEvent:
    return CompletionEvent(
        attempt_started=AttemptStarted(attempt=number, model="a", reason=reason)  # type: ignore[arg-type]
    )


def ended(number: int, outcome: int, cost: int) -> CompletionEvent:
    usage = Usage(cost_usd_nanos=cost)
    return CompletionEvent(
        attempt_ended=AttemptEnded(attempt=number, outcome=outcome, usage=usage)  # type: ignore[arg-type]
    )


def delta(text: str = "x") -> CompletionEvent:
    return CompletionEvent(delta=ContentDelta(text=text))


def completed(number: int = 0, *, tokens: int = 11, cost: int = 70) -> CompletionEvent:
    done = Completed(
        attempt=number,
        model="b" if number else "a",
        usage=Usage(input_tokens=5, output_tokens=tokens),
        total_usage=Usage(cost_usd_nanos=cost),
        baseline_cost_usd_nanos=900,
    )
    return CompletionEvent(completed=done)


def read(*batches: tuple[float, Sequence[CompletionEvent]], status: str = OK) -> Reading:
    """A request whose messages came at these times (seconds after due) and that ended so."""
    reading = Reading(DUE, SENT)
    for at, events in batches:
        reading.batch(events, DUE + at)
    last = batches[-1][0] if batches else 0.5
    reading.end(DUE + last, status, "" if status == OK else "SOME_REASON")
    return reading


def counted(reading: Reading, *, cap: int | None = None, good: bool = False) -> Counts:
    counts = Counts(sent=1)
    reading.count(counts, "kind", cap, good=good)
    return counts


def test_latencies_count_from_when_the_request_was_due() -> None:
    """Not from when it was sent, which was later."""
    reading = read((0.2, [decision(), started(0), delta()]), (1.2, [delta(), completed()]))
    assert reading.measured() == pytest.approx({TTFT: 0.2, E2E: 1.2, TPOT: 0.1})


def test_gaps_lie_between_messages_with_text() -> None:
    """Many pieces of text in one message are one sight of something new; an event is none."""
    reading = read(
        (0.1, [decision(), started(0)]),
        (0.2, [delta(), delta(), delta()]),
        (0.3, [started(1, ATTEMPT_REASON_HEDGE)]),
        (0.5, [delta()]),
        (0.6, [delta(), completed()]),
    )
    assert reading.gaps == pytest.approx([0.3, 0.1])
    assert reading.messages == 3
    assert reading.measured()[TTFT] == pytest.approx(0.2)


def test_an_answer_of_one_token_has_no_time_per_token() -> None:
    """There is nothing to divide by."""
    assert TPOT not in read((0.2, [delta(), completed(tokens=1)])).measured()


def test_a_failed_request_has_a_first_token_and_no_end() -> None:
    """The time to its error is another metric."""
    reading = read((0.2, [decision(), started(0), delta()]), status="UNAVAILABLE")
    assert set(reading.measured()) == {TTFT}


def test_the_overhead_is_what_the_server_said() -> None:
    """In seconds."""
    reading = read((0.2, [delta(), completed()]))
    reading.overhead_s = 0.0015
    assert reading.measured()[OVERHEAD] == 0.0015


def test_an_answer_is_counted_with_its_mix() -> None:
    """By model, task, urgency, complexity and kind."""
    counts = counted(read((0.2, [decision(), started(0), delta(), completed()])), good=True)
    assert (counts.sent, counts.answered, counts.failed, counts.cancelled) == (1, 1, 0, 0)
    assert (counts.good, counts.cut, counts.hedged, counts.attempts) == (1, 0, 0, 1)
    assert (counts.input_tokens, counts.output_tokens) == (5, 11)
    assert (counts.cost, counts.baseline_cost) == (70, 900)
    assert counts.models == {"a": 1}
    assert counts.task_types == {"code": 1}
    assert counts.urgencies == {"normal": 1}
    assert counts.complexities == {"high": 1}
    assert counts.kinds == {"kind": 1}
    assert counts.statuses == {"OK": 1}
    assert counts.reasons == {}
    assert counts.attempt_reasons == {"PRIMARY": 1}


def test_a_hedge_that_wins_is_counted_with_what_the_loser_cost() -> None:
    """The model is the winner's."""
    reading = read(
        (0.3, [decision(), started(0), started(1, ATTEMPT_REASON_HEDGE)]),
        (0.4, [ended(0, ATTEMPT_OUTCOME_LOST_RACE, 20), delta(), completed(1)]),
    )
    counts = counted(reading)
    assert (counts.hedged, counts.hedge_wins, counts.attempts) == (1, 1, 2)
    assert (counts.lost_hedge_cost, counts.cost) == (20, 70)
    assert counts.models == {"b": 1}
    assert counts.attempt_outcomes == {"LOST_RACE": 1}


def test_a_hedge_that_loses_is_no_win() -> None:
    """What it cost is counted all the same."""
    reading = read(
        (0.3, [decision(), started(0), started(1, ATTEMPT_REASON_HEDGE)]),
        (0.4, [ended(1, ATTEMPT_OUTCOME_LOST_RACE, 9), delta(), completed(0)]),
    )
    counts = counted(reading)
    assert (counts.hedged, counts.hedge_wins, counts.lost_hedge_cost) == (1, 0, 9)


def test_a_retry_is_no_hedge() -> None:
    """Though it is a second attempt."""
    reading = read(
        (0.3, [started(0), ended(0, ATTEMPT_OUTCOME_PROVIDER_ERROR, 3)]),
        (0.4, [started(1, ATTEMPT_REASON_RETRY), delta(), completed(1)]),
    )
    counts = counted(reading)
    assert (counts.hedged, counts.hedge_wins, counts.attempts) == (0, 0, 2)
    assert counts.attempt_reasons == {"PRIMARY": 1, "RETRY": 1}
    assert (counts.lost_hedge_cost, counts.cost) == (0, 70)


def test_what_a_failed_request_cost_is_kept_apart() -> None:
    """It bought no answer, and must not be compared with what answers would have cost."""
    reading = read(
        (0.3, [started(0), ended(0, ATTEMPT_OUTCOME_PROVIDER_ERROR, 3)]), status="UNAVAILABLE"
    )
    counts = counted(reading)
    assert (counts.cost, counts.failed_cost, counts.baseline_cost) == (0, 3, 0)
    assert (counts.answered, counts.failed) == (0, 1)
    assert counts.reasons == {"SOME_REASON": 1}
    assert counts.models == {}


def test_an_answer_that_broke_off_is_cut() -> None:
    """A failure before any text is not."""
    assert counted(read((0.2, [delta()]), status="UNAVAILABLE")).cut == 1
    assert counted(read((0.2, [decision()]), status="UNAVAILABLE")).cut == 0


def test_a_client_that_left_neither_failed_nor_was_answered() -> None:
    """Even where it had seen text."""
    counts = counted(read((0.2, [delta()]), status=LEFT))
    assert (counts.cancelled, counts.failed, counts.answered, counts.cut) == (1, 0, 0, 0)


@pytest.mark.parametrize(("cap", "over"), [(None, 0), (70, 0), (69, 1)])
def test_an_answer_over_its_cap_is_counted(cap: int | None, over: int) -> None:
    """At the cap it is within it."""
    assert counted(read((0.2, [delta(), completed()])), cap=cap).over_cap == over


def test_events_of_a_later_version_are_passed_over() -> None:
    """Clients must skip what they do not know."""
    reading = read((0.2, [CompletionEvent(), delta(), completed()]))
    assert reading.measured()[TTFT] == pytest.approx(0.2)
