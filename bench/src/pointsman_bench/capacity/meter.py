"""What a server uses: CPU time and memory of a process with all its children."""

from __future__ import annotations

from contextlib import suppress

import psutil  # type: ignore[import-untyped]

from pointsman_bench.capacity.work import Memory, WorkError


class ServerMeter:
    """Reads a process tree's books.

    Children that come or go in between are counted as long as they are there: servers under
    test start their workers before they are asked anything.
    """

    def __init__(self, pid: int) -> None:
        try:
            self._process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            raise WorkError(f"there is no server process {pid}; it has ended") from None

    def cpu_s(self) -> float:
        """Seconds of CPU time so far, user and system."""
        total = 0.0
        for process in self._tree():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def memory(self) -> Memory:
        """What it holds now; ``uss`` and ``pss`` where this system tells them."""
        rss, uss, pss = 0, 0, 0
        told = True
        for process in self._tree():
            with suppress(psutil.NoSuchProcess):
                try:
                    full = process.memory_full_info()
                except psutil.AccessDenied:
                    rss += process.memory_info().rss
                    told = False
                    continue
                rss += full.rss
                uss += full.uss
                pss += getattr(full, "pss", 0)
        return Memory(rss, uss if told else None, (pss or None) if told else None)

    def _tree(self) -> list[psutil.Process]:
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.NoSuchProcess:
            raise WorkError("the server's process has ended in mid-measurement") from None
