"""SIGHUP means two things: load the configuration anew, or that the terminal is gone."""

from __future__ import annotations

import os
import signal


class Terminal:
    """The terminal that the process was started on, if any. Make it before handling SIGHUP."""

    def __init__(self) -> None:
        # nohup has it ignored: then even the terminal's end is no reason to stop
        self._matters = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _is_there()

    def is_gone(self) -> bool:
        """Whether there was a terminal and is none any more."""
        return self._matters and not _is_there()


def _is_there() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
