"""Reading result files that may be anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from load_results import result
from pointsman_bench import results
from pointsman_bench.report import loading
from pointsman_bench.report.loading import load
from pointsman_bench.results import LoadResult, ResultFileError


@pytest.fixture(scope="module")
def whole() -> LoadResult:
    return result(seconds=5, rate=5)


def test_a_file_is_read_as_it_was_written(tmp_path: Path, whole: LoadResult) -> None:
    """Also by its folder, as `bench load --out` makes it."""
    results.write(whole, tmp_path / "result.json")
    assert load(tmp_path / "result.json").run == whole.run
    assert load(tmp_path).arms[0].counts == whole.arms[0].counts


def test_a_file_that_is_not_there_says_what_to_give(tmp_path: Path) -> None:
    """The mistake is mostly in the path."""
    with pytest.raises(ResultFileError, match=r"gone.json: No such file.*result.json that"):
        load(tmp_path / "gone.json")


def test_another_version_is_named(tmp_path: Path, whole: LoadResult) -> None:
    """Not the first field that happens to be missing, but the version, and what to do about it."""
    file = tmp_path / "old.json"
    file.write_bytes(msgspec.json.encode({"format": "pointsman-bench-load/0", "other": 1}))
    with pytest.raises(ResultFileError, match=r"format is 'pointsman-bench-load/0'.*reads.*again"):
        load(file)
    results.write(replace(whole, format="pointsman-bench-load/99"), file)
    with pytest.raises(ResultFileError, match="version that wrote it"):
        load(file)


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe", b'{"format": 3}', b"null"])
def test_what_is_no_result_says_so(tmp_path: Path, content: bytes) -> None:
    """Damaged, cut off, or something else altogether."""
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(ResultFileError, match=r"damaged or no result file.*measure again"):
        load(file)


def test_json_of_something_else_says_what_to_give(tmp_path: Path) -> None:
    """Any JSON object that does not say its format."""
    file = tmp_path / "x.json"
    file.write_bytes(b'{"hello": 1}')
    with pytest.raises(ResultFileError, match="does not say its format"):
        load(file)


def test_a_file_too_large_is_not_even_read(
    tmp_path: Path, whole: LoadResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded by the file's size."""
    results.write(whole, tmp_path / "result.json")
    monkeypatch.setattr(loading, "MAX_BYTES", 1000)
    with pytest.raises(ResultFileError, match="at most 0; measure for a shorter time"):
        load(tmp_path)


def test_bounds_that_types_cannot_say_are_checked(tmp_path: Path, whole: LoadResult) -> None:
    """No arms, too many, slices that run backwards or last no time."""
    arm = whole.arms[0]
    flat = (replace(arm.slices[0], length_s=0.0),)
    wrong = {
        r"arms: there are 0": replace(whole, arms=()),
        r"arms: there are 9": replace(whole, arms=(arm,) * 9),
        r"arms\[0\].slices: they are not in order": replace(
            whole, arms=(replace(arm, slices=arm.slices[::-1]),)
        ),
        r"arms\[0\].slices: one starts": replace(whole, arms=(replace(arm, slices=flat),)),
        r"run.scenario: it is 3,000 characters": replace(
            whole, run=replace(whole.run, scenario="x" * 3000)
        ),
        r"arms\[0\].name": replace(whole, arms=(replace(arm, name="x" * 3000),)),
        r"run.measured_s": replace(whole, run=replace(whole.run, measured_s=-1.0)),
    }
    for message, bad in wrong.items():
        results.write(bad, tmp_path / "result.json")
        with pytest.raises(ResultFileError, match=f"{message}.*damaged"):
            load(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.data())
def test_a_file_cut_anywhere_is_a_typed_error(
    tmp_path: Path, whole: LoadResult, data: st.DataObject
) -> None:
    """A disk that ran full leaves a file that is told to be damaged."""
    content = results.encode(whole)
    cut = data.draw(st.integers(0, len(content) - 3))
    (tmp_path / "result.json").write_bytes(content[:cut])
    with pytest.raises(ResultFileError):
        load(tmp_path)
