"""What a run is asked to do, and what follows from it before anything is started. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pointsman_bench.load.arrivals import Arrival, RateProfile, Step
from pointsman_bench.load.errors import UsageError
from pointsman_bench.load.plan import LoadPlan
from pointsman_bench.load.schedule import Schedule, drawn_schedule, trace_schedule
from pointsman_bench.load.tally import Slicing
from pointsman_bench.load.templates import (
    ArmSpec,
    Template,
    cap_shares,
    templates_of,
    templates_of_trace,
)
from pointsman_bench.load.trace import Trace
from pointsman_bench.load.verdict import Limits
from pointsman_bench.results import Objective, Phase
from pointsman_bench.scenarios.scenario import Scenario
from pointsman_bench.simulator.behaviour import Change, SimulatorConfig

PLAIN = (ArmSpec("all"),)
HEDGING_AB = (ArmSpec("hedging off", hedging=False), ArmSpec("hedging on", hedging=True))


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What the command line says; ``None`` leaves it to the scenario. Times are seconds.

    ``target`` is a running server's address, ``upstream`` the base URL of a real provider to put
    behind the bench's own server, with ``upstream_models``. ``unique`` prompts each get a
    reference of their own.
    """

    scenario: Scenario
    trace: Trace | None = None
    speed: float = 1.0
    arrival: Arrival = "poisson"
    rate: float | None = None
    duration_s: float | None = None
    warm_up_s: float | None = None
    slice_s: float = 1.0
    seed: int = 1
    ab: bool = False
    processes: int = 1
    connections: int = 2
    timeout_s: float = 30.0
    max_in_flight: int = 10_000
    objectives: tuple[Objective, ...] | None = None
    unique: bool = True
    pin: bool = False
    limits: Limits = Limits()
    target: str | None = None
    metrics: str | None = None
    upstream: str | None = None
    upstream_models: tuple[str, ...] = ()
    api_key_variable: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run laid down: all that is left is to carry it out."""

    options: LoadOptions
    schedule: Schedule
    templates: tuple[Template, ...]
    arms: tuple[ArmSpec, ...]
    rate: float
    warm_up_s: float
    duration_s: float
    objectives: tuple[Objective, ...]
    phases: tuple[Phase, ...]
    notes: tuple[str, ...]
    simulator: SimulatorConfig | None

    @property
    def capped(self) -> bool:
        """Whether requests bound what they may cost."""
        return any(template.cap is not None for template in self.templates)

    def plan(self, target: str) -> LoadPlan:
        """What the generator is told, once it is known where the server is."""
        options = self.options
        return LoadPlan(
            target=target,
            schedule=self.schedule,
            templates=self.templates,
            arms=self.arms,
            slicing=Slicing(self.warm_up_s, options.slice_s),
            length_s=self.warm_up_s + self.duration_s,
            objectives=self.objectives,
            timeout_s=options.timeout_s,
            max_in_flight=options.max_in_flight,
            connections=options.connections,
            reference=f"{options.seed}" if options.unique else "",
        )


def prepare(options: LoadOptions) -> Prepared:
    """Lay the run down.

    Raises:
        UsageError: what is asked for is not possible; it names the option.
    """
    _check(options)
    scenario = options.scenario
    warm_up = scenario.warm_up_s if options.warm_up_s is None else options.warm_up_s
    arms = HEDGING_AB if options.ab else PLAIN
    if options.trace is None:
        rate = scenario.rate if options.rate is None else options.rate
        duration = _whole_slices(options.duration_s or scenario.duration_s, options.slice_s)
        schedule = drawn_schedule(
            options.arrival,
            RateProfile(rate, _steps(scenario, warm_up, duration)),
            warm_up + duration,
            prompts=len(scenario.prompts),
            caps=scenario.caps,
            arms=len(arms),
            leavers=scenario.leavers,
            seed=options.seed,
        )
        templates = templates_of(scenario)
    else:
        schedule = trace_schedule(options.trace, options.speed, warm_up, len(arms), options.seed)
        last = options.trace.length_s / options.speed
        duration = (math.floor(last / options.slice_s) + 1) * options.slice_s  # which holds it
        rate = len(options.trace.lines) / duration
        templates = templates_of_trace(options.trace)
    own_upstream = options.target is None and options.upstream is None
    return Prepared(
        options=options,
        schedule=schedule,
        templates=templates,
        arms=arms,
        rate=rate,
        warm_up_s=warm_up,
        duration_s=duration,
        objectives=scenario.objectives if options.objectives is None else options.objectives,
        phases=_phases(scenario, duration, simulated=own_upstream),
        notes=_notes(options, own_upstream),
        simulator=_simulator(scenario, duration, options.seed) if own_upstream else None,
    )


def _check(options: LoadOptions) -> None:
    if options.target is not None and options.upstream is not None:
        raise UsageError("--target and --upstream: a running server has its own; give one of them")
    if options.metrics is not None and options.target is None:
        raise UsageError("--metrics: is for a running server; give --target too")
    if options.upstream is not None and not options.upstream_models:
        raise UsageError("--upstream: needs --model NAME, as the upstream calls it")
    for name, value in (
        ("--slice", options.slice_s),
        ("--timeout", options.timeout_s),
        ("--speed", options.speed),
        ("--duration", options.duration_s if options.duration_s is not None else 1.0),
    ):
        if not (0 < value < math.inf):
            raise UsageError(f"{name}: {value:g} is not over 0")
    if options.trace is not None and (options.rate or options.duration_s):
        raise UsageError("--rate and --duration: a trace has its own; --speed changes them")


def _whole_slices(duration_s: float, slice_s: float) -> float:
    """At least one slice, and no piece of one: pieces would not be comparable."""
    return max(1, math.ceil(duration_s / slice_s - 1e-9)) * slice_s


def _steps(scenario: Scenario, warm_up_s: float, duration_s: float) -> tuple[Step, ...]:
    steps: list[Step] = []
    for burst in scenario.bursts:
        steps.append(Step(warm_up_s + burst.start * duration_s, burst.factor))
        steps.append(Step(warm_up_s + burst.end * duration_s, 1.0))
    return tuple(steps)


def _phases(scenario: Scenario, duration_s: float, *, simulated: bool) -> tuple[Phase, ...]:
    bursts = [
        Phase(f"{b.factor:g} times the rate", b.start * duration_s, b.end * duration_s)
        for b in scenario.bursts
    ]
    if not simulated:
        return tuple(bursts)
    events = [Phase(e.name, e.start * duration_s, e.end * duration_s) for e in scenario.events]
    return (*bursts, *events)


def _simulator(scenario: Scenario, duration_s: float, seed: int) -> SimulatorConfig:
    names = {model.name: model.behaviour.name for model in scenario.models}
    changes = tuple(
        Change(
            models=tuple(names[name] for name in event.models),
            start_s=event.start * duration_s,
            end_s=event.end * duration_s,
            mishap=event.mishap,
            factor=event.factor,
        )
        for event in scenario.events
    )
    behaviours = tuple(model.behaviour for model in scenario.models)
    return SimulatorConfig(behaviours, changes, seed)


def _notes(options: LoadOptions, simulated: bool) -> tuple[str, ...]:
    scenario = options.scenario
    notes = [
        "Latencies count from when a request was due, so the generator's own lag is in them.",
        "Generator, server and upstream ran on one machine; nothing crossed a network.",
        *(scenario.notes if simulated or not scenario.events else ()),
    ]
    if not simulated:
        notes[1] = "The server or its upstream was not the bench's: arrivals and prompts are."
        if scenario.events:
            notes.append(f"Nothing was done to providers: {scenario.name} can't, to real ones.")
    if any(cap.usd is not None for cap in scenario.caps) and options.trace is None:
        notes.append(f"What requests may cost: {cap_shares(scenario.caps)}.")
    if options.ab:
        notes.append(
            "Both sides ran at once against one server: they met the same moments, and shared "
            "what the server learned and the load that the other made."
        )
    if options.upstream is not None:
        notes.append("Prices of the upstream's models are made up: costs mean nothing.")
    if not options.unique:
        notes.append("Prompts repeat: what is cached counts as answered.")
    return tuple(notes)


def trace_scenario(base: Scenario, name: str) -> Scenario:
    """The scenario that a trace replays against: the fleet of ``base`` and nothing else of it."""
    return replace(
        base,
        name=name,
        summary="requests and times of a file",
        prompts=(),
        events=(),
        bursts=(),
        leavers=None,
        notes=(),
    )


@dataclass(frozen=True, slots=True)
class Pins:
    """Cores for each part; empty where it may run anywhere."""

    server: tuple[int, ...] = ()
    simulator: tuple[int, ...] = ()
    generator: tuple[int, ...] = ()


def pins(cores: Sequence[int], *, simulated: bool) -> Pins:
    """The server gets a core of its own; upstream and generator share what is left.

    With three cores and more the upstream has one of its own, too.
    """
    first, *rest = cores
    if not rest:
        return Pins((first,), (first,), (first,))
    if not simulated or len(rest) == 1:
        return Pins((first,), tuple(rest), tuple(rest))
    return Pins((first,), (rest[0],), tuple(rest[1:]))
