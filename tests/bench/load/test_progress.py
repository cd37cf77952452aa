"""How a run goes, and a run in short."""

from __future__ import annotations

import io
from dataclasses import replace

from pointsman_bench.load.plan import Progress
from pointsman_bench.load.progress import Display, Tracker
from pointsman_bench.load.surroundings import Busy
from pointsman_bench.sparse import Sparse
from rich.console import Console

START = 500.0


def said(index: int = 0, *, sent: int = 10, in_flight: int = 3, ttft_ms: int = 200) -> Progress:
    ttft, lag = Sparse(), Sparse()
    for _ in range(sent):
        ttft.record(ttft_ms / 1000)
        lag.record(0.001)
    return Progress(index, sent, sent - in_flight, 1, in_flight, ttft.counts, lag.counts)


def tracker() -> Tracker:
    found = Tracker(length_s=30.0, warm_up_s=5.0)
    found.begin(START)
    return found


def test_what_processes_say_adds_up() -> None:
    """What is in flight is what each of them said last."""
    one = tracker()
    one.add(said(0), START + 0.5)
    one.add(said(1, in_flight=4, ttft_ms=400), START + 0.5)
    one.add(said(0, in_flight=0), START + 1.0)
    assert (one.sent, one.failed) == (30, 3)
    line = one.line(START + 1.0)
    assert "30 req/s" in line
    assert "4 in flight" in line
    assert "3 failed" in line
    assert "ttft p50 200 ms p99 400 ms" in line
    assert "lag p99 1 ms" in line


def test_the_rate_is_that_of_the_last_second() -> None:
    """Not the mean since the start."""
    one = tracker()
    one.add(said(sent=100), START + 1.0)
    one.add(said(sent=10), START + 2.0)
    assert "10 req/s" in one.line(START + 2.0)


def test_the_line_says_what_is_going_on() -> None:
    """Warm-up, measuring, or waiting for the last answers."""
    one = tracker()
    assert one.line(START + 1).startswith("warm-up 1/30 s")
    assert one.line(START + 6).startswith("measuring 6/30 s")
    assert one.line(START + 31).startswith("last answers 30/30 s")
    assert "ttft p50 – p99 –" in one.line(START + 1)


def test_where_nobody_sees_it_move_a_line_is_said_now_and_then() -> None:
    """Not with every word of every process."""
    out = io.StringIO()
    display = Display(tracker(), Console(file=out, width=200))
    with display.shown():
        for _ in range(10):
            display.progress(said())
    assert out.getvalue().count("req/s") == 1


def test_a_terminal_gets_one_line_that_moves() -> None:
    """And it is gone afterwards."""
    out = io.StringIO()
    display = Display(tracker(), Console(file=out, width=200, force_terminal=True))
    with display.shown():
        display.progress(said())
        display.progress(said())
    shown = out.getvalue()
    assert shown.count("req/s") >= 2
    assert "\x1b[2K" in shown.rpartition("req/s")[2]


def test_what_other_programs_use_is_what_is_left() -> None:
    """Of the machine's time less ours; never less than nothing."""
    before = Busy(at=10.0, machine_s=100.0, ours_s=1.0)
    after = Busy(at=20.0, machine_s=100.0, ours_s=1.0)
    assert after.elsewhere_since(before, 0.0) == 0.0
    cores = 1 / (replace(after, machine_s=101.0).elsewhere_since(before, 0.0) * 10)
    assert round(cores, 6) == round(cores)
    assert (
        replace(after, machine_s=104.0, ours_s=3.0).elsewhere_since(before, 1.0) * 10 * cores == 1
    )
    assert replace(after, machine_s=101.0).elsewhere_since(before, 5.0) == 0.0


def test_the_machines_time_only_grows() -> None:
    """And this process is part of it."""
    before = Busy.now()
    sum(i * i for i in range(300_000))
    after = Busy.now()
    assert after.ours_s > before.ours_s
    assert after.machine_s >= before.machine_s
