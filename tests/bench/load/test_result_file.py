"""The result file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from pointsman_bench.load.activity import Activity
from pointsman_bench.load.assemble import Surroundings, assemble
from pointsman_bench.load.options import LoadOptions, Prepared, prepare
from pointsman_bench.load.processes import Generated
from pointsman_bench.load.reading import OK, Reading
from pointsman_bench.load.summary import summarise
from pointsman_bench.load.tally import WARM_UP
from pointsman_bench.results import (
    FORMAT,
    LAG,
    TTFT,
    Counts,
    LoadResult,
    Machine,
    ResultFileError,
    encode,
    histogram,
    new_histogram,
    read,
    recorded,
    write,
)
from pointsman_bench.scenarios.table import SLOW_TAIL

MACHINE = Machine("cpu", 2, 1, "system", "3.11")
AROUND = Surroundings(MACHINE, {"grpcio": "1"}, "own server and simulator", "2026-01-01T00:00:00")


def prepared() -> Prepared:
    return prepare(LoadOptions(SLOW_TAIL, rate=10.0, duration_s=3.0, warm_up_s=1.0, ab=True))


def generated(laid_down: Prepared, until_s: float = 99.0) -> Generated:
    """Every request that is due before ``until_s`` was answered, in the time that its arm takes."""
    found = Generated(cpu_s=0.3, busy=0.1, busiest=0.1, activity=Activity(1.0))
    schedule, slicing = laid_down.schedule, laid_down.plan("t").slicing
    for i in range(len(schedule)):
        due, arm = float(schedule.due[i]), int(schedule.arm[i])
        if due >= until_s:
            break
        slice_ = slicing.slice_of(due)
        found.tallies.sent(arm, slice_, 0.001)
        reading = Reading(due, due)
        reading.first_text = reading.last_text = due + 0.1 * (2 - arm)
        reading.end(reading.first_text, OK)
        found.tallies.ended(
            reading, arm=arm, slice_=slice_, kind="k", cap=None, objectives=(), start=1.0
        )
    return found


def result() -> LoadResult:
    laid_down = prepared()
    return assemble(laid_down, generated(laid_down), AROUND)


def test_a_result_reads_as_it_was_written(tmp_path: Path) -> None:
    """All of it; and no half file is left beside it."""
    made = result()
    write(made, tmp_path / "result.json")
    assert read(tmp_path / "result.json") == made
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_an_arm_is_the_sum_of_its_slices() -> None:
    """Counts and histograms alike."""
    for arm in result().arms:
        counts, library = Counts(), new_histogram()
        for each in arm.slices:
            counts.add(each.counts)
            if TTFT in each.histograms:
                library.add(histogram(each.histograms[TTFT]))
        assert counts == arm.counts
        assert recorded(library.encode().decode()) == recorded(arm.histograms[TTFT])
        assert [each.start_s for each in arm.slices] == [0.0, 1.0, 2.0]


def test_the_warm_up_is_counted_only_in_the_whole_run() -> None:
    """It is no part of any arm."""
    laid_down = prepared()
    made = assemble(laid_down, generated(laid_down), AROUND)
    measured = sum(arm.counts.sent for arm in made.arms)
    assert measured == laid_down.schedule.due_between(1.0, 4.0)
    assert made.whole_run.sent == len(laid_down.schedule)
    assert made.generator.sent_in_warm_up == len(laid_down.schedule) - measured
    assert measured == histogram(made.generator.lag).get_total_count()


def test_each_arm_has_its_own_latencies() -> None:
    """The first is the baseline."""
    off, on = summarise(result()).arms
    assert (off.name, on.name) == ("hedging off", "hedging on")
    assert off.latencies[TTFT].p50_ms == pytest.approx(200, rel=1e-3)
    assert on.latencies[TTFT].p50_ms == pytest.approx(100, rel=1e-3)


def test_a_run_that_ended_early_says_what_was_measured() -> None:
    """Its last slice is shorter, and it is valid: what was due until then was sent."""
    laid_down = prepared()
    early = generated(laid_down, until_s=2.5)
    early.ended_early_s = 2.5
    made = assemble(laid_down, early, AROUND)
    assert made.run.interrupted
    assert made.run.measured_s == pytest.approx(1.5)
    assert [each.length_s for each in made.arms[0].slices] == pytest.approx([1.0, 0.5])
    assert made.verdict.valid
    assert any("interrupted" in warning for warning in made.verdict.warnings)


def test_a_run_that_ended_in_its_warm_up_measured_nothing() -> None:
    """And says so instead of failing."""
    laid_down = prepared()
    early = generated(laid_down, until_s=0.5)
    early.ended_early_s = 0.5
    made = assemble(laid_down, early, AROUND)
    assert made.run.measured_s == 0.0
    assert not made.verdict.valid
    assert "nothing was measured" in made.verdict.reasons[0]
    summarise(made)


def test_requests_that_were_not_sent_are_missed() -> None:
    """A generator that lost some must not pass."""
    laid_down = prepared()
    some = generated(laid_down)
    for (_, slice_), tally in some.tallies.by_slice.items():
        if slice_ != WARM_UP and tally.counts.sent:
            tally.counts.sent -= 1
            tally.counts.answered -= 1
            break
    made = assemble(laid_down, some, AROUND)
    assert any("that were due were sent" in reason for reason in made.verdict.reasons)


def test_the_saturation_of_the_generator_is_estimated_from_its_cpu() -> None:
    """At a tenth of a core for this rate, it would take ten times the rate."""
    laid_down = prepared()
    made = assemble(laid_down, generated(laid_down), AROUND)
    rate = sum(arm.counts.sent for arm in made.arms) / 3.0
    assert made.generator.saturates_at == pytest.approx(rate * 10, rel=0.01)
    idle = generated(laid_down)
    idle.busy = 0.001
    assert assemble(laid_down, idle, AROUND).generator.saturates_at is None


def test_every_request_has_a_lag() -> None:
    """In its arm too."""
    for arm in result().arms:
        assert histogram(arm.histograms[LAG]).get_total_count() == arm.counts.sent


def test_fields_of_a_later_version_are_ignored(tmp_path: Path) -> None:
    """A file is read by those who know less."""
    path = tmp_path / "r.json"
    raw = msgspec.json.decode(encode(result()))
    raw["of_tomorrow"] = raw["run"]["of_tomorrow"] = 1
    path.write_bytes(msgspec.json.encode(raw))
    assert read(path) == result()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "truncated"),
        (b"{}", "missing required field"),
        (b'"text"', "object"),
        (encode(result()).replace(FORMAT.encode(), b"other/9"), "its format is 'other/9'"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """With the file's name and what to give instead."""
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(ResultFileError, match=says) as caught:
        read(path)
    assert "r.json" in str(caught.value)
    assert "bench load --out" in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """As such."""
    with pytest.raises(ResultFileError, match="No such file"):
        read(tmp_path / "r.json")
