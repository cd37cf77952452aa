"""The command that repeats a run's load."""

from __future__ import annotations

import shlex

from pointsman_bench.results import LoadResult

RUNNING = "running server"
"""The target of a run that started no server of its own."""


def command(result: LoadResult) -> str:
    """`pointsman bench load` with what the result says of its load, to be pasted into a shell.

    The address of a running server is not in a result, so it is left to fill in.
    """
    run = result.run
    words = ["pointsman", "bench", "load", "--scenario", run.scenario]
    words += ["--rate", f"{run.rate:g}", "--arrival", run.arrival, "--seed", str(run.seed)]
    words += ["--warm-up", _time(run.warm_up_s), "--duration", _time(run.duration_s)]
    words += ["--slice", _time(run.slice_s)]
    if run.objectives:
        limits = (f"{one.metric}={_time(one.limit_s)}" for one in run.objectives)
        words += ["--slo", ",".join(limits)]
    if len(result.arms) > 1:
        words += ["--ab", "hedging"]  # the only A/B there is
    if run.target == RUNNING:
        words += ["--target", "HOST:PORT"]
    return shlex.join(words)


def _time(seconds: float) -> str:
    """A time as the command line reads it."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:g}ms"
    return f"{seconds:g}s"
