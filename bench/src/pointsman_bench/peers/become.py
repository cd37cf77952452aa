"""`python -m pointsman_bench.peers.become CORES PARENT COMMAND…`: become COMMAND.

Pinned to the cores (none: anywhere), and ended by Linux where the parent ends, so that a killed
bench leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def become(cores: str, parent: int, command: Sequence[str]) -> None:
    """Turn this process into ``command``."""
    if cores:
        os.sched_setaffinity(0, [int(core) for core in cores.split(",")])
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before it could be told
            sys.exit(1)
    os.execvp(command[0], list(command))  # noqa: S606


if __name__ == "__main__":
    become(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
