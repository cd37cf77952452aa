"""How many workers `auto` means."""

from __future__ import annotations

import math
import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(cpu_max: Path = CPU_MAX) -> int:
    """The cores that this process may use: by its affinity and by its control group's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    try:
        quota = quota_cores(cpu_max.read_text())
    except OSError:  # not Linux, or no control groups of version 2
        quota = None
    return cores if quota is None else min(cores, quota)


def quota_cores(cpu_max: str) -> int | None:
    """The cores that a quota is worth, rounded up; ``None`` where there is no quota.

    ``cpu_max`` is "$MAX $PERIOD" in microseconds, or "max $PERIOD" (Linux, cgroup-v2, cpu.max).
    """
    fields = cpu_max.split()
    try:
        quota, period = map(int, fields)
    except ValueError:
        return None
    return max(1, math.ceil(quota / period)) if quota > 0 and period > 0 else None
