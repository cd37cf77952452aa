"""How many workers `auto` means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pointsman_server.supervisor.cores import quota_cores, usable_cores


@pytest.mark.parametrize(
    ("cpu_max", "cores"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2),
        ("250000 100000\n", 3),
        ("50000 100000\n", 1),
        ("0 100000\n", None),
        ("", None),
        ("what is this", None),
    ],
)
def test_a_quota_is_worth_so_many_cores(cpu_max: str, cores: int | None) -> None:
    """Rounded up, and none where there is none."""
    assert quota_cores(cpu_max) == cores


def test_the_quota_lowers_the_number_of_cores(tmp_path: Path) -> None:
    """A container that may use one core of many has one."""
    cpu_max = tmp_path / "cpu.max"
    affinity = len(os.sched_getaffinity(0))
    assert usable_cores(cpu_max) == affinity  # there is no such file
    cpu_max.write_text("100000 100000\n")
    assert usable_cores(cpu_max) == 1
    cpu_max.write_text(f"{(affinity + 3) * 100000} 100000\n")
    assert usable_cores(cpu_max) == affinity
