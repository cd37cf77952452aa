"""The result file of `bench load`: what it measured, as types, with their codec.

One JSON object, read and written by msgspec. Times that are given as numbers are seconds; times in
histograms are whole microseconds; money is nano-US-dollars. Every latency counts from the moment
at which the request was *due*, not from when it was sent, so that a generator or a server that
falls behind cannot hide it (see `Lag` and `Verdict`).

    LoadResult
     +-- Run, Machine             what was run, where
     +-- Verdict                  whether the numbers may be used, and why not
     +-- Generator                how well the generator kept its schedule, and what it cost
     +-- Arm (one, or one a side of an A/B)
     |    +-- counts, histograms  of everything that was due in the measured time
     |    +-- Slice               the same for each second of it
     +-- Moment                   the run by wall clock: in flight, tokens, errors
     +-- ProviderBooks            what the built-in upstream saw (the providers' truth)
     +-- ServerBooks              the server's own metrics and resources
     +-- Check                    whether the three accounts agree

A request belongs to the slice in which it was due, with all that came of it, however late: slices
are independent units, and the whole is their sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import msgspec
import numpy as np
from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

FORMAT = "pointsman-bench-load/1"

LOWEST_US, HIGHEST_US, DIGITS = 1, 600_000_000, 3
"""The layout of every histogram: 1 µs to 10 min with three significant digits."""

TTFT = "ttft"
"""Due to the first piece of text. Every request that got one, also if it failed later."""
GAP = "gap"
"""Between two messages with text of one stream. The server sends what one wake delivered as one
message, so this is how long a reader saw nothing new, not the time between tokens: see `TPOT`."""
TPOT = "tpot"
"""Time per output token: (last text - first text) / (output tokens - 1), for whole answers."""
E2E = "e2e"
"""Due to the end of a whole answer."""
FAILURE = "failure"
"""Due to the error of a request that failed."""
LAG = "lag"
"""Due to actually sent: the generator's own fault, part of all of the above but `GAP`, `TPOT`."""
OVERHEAD = "overhead"
"""What the server says that reading and deciding took (header x-pointsman-overhead-ms)."""
METRICS = (TTFT, GAP, TPOT, E2E, FAILURE, LAG, OVERHEAD)


