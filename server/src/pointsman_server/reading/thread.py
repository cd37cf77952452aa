"""A thread that reads one text after the other for an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

R = TypeVar("R")


class Reading(Generic[R]):
    """One text to read, and who waits for it. Belongs to the event loop that it was made on.

    ``whole`` is called there with the reading and its outcome, and delivers it. Whoever waits may
    leave without disturbing the others; what nobody waits for when its turn comes is not read.
    """

    __slots__ = ("loop", "started", "text", "waiting", "whole")

    def __init__(self, text: str, whole: Callable[[Reading[R], R | Exception], object]) -> None:
        self.text = text
        self.whole = whole
        self.loop = asyncio.get_running_loop()
        self.started = False
        self.waiting: list[asyncio.Future[R]] = []

    def join(self) -> asyncio.Future[R]:
        """Wait for it, with others. Who has joined must `leave`."""
        future: asyncio.Future[R] = self.loop.create_future()
        self.waiting.append(future)
        return future

    def leave(self, future: asyncio.Future[R]) -> None:
        """Wait no longer."""
        self.waiting.remove(future)
        if future.done() and not future.cancelled():
            future.exception()  # seen, also where a cancellation came in between

    def deliver(self, outcome: R | Exception) -> None:
        """Hand the outcome to all who wait."""
        for future in self.waiting:
            if future.done():  # it was cancelled a moment ago
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def cancel(self) -> None:
        """Send all away who wait."""
        for future in self.waiting:
            future.cancel()


class ReadingThread(Generic[R]):
    """Calls ``read`` with one text at a time, on a thread of its own that starts with the first.

    To hand over one text costs a queue's lock and one wake-up of the loop: less than half of what
    an executor's futures cost.
    """

    def __init__(self, read: Callable[[str], R], name: str) -> None:
        self._read = read
        self._queue: SimpleQueue[Reading[R] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._closed = False

    def submit(self, reading: Reading[R]) -> None:
        """Put a reading that somebody waits for in the line.

        Raises:
            RuntimeError: the thread was closed.
        """
        if self._closed:
            raise RuntimeError("the reader is closed")
        if self._thread.ident is None:
            self._thread.start()
        self._queue.put(reading)

    def close(self) -> None:
        """Read nothing more. Idempotent; does not wait for what is just being read."""
        self._closed = True
        self._queue.put(None)

    def _run(self) -> None:
        while (reading := self._queue.get()) is not None:
            if not reading.waiting:
                continue
            reading.started = True
            outcome: R | Exception
            try:
                outcome = self._read(reading.text)
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait
                outcome = error
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                reading.loop.call_soon_threadsafe(reading.whole, reading, outcome)
