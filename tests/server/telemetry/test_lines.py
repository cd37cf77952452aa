"""Log lines are written from a thread, in order, and never stall whoever logs."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.telemetry import lines
from pointsman_server.telemetry.lines import LineWriter, grouped


class Slow(io.BytesIO):
    """A stream that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.writing, self.go = threading.Event(), threading.Event()

    def write(self, data: object) -> int:
        self.writing.set()
        assert self.go.wait(5)
        return super().write(data)  # type: ignore[arg-type]


class Full(io.BytesIO):
    """A disk that is full until it is not."""

    full = True

    def write(self, data: object) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]


@pytest.fixture
def stream() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def writer(stream: io.BytesIO) -> Iterator[LineWriter]:
    made = LineWriter(stream)
    yield made
    made.close()


def test_lines_come_out_whole_and_in_order(writer: LineWriter, stream: io.BytesIO) -> None:
    expected = [b"line %d" % i for i in range(1000)]
    for line in expected:
        writer.write(line)
    writer.close()
    assert stream.getvalue().splitlines() == expected


def test_lines_arrive_without_being_asked_for() -> None:
    read, write = os.pipe()
    with open(read, "rb") as reader, open(write, "wb") as stream:
        writer = LineWriter(stream, gather_s=0.0)
        writer.write(b"hello")
        assert reader.readline() == b"hello\n"
        writer.write(b"again")
        assert reader.readline() == b"again\n"
        writer.close()


def test_a_reader_who_stalls_costs_lines_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a stalled reader is bounded; what is dropped is counted."""
    monkeypatch.setattr(lines, "MAX_WAITING_BYTES", 100)
    stream = Slow()
    writer = LineWriter(stream, gather_s=0.0)
    writer.write(b"first")
    assert stream.writing.wait(5)
    for _ in range(50):
        writer.write(b"123456789")
    assert writer.dropped == 50 - 11
    stream.go.set()
    writer.close()
    assert stream.getvalue() == b"first\n" + 11 * b"123456789\n"


def test_a_full_disk_costs_its_lines_and_nothing_else() -> None:
    stream = Full()
    writer = LineWriter(stream)
    writer.write(b"lost")
    writer.flush()
    assert writer.dropped == 1
    stream.full = False
    writer.write(b"kept")
    writer.close()
    assert stream.getvalue() == b"kept\n"


def test_closing_twice_writes_once(writer: LineWriter, stream: io.BytesIO) -> None:
    writer.write(b"x")
    writer.close()
    writer.close()
    assert stream.getvalue() == b"x\n"


@given(st.lists(st.binary(max_size=40), max_size=40), st.integers(1, 100))
def test_groups_are_all_lines_in_order_and_as_large_as_may_be(
    written: list[bytes], most: int
) -> None:
    """A line that is too long is a group of its own; no two groups would fit into one."""
    groups = [list(group) for group in grouped(written, most)]
    assert [line for group in groups for line in group] == written
    sizes = [sum(len(line) + 1 for line in group) for group in groups]
    assert all(s <= most or len(g) == 1 for s, g in zip(sizes, groups, strict=True))
    assert all(groups)
    for size, following in zip(sizes, groups[1:], strict=False):
        assert size + len(following[0]) + 1 > most


def test_lines_of_several_processes_do_not_run_into_each_other() -> None:
    """Through one pipe, each process many lines at a time."""
    read, write = os.pipe()
    script = (
        "import sys; from pointsman_server.telemetry.lines import LineWriter\n"
        "w = LineWriter(sys.stderr.buffer, shared=True, gather_s=0.0)\n"
        "for i in range(4000): w.write(sys.argv[1].encode() * 300)\n"
    )
    command = [sys.executable, "-c", script]
    processes = [subprocess.Popen([*command, letter], stderr=write) for letter in "ab"]
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        seen = Counter(pipe)
    assert all(process.wait() == 0 for process in processes)
    assert seen == {b"a" * 300 + b"\n": 4000, b"b" * 300 + b"\n": 4000}
