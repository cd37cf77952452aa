"""Log lines are written from a thread, in order, and never stall whoever logs."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator

import pytest
from pointsman_server.telemetry import lines
from pointsman_server.telemetry.lines import LineWriter


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
