"""The command that repeats a run's load."""

from __future__ import annotations

import shlex
from dataclasses import replace

from load_results import Side, result
from pointsman_bench.report.reproduce import command


def test_a_command_has_everything_that_the_load_depends_on() -> None:
    """Pasted into a shell, it sends the same requests at the same times."""
    made = command(result(Side("off"), Side("on"), seconds=3, rate=2.5))
    assert made == (
        "pointsman bench load --scenario mixed --rate 5 --arrival poisson --seed 7 --warm-up 5s "
        "--duration 3s --slice 1s --slo ttft=500ms --ab hedging"
    )


def test_a_command_is_safe_to_paste() -> None:
    """A scenario's name may be a path with anything in it; an address is left to fill in."""
    one = result(seconds=3, rate=2)
    run = replace(one.run, scenario="trace:a b; rm -rf ~", target="running server", objectives=())
    words = shlex.split(command(replace(one, run=run)))
    assert words[4] == "trace:a b; rm -rf ~"
    assert words[-2:] == ["--target", "HOST:PORT"]
    assert "--slo" not in words
