"""Reading a result file for a report: bounded, and with errors that say how to mend it."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import msgspec

from pointsman_bench import results
from pointsman_bench.results import Arm, LoadResult, ResultFileError

MAX_BYTES = 256 * 1024 * 1024
MAX_ARMS = 8
MAX_SLICES = 20_000
"""Slices of one arm: more than five hours of seconds."""
MAX_TITLE = 2000
"""Characters of what becomes a title."""
MAX_MOMENTS = 200_000

_MEASURE_AGAIN = "measure again with `pointsman bench load`"


class _Head(msgspec.Struct):
    """What says of any version of the file which one it is."""

    format: str | None = None


def load(path: Path) -> LoadResult:
    """Read and check a result file; a folder stands for the result.json in it.

    Raises:
        ResultFileError: it is not there, too large, of another version, or damaged; the text says
            which, and how to mend it.
    """
    file = path / "result.json" if path.is_dir() else path
    _check_head(file)
    result = results.read(file)
    _check_whole(file, result)
    return result


def _check_head(file: Path) -> None:
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise ResultFileError(
                f"{file}: {size / 1e6:,.0f} MB, and a report reads at most {MAX_BYTES / 1e6:,.0f}; "
                "measure for a shorter time, or with longer slices"
            )
        head = msgspec.json.decode(file.read_bytes(), type=_Head)
    except OSError as error:
        raise ResultFileError(
            f"{file}: {error.strerror or error}; give the result.json that "
            "`pointsman bench load --out DIR` wrote"
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ResultFileError(
            f"{file}: it is damaged or no result file ({error}); {_MEASURE_AGAIN}"
        ) from None
    if head.format is None:
        raise ResultFileError(
            f"{file}: it does not say its format; give the result.json of `pointsman bench load`"
        )
    if head.format != results.FORMAT:
        shown = head.format[:60]
        raise ResultFileError(
            f"{file}: its format is {shown!r}, and this version reads {results.FORMAT!r}; "
            f"{_MEASURE_AGAIN}, or read it with the version that wrote it"
        )


def _check_whole(file: Path, result: LoadResult) -> None:
    """The bounds that types cannot say."""
    if not 1 <= len(result.arms) <= MAX_ARMS:
        raise _wrong(file, "arms", f"there are {len(result.arms)}, not 1 to {MAX_ARMS}")
    titles = [("run.scenario", result.run.scenario), ("run.description", result.run.description)]
    titles += [(f"arms[{number}].name", arm.name) for number, arm in enumerate(result.arms)]
    for field, text in titles:
        if len(text) > MAX_TITLE:
            raise _wrong(file, field, f"it is {len(text):,} characters long, not up to {MAX_TITLE}")
    if not (math.isfinite(result.run.measured_s) and result.run.measured_s >= 0):
        raise _wrong(file, "run.measured_s", f"it is {result.run.measured_s}, not a time")
    if len(result.moments) > MAX_MOMENTS:
        raise _wrong(file, "moments", f"there are {len(result.moments)}, not up to {MAX_MOMENTS}")
    for number, arm in enumerate(result.arms):
        _check_slices(file, f"arms[{number}].slices", arm)


def _check_slices(file: Path, where: str, arm: Arm) -> None:
    if len(arm.slices) > MAX_SLICES:
        raise _wrong(file, where, f"there are {len(arm.slices)}, not up to {MAX_SLICES}")
    for one in arm.slices:
        if not (math.isfinite(one.start_s) and math.isfinite(one.length_s) and one.length_s > 0):
            raise _wrong(file, where, f"one starts at {one.start_s} s and is {one.length_s} s long")
    if any(b.start_s <= a.start_s for a, b in pairwise(arm.slices)):
        raise _wrong(file, where, "they are not in order of time")


def _wrong(file: Path, field: str, what: str) -> ResultFileError:
    return ResultFileError(f"{file}: {field}: {what}; the file is damaged: {_MEASURE_AGAIN}")
