from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.providers.local.wheel_source import PipProgress


def test_other_lines_say_nothing() -> None:
    reader = PipProgress()
    for line in ("Collecting llm==1", "Progress", "Progress 1 of", " Downloading x (92.9 MB)", ""):
        assert reader.feed(line) is None


def test_each_file_counts_from_zero() -> None:
    reader = PipProgress()
    lines = ["Progress 0 of 10", "Progress 10 of 10", "Progress 0 of 5", "Progress 5 of 5\r"]

    assert [reader.feed(line) for line in lines] == [0, 10, 10, 15]


@given(st.lists(st.lists(st.integers(0, 10**10), min_size=1, max_size=5), max_size=8))
def test_progress_never_goes_back(files: list[list[int]]) -> None:
    reader = PipProgress()
    told = [
        reader.feed(f"Progress {done} of {max(file)}") for file in files for done in sorted(file)
    ]
    seen = [done for done in told if done is not None]

    assert len(seen) == len(told)
    assert seen == sorted(seen)
    assert not seen or seen[-1] <= sum(max(file) for file in files)
