"""Where log lines go: a thread writes them, so that a slow disk or reader stalls no request."""

from __future__ import annotations

import atexit
import select
import time
from collections.abc import Iterator, Sequence
from threading import Event, Lock, Thread
from typing import BinaryIO

MAX_WAITING_BYTES = 8 << 20
"""What may wait for a reader that is slower than we log; lines past it are dropped and counted."""

_GATHER_S = 0.05


class LineWriter:
    """Writes lines to ``stream`` from a thread of its own, many at a time.

    A line is on its way within about 50 ms, or at once where `flush` is called. A stream that
    cannot be written to loses its lines; ``dropped`` counts those, and those that found no room.
    Of a stream that is ``shared`` with other processes no more is written at once than a pipe takes
    whole, so that their lines and ours do not run into each other; a line that is longer can.
    """

    def __init__(
        self, stream: BinaryIO, *, gather_s: float = _GATHER_S, shared: bool = False
    ) -> None:
        self.dropped = 0
        self._most = select.PIPE_BUF if shared else MAX_WAITING_BYTES
        self._stream = stream
        self._gather_s = gather_s
        self._lock = Lock()
        self._lines: list[bytes] = []
        self._waiting = 0
        self._writing = Lock()
        self._news = Event()
        self._closed = False
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(self, line: bytes) -> None:
        """Take a line, without its end; never blocks on the stream."""
        with self._lock:
            if self._waiting > MAX_WAITING_BYTES:
                self.dropped += 1
                return
            self._lines.append(line)
            self._waiting += len(line) + 1
        if not self._news.is_set():
            self._news.set()

    def flush(self) -> None:
        """Write everything that waits, now."""
        with self._writing:
            with self._lock:
                lines, self._lines, self._waiting = self._lines, [], 0
            for group in grouped(lines, self._most):
                try:
                    self._stream.write(b"\n".join(group) + b"\n")
                    self._stream.flush()
                except (OSError, ValueError):  # full, closed at the other end, or closed by us
                    self.dropped += len(group)

    def close(self) -> None:
        """Write what waits and end the thread. Idempotent."""
        atexit.unregister(self.close)
        self._closed = True
        self._news.set()
        self._thread.join(timeout=1.0)
        self.flush()

    def _run(self) -> None:
        while not self._closed:
            self._news.wait()
            if not self._closed:
                time.sleep(self._gather_s)
            self._news.clear()
            self.flush()


def grouped(lines: Sequence[bytes], most: int) -> Iterator[Sequence[bytes]]:
    """The lines in order, in groups of at most ``most`` bytes with their ends; a longer one alone.

    No group is empty.
    """
    start = size = 0
    for at, line in enumerate(lines):
        if at > start and size + len(line) + 1 > most:
            yield lines[start:at]
            start, size = at, 0
        size += len(line) + 1
    if lines:
        yield lines[start:]
