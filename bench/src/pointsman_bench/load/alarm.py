"""Waking when a request is due, more exactly than an event loop's timers.

These count in milliseconds, which is as much as a fast server takes to answer. Linux has timers
that are files and so wake a loop to some tens of microseconds (timerfd_create(2)); elsewhere the
loop's own have to do.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from types import TracebackType

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_NANOS = 1_000_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanos", ctypes.c_long))


class _Timer(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Wakes one task at a time. Is made while the loop runs, and closed (or used in `with`)."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._woken: asyncio.Future[None] | None = None
        self._libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
        self._file = -1
        if self._libc is not None:
            flags = os.O_NONBLOCK | os.O_CLOEXEC
            self._file = self._libc.timerfd_create(_CLOCK_MONOTONIC, flags)
        if self._file >= 0:
            self._loop.add_reader(self._file, self._wake)

    @property
    def exact(self) -> bool:
        """Whether it wakes more exactly than the loop's timers."""
        return self._file >= 0

    async def until(self, at: float) -> None:
        """Return at ``at`` (`time.monotonic`) or a little later; at once where that has passed."""
        while (wait := at - time.monotonic()) > 0:
            if not self.exact:
                await asyncio.sleep(wait)
                continue
            self._woken = self._loop.create_future()
            self._set(at)
            await self._woken

    def _set(self, at: float) -> None:
        seconds, nanos = divmod(round(at * _NANOS), _NANOS)
        timer = _Timer(_Timespec(0, 0), _Timespec(seconds, nanos))
        if self._libc is None or self._libc.timerfd_settime(
            self._file, _ABSOLUTE, ctypes.byref(timer), None
        ):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def _wake(self) -> None:
        try:
            os.read(self._file, 8)  # how often it has gone off
        except BlockingIOError:  # it was set anew in the meantime
            return
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def close(self) -> None:
        """Close the file. Idempotent."""
        file, self._file = self._file, -1
        if file >= 0:
            self._loop.remove_reader(file)
            os.close(file)

    def __enter__(self) -> Alarm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
