"""Times are measured by length, on texts of that length."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
from pointsman_classifier import Classifier
from pointsman_classifier.training.prompts import Prompt
from pointsman_classifier.training.timing import measure_times


def test_every_length_has_its_median_and_its_tail(
    small_model: Path, some_prompts: Sequence[Prompt]
) -> None:
    texts = [prompt.text for prompt in some_prompts]
    times = measure_times(Classifier.load(small_model), texts, 3)
    assert {"512", "20,000", "200,000"} <= set(times)
    for held in times.values():
        assert 0 < held["p50_ms"] <= held["p99_ms"]


class Clock:
    """A reader that takes a millisecond for every thousand characters, and notes what it reads."""

    def __init__(self) -> None:
        self.now = 0.0
        self.read: list[str] = []

    def classify(self, text: str) -> object:
        self.read.append(text)
        self.now += len(text) / 1e6
        return type("Read", (), {"tokens": len(text.split())})()

    def perf_counter(self) -> float:
        return self.now


def test_times_are_the_clock_s_and_texts_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("time.perf_counter", clock.perf_counter)
    numbers = count()
    texts = [" ".join(f"w{next(numbers):05}" for _ in range(size)) for size in (16, 16, 64, 300)]
    times = measure_times(clock, texts, 4)  # type: ignore[arg-type]
    assert list(times) == ["16", "64", "512", "20,000", "200,000"]
    assert times["16"] == {"p50_ms": 0.111, "p99_ms": 0.111}
    assert times["20,000"]["p50_ms"] == pytest.approx(100.0)
    assert times["200,000"]["p99_ms"] == pytest.approx(1000.0)
    rounds = clock.read[len(texts) :]
    assert len(rounds) == 4 * 5
    # No length lives on one text: the caches would tell of nothing else.
    assert [rounds[at] for at in (0, 5, 10, 15)] == [texts[0], texts[1], texts[0], texts[1]]
    assert len({rounds[at] for at in (2, 7, 12, 17)}) == 4
