"""Results of `bench load` that nobody had to measure: whole, seeded, with known distributions."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pointsman_bench import results
from pointsman_bench.results import (
    Arm,
    Check,
    Counts,
    Generator,
    LoadResult,
    Machine,
    ModelBooks,
    Moment,
    Objective,
    Phase,
    ProviderBooks,
    Run,
    ServerBooks,
    Slice,
    SlowRequest,
    Verdict,
)

Floats = NDArray[np.float64]
MODELS = ("open/small-8b", "vendor/medium", "vendor/strongest")


def encoded(seconds: Floats | list[float]) -> str:
    """A histogram of times in seconds, as the result file has it."""
    histogram = results.new_histogram()
    for value, count in Counter(round(s * 1e6) for s in seconds).items():
        histogram.record_value(value, count)
    return bytes(histogram.encode()).decode()


@dataclass(frozen=True)
class Side:
    """How one arm behaves. Times are seconds; ``wobble`` is how far whole slices drift."""

    name: str = "main"
    ttft_median: float = 0.12
    spread: float = 0.35
    slow_share: float = 0.02
    slow_factor: float = 8.0
    hedged: bool = True
    failing: float = 0.004
    wobble: float = 0.06


@dataclass
class _Sums:
    """Counts that are added up, and samples."""

    numbers: Counter[str] = field(default_factory=Counter)
    mixes: dict[str, Counter[str]] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)

    def add(self, other: _Sums) -> None:
        self.numbers.update(other.numbers)
        for name, mix in other.mixes.items():
            self.mixes.setdefault(name, Counter()).update(mix)
        for name, values in other.samples.items():
            self.samples.setdefault(name, []).extend(values)

    def counts(self) -> Counts:
        return Counts(**self.numbers, **self.mixes)  # type: ignore[arg-type]

    def histograms(self) -> dict[str, str]:
        return {name: encoded(values) for name, values in self.samples.items() if values}


def arm(side: Side, *, seconds: int, rate: float, seed: int, outage: bool = False) -> Arm:
    """One arm with a slice a second; an outage in the third fifth of the time on request."""
    random = np.random.default_rng(seed)
    whole, slices, drift = _Sums(), [], 0.0
    for second in range(seconds):
        drift = 0.7 * drift + side.wobble * random.standard_normal()
        trouble = outage and 2 * seconds <= 5 * second < 3 * seconds
        sums = _slice(side, random, int(random.poisson(rate)), math.exp(drift), trouble)
        whole.add(sums)
        slices.append(Slice(float(second), 1.0, sums.counts(), sums.histograms()))
    slowest = tuple(
        SlowRequest(f"dec-{n:04x}", 1.7 * n, 2.0 - n / 9, 4.0 - n / 5, MODELS[n % 3], 2, "OK")
        for n in range(5)
    )
    return Arm(side.name, rate, whole.counts(), whole.histograms(), tuple(slices), slowest)


def _slice(side: Side, random: np.random.Generator, sent: int, drift: float, bad: bool) -> _Sums:
    sums = _Sums()
    failed = int(random.binomial(sent, min(1.0, side.failing * (30 if bad else 1))))
    answered = sent - failed
    ttft = side.ttft_median * drift * np.exp(side.spread * random.standard_normal(answered))
    slow = random.random(answered) < side.slow_share * (6 if bad else 1)
    hedged = int(slow.sum()) if side.hedged else 0
    ttft = np.where(slow, ttft * (2.2 if side.hedged else side.slow_factor), ttft)
    tokens = random.integers(20, 200, answered)
    tpot = 0.012 * drift * np.exp(0.15 * random.standard_normal(answered))
    models = random.choice(3, answered, p=[0.62, 0.27, 0.11])
    price = np.array([120, 900, 6000])
    lost = hedged * 40_000
    sums.numbers.update(
        sent=sent,
        answered=answered,
        failed=failed,
        cut=failed // 3,
        good=int((ttft < 0.5).sum()),
        hedged=hedged,
        hedge_wins=hedged - hedged // 3,
        attempts=sent + hedged,
        output_tokens=int(tokens.sum()),
        input_tokens=answered * 60,
        messages=answered * 30,
        cost=int((tokens * price[models]).sum()) + lost,
        baseline_cost=int(tokens.sum() * price[2]),
        lost_hedge_cost=lost,
    )
    sums.mixes = {
        "statuses": Counter(OK=answered, UNAVAILABLE=failed - failed // 3, ABORTED=failed // 3),
        "reasons": Counter(ALL_MODELS_FAILED=failed - failed // 3, STREAM_BROKEN=failed // 3),
        "models": Counter(MODELS[m] for m in models),
        "kinds": Counter(chat=answered // 2, code=answered - answered // 2, broken=failed),
        "attempt_reasons": Counter(PRIMARY=sent, HEDGE=hedged),
        "attempt_outcomes": Counter(SUCCEEDED=answered, LOST_RACE=hedged, FAILED=failed),
    }
    sums.samples = {
        results.TTFT: ttft.tolist(),
        results.GAP: (0.021 * np.exp(0.5 * random.standard_normal(answered * 3))).tolist(),
        results.TPOT: tpot.tolist(),
        results.E2E: (ttft + tokens * tpot).tolist(),
        results.FAILURE: (0.4 * np.exp(random.standard_normal(failed))).tolist(),
        results.LAG: (0.0002 * np.exp(0.6 * random.standard_normal(sent))).tolist(),
        results.OVERHEAD: (0.0011 * np.exp(0.3 * random.standard_normal(sent))).tolist(),
    }
    return sums


def result(
    *sides: Side,
    seconds: int = 30,
    rate: float = 40.0,
    seed: int = 7,
    outage: bool = False,
    verdict: Verdict | None = None,
) -> LoadResult:
    """A whole run of ``sides`` (one, or two for an A/B)."""
    arms = tuple(
        arm(side, seconds=seconds, rate=rate, seed=seed + n, outage=outage)
        for n, side in enumerate(sides or (Side(),))
    )
    sent = sum(one.counts.sent for one in arms)
    phases = (Phase("outage of vendor", seconds * 0.4, seconds * 0.6),) if outage else ()
    return LoadResult(
        run=Run(
            scenario="mixed",
            description="Chat and code of mixed lengths, as a small team would send.",
            arrival="poisson",
            rate=rate * len(arms),
            seed=seed,
            warm_up_s=5.0,
            duration_s=float(seconds),
            measured_s=float(seconds),
            slice_s=1.0,
            interrupted=False,
            started_at="2026-11-20T10:00:00Z",
            target="own server and simulator",
            objectives=(Objective(results.TTFT, 0.5),),
            phases=phases,
            notes=("The simulator answers with random words of the lengths drawn.",),
        ),
        machine=Machine("Example CPU 3000", 2, 8 << 30, "Linux 6.1", "3.11.2", (0,), (1,), (1,)),
        verdict=verdict or Verdict(valid=True),
        generator=Generator(2, 200, arms[0].histograms[results.LAG], 3.1, 190.0, 0.41),
        arms=arms,
        moments=_moments(arms, seconds),
        whole_run=arms[0].counts,
        provider=ProviderBooks(
            {
                name: ModelBooks(sent // 3, sent // 3 - 9, 4, 2, 3, 60 * sent, 99 * sent)
                for name in MODELS
            },
            calls_per_request=1.03,
            in_flight_at_end=0,
            cpu_s=2.2,
        ),
        server=ServerBooks(sent, sent + 20, 0, 0.42, 8.1, 96_000_000),
        checks=(
            Check("requests", True, f"generator and server both counted {sent}"),
            Check("tokens", True, "the provider sent what the generator received"),
        ),
        versions={"pointsman": "0.1.0", "grpcio": "1.76.0"},
    )


def _moments(arms: tuple[Arm, ...], seconds: int) -> tuple[Moment, ...]:
    return tuple(
        Moment(
            start_s=float(second),
            sent=sum(a.slices[second].counts.sent for a in arms),
            ended=sum(a.slices[second].counts.answered for a in arms),
            failed=sum(a.slices[second].counts.failed for a in arms),
            messages=sum(a.slices[second].counts.messages for a in arms),
            in_flight=sum(a.slices[second].counts.sent for a in arms) * 1.4,
        )
        for second in range(seconds)
    )
