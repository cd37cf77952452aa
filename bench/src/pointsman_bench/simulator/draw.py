"""What becomes of one call, drawn from its model's behaviour. No I/O, no clock."""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_bench.simulator.behaviour import (
    MAX_TOKENS,
    Change,
    Faults,
    Lognormal,
    ModelBehaviour,
)


@dataclass(frozen=True, slots=True)
class CallPlan:
    """How one call goes. Times are seconds from its arrival; token counts are of output.

    ``status`` other than 200 answers with an error after ``first_token_s``; ``silent`` never
    answers, ``reset`` breaks the connection at once. ``cut_after`` and ``stall_after`` are the
    tokens after which the connection is closed, or nothing more is sent.
    """

    status: int = 200
    retry_after_s: float | None = None
    silent: bool = False
    reset: bool = False
    first_token_s: float = 0.0
    gap_s: float = 0.0
    gap_sigma: float = 0.0
    tokens: int = 1
    full: bool = True
    cut_after: int | None = None
    stall_after: int | None = None


def draw(
    model: ModelBehaviour,
    changes: Sequence[Change],
    now_s: float,
    key: bytes,
    max_tokens: int | None,
    rng: random.Random,
) -> CallPlan:
    """Draw the course of a call.

    Args:
        model: how the model behaves when nothing happens.
        changes: what may happen.
        now_s: the run's clock, for ``changes``.
        key: what the request asks; equal keys share the slowness that lies in the request.
        max_tokens: the caller's bound on output.
        rng: where chance comes from.
    """
    slow = 1.0
    for change in changes:
        if model.name in change.models and change.start_s <= now_s < change.end_s:
            match change.mishap:
                case "down":
                    return CallPlan(status=503, first_token_s=model.faults.error_after_s)
                case "reset":
                    return CallPlan(reset=True)
                case "hang":
                    return CallPlan(silent=True)
                case "slow":
                    slow *= change.factor
    status = _refusal(model.faults, rng)
    if status != 200:
        wait = model.faults.retry_after_s if status == 429 else None
        return CallPlan(status, wait, first_token_s=model.faults.error_after_s)
    wanted = max(1, round(_sample(model.tokens, rng)))
    tokens = min(wanted, MAX_TOKENS if max_tokens is None else max(1, max_tokens))
    cut, stall = _breakage(model.faults, tokens, rng)
    first = _sample(model.first_token, rng) * slow
    return CallPlan(
        first_token_s=first * (model.tail.factor if _in_tail(model, key, rng) else 1.0),
        gap_s=model.gap.median * slow,
        gap_sigma=model.gap.sigma,
        tokens=tokens,
        full=wanted <= tokens,
        cut_after=cut,
        stall_after=stall,
    )


def next_gap(plan: CallPlan, rng: random.Random) -> float:
    """Seconds until the next token."""
    return plan.gap_s * math.exp(plan.gap_sigma * rng.gauss(0, 1)) if plan.gap_sigma else plan.gap_s


def _sample(of: Lognormal, rng: random.Random) -> float:
    return of.median * math.exp(of.sigma * rng.gauss(0, 1)) if of.sigma else of.median


def _refusal(faults: Faults, rng: random.Random) -> int:
    at = rng.random()
    for share, status in (
        (faults.rate_limited, 429),
        (faults.server_error, 500),
        (faults.overloaded, 529),
    ):
        if at < share:
            return status
        at -= share
    return 200


def _breakage(faults: Faults, tokens: int, rng: random.Random) -> tuple[int | None, int | None]:
    """After how many tokens the answer is cut, or stalls; both are of calls not refused."""
    left = 1 - faults.rate_limited - faults.server_error - faults.overloaded
    if not (faults.cut or faults.stall) or left <= 0:
        return None, None
    at, after = rng.random() * left, rng.randint(1, max(1, tokens - 1))
    if at < faults.cut:
        return after, None
    return None, after if at < faults.cut + faults.stall else None


def _in_tail(model: ModelBehaviour, key: bytes, rng: random.Random) -> bool:
    """Whether the call is one of the slow ones, by the request's own lot or by the call's.

    A request is slow everywhere with probability a = shared · share; each call on its own with
    b = (share − a) / (1 − a), so that calls are slow with probability a + (1 − a) · b = share.
    """
    tail = model.tail
    if not tail.share:
        return False
    everywhere = tail.shared * tail.share
    if everywhere and zlib.crc32(key) / 2**32 < everywhere:
        return True
    return everywhere < 1 and rng.random() < (tail.share - everywhere) / (1 - everywhere)