@dataclass(slots=True)
class Counts:
    """What became of requests; mutable, since it is also what counts them.

    ``sent`` = ``answered`` + ``failed`` + ``cancelled``.
    ``cancelled`` are those that the generator itself left; an answer that broke off is ``failed``
    and also ``cut``. ``good`` answers met every objective of the run. ``hedged`` requests had a
    second call started because the first was slow; ``hedge_wins`` are those that the second call
    answered. Tokens are those of answers. Money is nano-USD: ``cost`` is what answers were charged,
    with all their attempts; ``baseline_cost`` what the same answers would have cost from the
    strongest model; ``lost_hedge_cost`` the part of ``cost`` that attempts consumed which lost a
    race; ``failed_cost`` what was charged for requests that failed or were left, as far as their
    events told, beside ``cost``. ``over_cap`` answers cost more than their request allowed.
    """

    sent: int = 0
    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    cut: int = 0
    good: int = 0
    hedged: int = 0
    hedge_wins: int = 0
    attempts: int = 0
    output_tokens: int = 0
    input_tokens: int = 0
    messages: int = 0
    cost: int = 0
    baseline_cost: int = 0
    lost_hedge_cost: int = 0
    failed_cost: int = 0
    over_cap: int = 0
    attempt_reasons: dict[str, int] = field(default_factory=dict)
    attempt_outcomes: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)
    task_types: dict[str, int] = field(default_factory=dict)
    urgencies: dict[str, int] = field(default_factory=dict)
    complexities: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)

    def add(self, other: Counts) -> None:
        """Add all that ``other`` counted."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, dict):
                for key, count in theirs.items():
                    mine[key] = mine.get(key, 0) + count
            else:
                setattr(self, each.name, mine + theirs)


@dataclass(frozen=True, slots=True)
class Slice:
    """All about the requests that were due from ``start_s`` on, for ``length_s``.

    ``start_s`` counts from the beginning of the measured time. ``histograms`` holds one encoded
    histogram (base64 of HdrHistogram's V2 format) for each of `METRICS` that has a value.
    """

    start_s: float
    length_s: float
    counts: Counts
    histograms: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SlowRequest:
    """One of the slowest requests, to look for in the server's log."""

    decision_id: str
    due_s: float
    ttft_s: float | None
    e2e_s: float | None
    model: str
    attempts: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of the run; the first of an A/B is its baseline. ``offered_rate`` is a second."""

    name: str
    offered_rate: float
    counts: Counts
    histograms: Mapping[str, str]
    slices: tuple[Slice, ...]
    slowest: tuple[SlowRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """One second by wall clock; ``start_s`` counts from the beginning of the measured time.

    Unlike slices, what happened in it: requests sent and ended, tokens and errors that came.
    ``in_flight`` is the mean over the second.
    """

    start_s: float
    sent: int
    ended: int
    failed: int
    messages: int
    in_flight: float


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the measured time in which something was different, such as an outage."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Objective:
    """A service level objective: ``metric`` at most ``limit_s`` for each request."""

    metric: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """What was run. ``measured_s`` is what was really measured: less where ``interrupted``."""

    scenario: str
    description: str
    arrival: str
    rate: float
    seed: int
    warm_up_s: float
    duration_s: float
    measured_s: float
    slice_s: float
    interrupted: bool
    started_at: str
    target: str
    """"own server and simulator", "own server", or "running server"."""
    objectives: tuple[Objective, ...] = ()
    phases: tuple[Phase, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader must know to read the numbers rightly, in sentences."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it ran. ``cores`` are those that this run could use; pins are core numbers.

    ``elsewhere`` is the share of the machine's CPU time that other programs used meanwhile, from
    0 to 1; ``None`` where that is not known.
    """

    cpu: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    server_cores: tuple[int, ...] = ()
    simulator_cores: tuple[int, ...] = ()
    generator_cores: tuple[int, ...] = ()
    elsewhere: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the numbers may be used. ``reasons`` say why not, ``warnings`` what to mind."""

    valid: bool
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Generator:
    """How the generator did. ``lag`` is encoded as in `Slice`, over all arms.

    ``cpu_us_per_request`` is CPU time of all its processes by requests sent in the measured time;
    ``busiest`` the share of one core that its busiest process used, from 0 to 1. ``saturates_at``
    estimates, from what a request cost it in this run, the requests a second at which all its
    processes would be out of CPU. Requests get cheaper as they get more, so that it is a low
    estimate where the rate was low; ``None`` where it used too little to tell.
    """

    processes: int
    sent_in_warm_up: int
    lag: str
    cpu_s: float
    cpu_us_per_request: float
    busiest: float
    saturates_at: float | None = None


@dataclass(frozen=True, slots=True)
class ModelBooks:
    """What the upstream saw of one model. Tokens are those that it sent, wanted or not.

    ``calls`` = ``completed`` + ``refused`` + ``cut`` + ``cancelled`` + those still under way.
    """

    calls: int
    completed: int
    refused: int
    cut: int
    cancelled: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class ProviderBooks:
    """The upstream's own account of the whole run, warm-up included.

    ``calls_per_request`` is the load that hedges, retries and fallbacks make: 1 is no more than
    was asked. ``late`` is how much later than it meant to the upstream sent first tokens in the
    measured time, encoded as in `Slice`: its own fault, which would be blamed on the server.
    """

    models: Mapping[str, ModelBooks]
    calls_per_request: float
    in_flight_at_end: int
    cpu_s: float
    late: str = ""


@dataclass(frozen=True, slots=True)
class ServerBooks:
    """The server's own account of the whole run, warm-up included, from its metrics.

    ``cpu_s`` and ``peak_rss_bytes`` are of its process, known only where the run started it.
    """

    requests: int
    attempts: int
    attempts_in_flight_at_end: int
    cost_usd: float
    cpu_s: float | None = None
    peak_rss_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Whether two accounts agree."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class LoadResult:
    """A whole run. ``whole_run`` counts all requests, those of the warm-up too."""

    run: Run
    machine: Machine
    verdict: Verdict
    generator: Generator
    arms: tuple[Arm, ...]
    moments: tuple[Moment, ...]
    whole_run: Counts
    provider: ProviderBooks | None = None
    server: ServerBooks | None = None
    checks: tuple[Check, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    format: str = FORMAT


class ResultFileError(Exception):
    """A file is not a result of `bench load`; ``str()`` says why and how to mend it."""


def encode(result: LoadResult) -> bytes:
    """The file's bytes: JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"


def write(result: LoadResult, path: Path) -> None:
    """Write the result file, whole or not at all."""
    part = path.with_suffix(path.suffix + ".part")
    part.write_bytes(encode(result))
    part.replace(path)


def read(path: Path) -> LoadResult:
    """Read a result file.

    Raises:
        ResultFileError: it is not there or is no result of `bench load`.
    """
    mend = "give the result.json that `pointsman bench load --out DIR` wrote"
    try:
        result = msgspec.json.decode(path.read_bytes(), type=LoadResult)
    except OSError as error:
        raise ResultFileError(f"{path}: {error.strerror or error}; {mend}") from None
    except msgspec.MsgspecError as error:
        raise ResultFileError(f"{path}: {error}; {mend}") from None
    if result.format != FORMAT:
        raise ResultFileError(f"{path}: its format is {result.format!r}, not {FORMAT!r}; {mend}")
    return result


def new_histogram() -> HdrHistogram:
    """An empty histogram of the layout that all of them have."""
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)


def histogram(encoded: str) -> HdrHistogram:
    """Decode one histogram; its values are microseconds."""
    return HdrHistogram.decode(encoded.encode())


def recorded(encoded: str) -> list[tuple[int, int]]:
    """The (microseconds, count) pairs of an encoded histogram, by rising value.

    Each value is the highest of its bucket, as in the histogram library's own iterators, which
    take 50 ms where this takes one.
    """
    found = histogram(encoded)
    counts = np.frombuffer(found.counts, dtype=np.uint64)
    return [
        (found.get_highest_equivalent_value(found.get_value_from_index(index)), int(counts[index]))
        for index in np.flatnonzero(counts).tolist()
    ]
