"""The machine that a run is made on, and what else it is doing."""

from __future__ import annotations

import platform
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from pointsman_bench.load.options import Pins
from pointsman_bench.results import Machine

_PACKAGES = ("pointsman-bench", "pointsman-server", "pointsman-protos", "grpcio", "protobuf")


@dataclass(frozen=True, slots=True)
class Busy:
    """CPU seconds so far: of the whole machine, and of this process and its ended children."""

    at: float
    machine_s: float
    ours_s: float

    @classmethod
    def now(cls) -> Busy:
        """As it stands."""
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # guests' time is counted in their users' already
        counted = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        used = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        ours = sum(each.ru_utime + each.ru_stime for each in used)
        return cls(time.monotonic(), counted - idle, ours)

    def elsewhere_since(self, earlier: Busy, others_of_ours_s: float) -> float:
        """The share of the machine that programs other than ours used since ``earlier``.

        ``others_of_ours_s`` is CPU time of ours that `ours_s` has not: of children that still run.
        """
        ours = self.ours_s - earlier.ours_s + others_of_ours_s
        elsewhere = self.machine_s - earlier.machine_s - ours
        whole = (self.at - earlier.at) * (psutil.cpu_count() or 1)
        return min(1.0, max(0.0, elsewhere / whole)) if whole > 0 else 0.0


def machine(cores: Sequence[int], pinned: Pins, elsewhere: float | None) -> Machine:
    """The machine, for the result."""
    return Machine(
        cpu=_cpu_name(),
        cores=len(cores),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        server_cores=pinned.server,
        simulator_cores=pinned.simulator,
        generator_cores=pinned.generator,
        elsewhere=None if elsewhere is None else round(elsewhere, 4),
    )


def versions() -> dict[str, str]:
    """The versions of what matters, where it is installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # a running server needs none here
            continue
    return found


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
