"""Which request is due when, and what becomes of its client. Pure and seeded.

The whole run is laid down before it begins, the same for any number of processes: each of them
gets every n-th request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman_bench.load.arrivals import Arrival, RateProfile, Times, due_times
from pointsman_bench.load.trace import Trace
from pointsman_bench.scenarios.scenario import Cap, Leavers

STAYS = np.inf


@dataclass(frozen=True, slots=True)
class Schedule:
    """One entry a request, by rising ``due`` (seconds from the start of the warm-up).

    ``number`` tells requests apart over all processes, ``template`` says what is asked, ``arm``
    which side of an A/B it is on, ``leave_after`` when its client leaves (seconds after due).
    """

    due: Times
    number: NDArray[np.int64]
    template: NDArray[np.int32]
    arm: NDArray[np.int8]
    leave_after: Times

    def __len__(self) -> int:
        return len(self.due)

    def share(self, index: int, of: int) -> Schedule:
        """What the process number ``index`` of ``of`` sends."""
        every = slice(index, None, of)
        return Schedule(
            self.due[every],
            self.number[every],
            self.template[every],
            self.arm[every],
            self.leave_after[every],
        )

    def due_between(self, start_s: float, end_s: float) -> int:
        """How many requests are due from ``start_s`` to before ``end_s``."""
        return int(np.searchsorted(self.due, end_s) - np.searchsorted(self.due, start_s))


def drawn_schedule(
    arrival: Arrival,
    profile: RateProfile,
    length_s: float,
    *,
    prompts: int,
    caps: Sequence[Cap],
    arms: int,
    leavers: Leavers | None,
    seed: int,
) -> Schedule:
    """A schedule drawn at random. Template p · caps + c asks prompt p under cap c.

    Raises:
        UsageError: there is no such schedule.
    """
    rng = np.random.default_rng(seed)
    due = due_times(arrival, profile, length_s, rng)
    count = len(due)
    shares = np.array([cap.share for cap in caps], dtype=np.float64)
    prompt = rng.integers(0, prompts, count)
    cap = rng.choice(len(caps), count, p=shares / shares.sum())
    return Schedule(
        due=due,
        number=np.arange(count, dtype=np.int64),
        template=(prompt * len(caps) + cap).astype(np.int32),
        arm=balanced(count, arms, rng),
        leave_after=_leaving(count, leavers, rng),
    )


def trace_schedule(trace: Trace, speed: float, warm_up_s: float, arms: int, seed: int) -> Schedule:
    """The schedule that a trace lays down, ``speed`` times as fast; template i is its line i.

    What a trace asks first is measured too: its beginning is sent once before, as the warm-up.
    """
    at = np.array([line.at_s for line in trace.lines]) / speed
    warm = int(np.searchsorted(at, warm_up_s))
    due = np.concatenate([at[:warm], at + warm_up_s])
    template = np.concatenate([np.arange(warm), np.arange(len(at))]).astype(np.int32)
    leave = [STAYS if x.leave_after_s is None else x.leave_after_s for x in trace.lines]
    rng = np.random.default_rng(seed)
    return Schedule(
        due=due,
        number=np.arange(len(due), dtype=np.int64),
        template=template,
        arm=balanced(len(due), arms, rng),
        leave_after=np.array(leave)[template],
    )


def balanced(count: int, arms: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """An arm for each request: every ``arms`` successive ones have one of each, in random order.

    So both sides of an A/B meet the same moments of the same run.
    """
    blocks = -(-count // arms)
    orders = np.argsort(rng.random((blocks, arms)), axis=1)
    return orders.astype(np.int8).reshape(-1)[:count]


def _leaving(count: int, leavers: Leavers | None, rng: np.random.Generator) -> Times:
    leave = np.full(count, STAYS)
    if leavers is not None:
        leaving = rng.random(count) < leavers.share
        leave[leaving] = rng.uniform(0.0, leavers.within_s, int(leaving.sum()))
    return leave
