"""Profile in, `Decision` out: the filter, then the tree, then how to carry it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_server.domain.clock import Monotonic, NewId
from pointsman_server.domain.decision import (
    Candidate,
    Decision,
    DecisionBasis,
    ExecutionStrategy,
)
from pointsman_server.domain.errors import NoEligibleModel
from pointsman_server.domain.model import Model
from pointsman_server.domain.money import Usage
from pointsman_server.domain.profile import Profile
from pointsman_server.domain.request import Request, SwitchPolicy
from pointsman_server.registry.health import HealthView
from pointsman_server.registry.registry import Registry, strongest
from pointsman_server.routing.eligibility import Verdict, eligible, needed_capabilities, verdict
from pointsman_server.routing.expectation import Expectation, expect, wanted_output_tokens
from pointsman_server.routing.hedging import HedgePolicy, hedge_partner
from pointsman_server.routing.tree import DecisionTree, Ranking

MAX_FALLBACKS = 3


@dataclass(frozen=True, slots=True)
class RoutingPolicy:
    """The tree, the hedging, and the bound on answers whose caller set none (tokens)."""

    tree: DecisionTree = DecisionTree()
    hedge: HedgePolicy = HedgePolicy()
    default_output_bound: int = 2048


@dataclass(frozen=True, slots=True)
class _Field:
    """Every model with what is expected of it and whether it may serve."""

    expectations: dict[str, Expectation]
    verdicts: dict[str, Verdict]


class Router:
    """Decides. Holds no state of its own: the registry, the policy and the health view do."""

    def __init__(
        self,
        registry: Registry,
        policy: RoutingPolicy,
        health: HealthView,
        clock: Monotonic,
        new_id: NewId,
    ) -> None:
        self.registry = registry
        self.policy = policy
        self._policy_version = policy.tree.version
        self._health = health
        self._clock = clock
        self._new_id = new_id

    def decide(self, request: Request, profile: Profile | None, prompt_tokens: int) -> Decision:
        """Choose the model to call first, those to call after it, and how.

        Args:
            request: what is asked.
            profile: the reading of the prompt; ``None`` where none could be had.
            prompt_tokens: an estimate of the whole conversation's tokens.

        Raises:
            NoEligibleModel: nothing in the registry may serve the request.
        """
        started = self._clock()
        models = self._asked_for(request)
        field = self._filter(models, request, profile, prompt_tokens, started, self._health)
        if not eligible(field.verdicts):
            # what was too slow a moment ago may be well again, and nothing else is left to try
            models = tuple(self.registry)
            field = self._filter(models, request, profile, prompt_tokens, started, HealthView())
        able = [self.registry.get(name) for name in eligible(field.verdicts)]
        if not able:
            raise NoEligibleModel(_candidates((), field))
        pinned = request.constraints.pinned
        ranking = self._rank(pinned, profile, able, field)
        primary, *others = ranking.models
        fallbacks = self._fallbacks(request, primary, others, field, prompt_tokens)
        hedge_model, hedge_delay_s = self._hedge(
            profile, request, primary, fallbacks, field, prompt_tokens
        )
        hedged = hedge_model is not None
        return Decision(
            decision_id=self._new_id(),
            model=primary.name,
            fallback_models=tuple(m.name for m in fallbacks),
            profile=profile,
            confidence=1.0 if pinned else profile.confidence if profile else 0.0,
            basis=_basis(pinned, profile),
            strategy=ExecutionStrategy.HEDGED if hedged else ExecutionStrategy.SINGLE,
            policy_version=self._policy_version,
            propensity=1.0,
            candidates=_candidates(ranking.models, field) if request.explain else (),
            reasons=ranking.reasons,
            output_bounds={
                m.name: field.expectations[m.name].output_bound for m in (primary, *fallbacks)
            },
            baseline_model=strongest(able).name,
            hedge_model=hedge_model,
            hedge_delay_s=hedge_delay_s,
            duration_s=self._clock() - started,
        )

    def _asked_for(self, request: Request) -> tuple[Model, ...]:
        """The models worth a look: all of them, or those that the caller has narrowed it to."""
        allowed = request.constraints.allowed_models
        if not allowed or request.explain:
            return tuple(self.registry)
        return tuple(model for model in self.registry if model.name in allowed)

    def _filter(
        self,
        models: Sequence[Model],
        request: Request,
        profile: Profile | None,
        prompt_tokens: int,
        now: float,
        health: HealthView,
    ) -> _Field:
        constraints, generation = request.constraints, request.generation
        needed = needed_capabilities(constraints, generation)
        bound = generation.max_output_tokens or self.policy.default_output_bound
        wanted = min(wanted_output_tokens(profile, generation), bound)
        field = _Field({}, {})
        for model in models:
            expectation = expect(
                model,
                profile,
                prompt_tokens,
                generation,
                default_output_bound=self.policy.default_output_bound,
                max_cost_nanos=constraints.max_cost_nanos,
                health=health,
            )
            field.expectations[model.name] = expectation
            field.verdicts[model.name] = verdict(
                model,
                expectation,
                constraints=constraints,
                needed=needed,
                prompt_tokens=prompt_tokens,
                wanted_output_tokens=wanted,
                time_left_s=request.deadline - now,
            )
        return field

    def _rank(
        self, pinned: bool, profile: Profile | None, able: Sequence[Model], field: _Field
    ) -> Ranking:
        if pinned:
            return Ranking(tuple(able), (f"the caller allows only {able[0].name}",))
        return self.policy.tree.rank(profile, able, field.expectations)

    def _fallbacks(
        self,
        request: Request,
        primary: Model,
        others: Sequence[Model],
        field: _Field,
        prompt_tokens: int,
    ) -> list[Model]:
        """Other providers first: what fails often fails for a whole provider at once."""
        others = sorted(others, key=lambda m: m.provider == primary.provider)
        cap = request.constraints.max_cost_nanos
        if cap is None:
            return others[:MAX_FALLBACKS]
        chosen: list[Model] = []
        for model in others:
            plan = (primary, *chosen, model)
            if (
                len(chosen) < MAX_FALLBACKS
                and _worst_cost(plan, request, field, prompt_tokens) <= cap
            ):
                chosen.append(model)
        return chosen

    def _hedge(
        self,
        profile: Profile | None,
        request: Request,
        primary: Model,
        fallbacks: Sequence[Model],
        field: _Field,
        prompt_tokens: int,
    ) -> tuple[str, float] | tuple[None, None]:
        """The model to hedge with and after how many seconds, where the request may have that."""
        options, cap = request.execution, request.constraints.max_cost_nanos
        partner = hedge_partner(primary, fallbacks)
        never = options.hedging is False or self.policy.hedge.extra_share <= 0
        if never or partner is None:
            return None, None
        if cap is not None:
            both = (field.expectations[m.name].worst_cost_nanos for m in (primary, partner))
            if sum(both) > cap:
                return None, None
        delay = options.hedge_delay_s
        if delay is None:
            delay = self.policy.hedge.delay(primary, profile, prompt_tokens, self._health)
        return (None, None) if delay is None else (partner.name, delay)


def _worst_cost(plan: Sequence[Model], request: Request, field: _Field, prompt_tokens: int) -> int:
    """The most that calling all of ``plan``, one after the other, may cost.

    A call that is given up on before its first token has cost its prompt. Only one gets further,
    unless the caller lets another model start over.
    """
    whole = [field.expectations[m.name].worst_cost_nanos for m in plan]
    if request.execution.switch_policy is SwitchPolicy.RESTART:
        return sum(whole)
    prompts = [m.pricing.cost(Usage(input_tokens=prompt_tokens)) for m in plan]
    return sum(prompts) + max(w - p for w, p in zip(whole, prompts, strict=True))


def _basis(pinned: bool, profile: Profile | None) -> DecisionBasis:
    if pinned:
        return DecisionBasis.PINNED
    return DecisionBasis.DEFAULT if profile is None else DecisionBasis.DECISION_TREE


def _candidates(ranked: Sequence[Model], field: _Field) -> tuple[Candidate, ...]:
    """Every model: those that may serve in their order, then the others by name."""
    order = [m.name for m in ranked]
    order += sorted(name for name, why_not in field.verdicts.items() if why_not is not None)
    return tuple(
        _candidate(name, max(0, len(ranked) - place) / max(1, len(ranked)), field)
        for place, name in enumerate(order)
    )


def _candidate(name: str, score: float, field: _Field) -> Candidate:
    expectation, why_not = field.expectations[name], field.verdicts[name]
    return Candidate(
        model=name,
        score=score,
        expected_quality=expectation.quality,
        expected_cost_nanos=expectation.cost_nanos,
        expected_first_token_s=expectation.first_token_s,
        ineligibility=why_not[0] if why_not else None,
        why_not=why_not[1] if why_not else "",
    )
