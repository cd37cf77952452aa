"""Whether a run's numbers may be used. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_bench.results import Check, Verdict

TIMER_S = 0.001
"""No lag below this counts: event loops' timers are no finer than a millisecond."""

BUSY, TOO_BUSY = 0.8, 0.95
"""Shares of a core from which a process gets a warning, and from which it is the bottleneck."""

DISTURBED = 0.1
"""The share of the machine's CPU from which other programs' work is worth a warning."""

FEW = 100
"""Below so many answers, high percentiles are a handful of requests."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How late the generator, or the simulator, may be at its 99th percentile.

    At most ``max_lag_s``, and at most ``max_share`` of the median time to the first token (but
    never less than `TIMER_S`): what is later would be a sizeable part of what is measured.
    """

    max_lag_s: float = 0.010
    max_share: float = 0.10

    def of(self, median_ttft_s: float | None) -> float:
        """The limit in seconds for a run with this median."""
        if median_ttft_s is None:
            return self.max_lag_s
        return min(self.max_lag_s, max(TIMER_S, self.max_share * median_ttft_s))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on. Times are seconds, ``None`` where nothing was measured."""

    due: int
    sent: int
    answered: int
    lag_p99_s: float | None
    median_ttft_s: float | None
    generator_busiest: float
    interrupted: bool = False
    lost_processes: int = 0
    not_sent_for_limit: int = 0
    simulator_late_p99_s: float | None = None
    simulator_busy: float | None = None
    processes_wanted: int = 1
    cores: int = 1
    elsewhere: float | None = None
    checks: Sequence[Check] = ()


def judge(evidence: Evidence, limits: Limits) -> Verdict:
    """Say whether the numbers may be used, and what to mind."""
    return Verdict(
        valid=not (reasons := tuple(_reasons(evidence, limits))),
        reasons=reasons,
        warnings=tuple(_warnings(evidence)),
    )


def _reasons(e: Evidence, limits: Limits) -> list[str]:
    limit = limits.of(e.median_ttft_s)
    lag = 0.0 if e.lag_p99_s is None else e.lag_p99_s
    reasons = []
    if e.sent == 0:
        reasons.append("nothing was measured: no request was due in the measured time")
    if lag > limit:
        reasons.append(
            f"the generator lagged: p99 {_ms(lag)} behind its schedule, limit {_ms(limit)}; lower "
            f"--rate, raise --processes or give it cores of its own"
        )
    if e.not_sent_for_limit:
        reasons.append(
            f"{e.not_sent_for_limit} requests were not sent, because --max-in-flight were under "
            f"way; the load was not open any more"
        )
    if e.lost_processes:
        reasons.append(
            f"{e.lost_processes} processes of the generator died or were not done in time: what "
            f"they measured is lost"
        )
    if e.sent < e.due and not e.interrupted and not e.lost_processes:
        reasons.append(f"only {e.sent} of {e.due} requests that were due were sent")
    late = e.simulator_late_p99_s
    if late is not None and late > limit:
        reasons.append(
            f"the simulated upstream was late itself: p99 {_ms(late)}, limit {_ms(limit)}; what it "
            f"could not keep up with would be blamed on the server"
        )
    reasons += [f"accounts differ: {c.name}: {c.detail}" for c in e.checks if not c.passed]
    return reasons


def _warnings(e: Evidence) -> list[str]:
    warnings = []
    if e.interrupted:
        warnings.append("interrupted: only what was due until then is counted")
    if 0 < e.answered < FEW:
        warnings.append(f"only {e.answered} answers: high percentiles mean little")
    if e.generator_busiest > BUSY:
        warnings.append(
            f"a process of the generator used {e.generator_busiest:.0%} of a core: it is near the "
            f"rate at which it saturates itself"
        )
    if e.simulator_busy is not None and e.simulator_busy > BUSY:
        warnings.append(f"the simulated upstream used {e.simulator_busy:.0%} of a core")
    if e.elsewhere is not None and e.elsewhere > DISTURBED:
        warnings.append(
            f"other programs used {e.elsewhere:.0%} of this machine meanwhile; run it alone"
        )
    if e.processes_wanted > e.cores:
        warnings.append(
            f"server, upstream and generator ({e.processes_wanted} processes) shared {e.cores} "
            f"cores: absolute numbers are of this machine under this load; trust comparisons"
        )
    return warnings


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"
