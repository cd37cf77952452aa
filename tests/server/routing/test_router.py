"""Decisions: whom to call first, whom after, and how."""

from __future__ import annotations

import math

import pytest
from builders import make_model, make_profile, make_request
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pointsman_server.domain.decision import (
    Decision,
    DecisionBasis,
    ExecutionStrategy,
    Ineligibility,
    RoutingConstraints,
)
from pointsman_server.domain.errors import NoEligibleModel
from pointsman_server.domain.messages import GenerationOptions
from pointsman_server.domain.model import Capability, Model, ModelState, Tier
from pointsman_server.domain.money import Usage
from pointsman_server.domain.profile import (
    Complexity,
    CostSensitivity,
    Profile,
    Urgency,
)
from pointsman_server.domain.request import ExecutionOptions, Request, SwitchPolicy
from pointsman_server.registry.health import HealthView
from pointsman_server.routing.hedging import HedgePolicy, hedge_partner
from pointsman_server.routing.router import MAX_FALLBACKS
from routers import make_router

A = make_model("a", provider="one", price=(10_000_000, 10_000_000))
B = make_model("b", provider="one", price=(20_000_000, 20_000_000))
C = make_model("c", provider="two", price=(30_000_000, 30_000_000))


def only(*names: str) -> RoutingConstraints:
    return RoutingConstraints(allowed_models=frozenset(names))


def capped(nanos: int) -> RoutingConstraints:
    return RoutingConstraints(max_cost_nanos=nanos)


class LearnedHealth(HealthView):
    """Says one quantile of all models, and remembers what it was asked."""

    def __init__(self, value: float | None) -> None:
        super().__init__()
        self.value = value
        self.asked: list[tuple[str, int, float]] = []

    def first_token_quantile(self, model: str, prompt_tokens: int, q: float) -> float | None:
        self.asked.append((model, prompt_tokens, q))
        return self.value if q > 0.5 else None


class TestBasis:
    """How a decision came about."""

    def test_pinned(self) -> None:
        """A caller who allows one model only gets it, whatever the tree would say, and no other."""
        decision = make_router(A, B, C).decide(
            make_request(constraints=only("c")), make_profile(confidence=0.1), 100
        )
        assert decision.basis is DecisionBasis.PINNED
        assert decision.model == "c"
        assert decision.confidence == 1.0
        assert decision.fallback_models == ()
        assert decision.strategy is ExecutionStrategy.SINGLE
        assert decision.reasons == ("the caller allows only c",)

    def test_the_tree(self) -> None:
        """With a reading the tree decides, as sure as the reading is."""
        profile = make_profile(confidence=0.7)
        decision = make_router(A, B, C).decide(make_request(), profile, 100)
        assert decision.basis is DecisionBasis.DECISION_TREE
        assert decision.confidence == 0.7
        assert decision.profile is profile
        assert decision.propensity == 1.0
        assert decision.decision_id == "d1"

    def test_the_default(self) -> None:
        """Without a reading the default decides, and is sure of nothing."""
        decision = make_router(A, B, C).decide(make_request(), None, 100)
        assert decision.basis is DecisionBasis.DEFAULT
        assert decision.confidence == 0.0
        assert decision.profile is None

    def test_a_pinned_model_must_be_able(self) -> None:
        """Pinning a model does not lift what the request needs."""
        with pytest.raises(NoEligibleModel):
            make_router(A, B).decide(
                make_request(constraints=only("a")), make_profile(), prompt_tokens=10**6
            )


class TestFallbacks:
    """Whom to call when the first fails."""

    def test_other_providers_first(self) -> None:
        """A fallback at another provider comes before one at the same, which would fail alike."""
        decision = make_router(A, B, C).decide(make_request(), make_profile(), 100)
        assert decision.model == "a"
        assert decision.fallback_models == ("c", "b")

    def test_only_so_many(self) -> None:
        """There are at most MAX_FALLBACKS of them, the best ranked ones."""
        models = [make_model(f"m{i}", provider=f"p{i}", price=(i * 1_000_000, 0)) for i in range(9)]
        decision = make_router(*models).decide(make_request(), make_profile(), 100)
        assert decision.fallback_models == ("m1", "m2", "m3")
        assert len(decision.fallback_models) == MAX_FALLBACKS

    def test_bounds_for_each(self) -> None:
        """Each model that may be called has a bound on its answer, and no other model has."""
        decision = make_router(A, B, C).decide(make_request(), make_profile(), 100)
        assert set(decision.output_bounds) == {"a", "b", "c"}
        decision = make_router(A, B, C).decide(
            make_request(constraints=only("a", "b")), make_profile(), 100
        )
        assert set(decision.output_bounds) == {"a", "b"}

    def test_money_for_what_was_given_up(self) -> None:
        """A fallback must be payable on top of the prompts of those that were given up on."""
        models = [
            make_model(n, provider=n, price=(1_000_000, 1_000_000), max_output_tokens=100)
            for n in "abcd"
        ]
        # a call is 100 of prompt and 100 of answer: 200 at most, and 100 if it is given up on
        for cap, fallbacks in ((299, ()), (300, ("b",)), (400, ("b", "c")), (500, ("b", "c", "d"))):
            request = make_request(
                constraints=capped(cap), generation=GenerationOptions(max_output_tokens=100)
            )
            decision = make_router(*models).decide(request, make_profile(), 100)
            assert decision.fallback_models == fallbacks

    def test_money_for_starting_over(self) -> None:
        """With RESTART a fallback must be payable on top of the whole of what came before."""
        models = [make_model(n, provider=n, price=(1_000_000, 1_000_000)) for n in "abc"]
        for cap, fallbacks in ((399, ()), (400, ("b",)), (600, ("b", "c"))):
            request = make_request(
                constraints=capped(cap),
                generation=GenerationOptions(max_output_tokens=100),
                execution=ExecutionOptions(switch_policy=SwitchPolicy.RESTART),
            )
            decision = make_router(*models).decide(request, make_profile(), 100)
            assert decision.fallback_models == fallbacks

    def test_a_dear_fallback_does_not_hide_a_cheap_one(self) -> None:
        """A fallback that money cannot pay for is passed over for one that it can."""
        cheap = make_model("a", provider="one", price=(1_000_000, 1_000_000))
        dear = make_model("b", Tier.STRONG, provider="two", price=(1_500_000, 1_500_000))
        also_cheap = make_model("c", Tier.CHEAP, provider="two", price=(1_000_000, 1_000_000))
        request = make_request(
            constraints=capped(300), generation=GenerationOptions(max_output_tokens=100)
        )
        decision = make_router(cheap, dear, also_cheap).decide(request, make_profile(), 100)
        assert decision.model == "a"
        assert decision.fallback_models == ("c",)


class TestHedging:
    """Whether and when a second model races the first."""

    def decide(
        self,
        *models: Model,
        options: ExecutionOptions = ExecutionOptions(),
        profile: Profile | None = None,
        policy: HedgePolicy = HedgePolicy(),
        health: HealthView | None = None,
        constraints: RoutingConstraints = RoutingConstraints(),
        generation: GenerationOptions = GenerationOptions(),
    ) -> Decision:
        request = make_request(execution=options, constraints=constraints, generation=generation)
        router = make_router(*(models or (A, B, C)), hedge=policy, health=health)
        return router.decide(request, profile or make_profile(), 100)

    def test_the_partner_is_at_another_provider(self) -> None:
        """The hedge is the first fallback that does not share the primary's provider."""
        decision = self.decide()
        assert decision.strategy is ExecutionStrategy.HEDGED
        assert decision.hedge_model == "c"
        assert decision.hedge_model in decision.fallback_models

    def test_no_partner_no_hedge(self) -> None:
        """Where every fallback is at the primary's provider there is no hedge."""
        decision = self.decide(A, B)
        assert decision.strategy is ExecutionStrategy.SINGLE
        assert decision.hedge_model is None
        assert decision.hedge_delay_s is None

    def test_the_partner_is_on_another_machine(self) -> None:
        """Two models on one machine are not raced: each would slow the other down."""
        one = make_model("one", provider="p1", machine="gpu")
        two = make_model("two", provider="p2", machine="gpu")
        three = make_model("three", provider="p3", machine="cpu")
        assert hedge_partner(one, [two, three]) is three
        assert hedge_partner(one, [two]) is None

    def test_models_without_a_machine_share_none(self) -> None:
        """Models whose machine is not known do not share one."""
        one, two = make_model("one", provider="p1"), make_model("two", provider="p2")
        assert hedge_partner(one, [two]) is two

    def test_the_caller_may_refuse(self) -> None:
        """A caller who wants no hedge gets none."""
        decision = self.decide(options=ExecutionOptions(hedging=False, hedge_delay_s=1.0))
        assert decision.strategy is ExecutionStrategy.SINGLE

    @pytest.mark.parametrize("delay", [0.0, 0.001, 3.0])
    def test_the_callers_delay_counts(self, delay: float) -> None:
        """A delay that the caller names is taken as it is, 0 as well."""
        decision = self.decide(options=ExecutionOptions(hedge_delay_s=delay))
        assert decision.hedge_delay_s == delay

    def test_the_delay_from_the_prior(self) -> None:
        """Until enough has been seen, the delay is a multiple of the registry's prior."""
        decision = self.decide(policy=HedgePolicy(prior_factor=4.0))
        assert decision.hedge_delay_s == 4.0

    def test_the_delay_that_was_learned(self) -> None:
        """The delay is the quantile that the extra cost implies, of the primary's own times."""
        health = LearnedHealth(0.75)
        decision = self.decide(health=health, policy=HedgePolicy(extra_share=0.1))
        assert decision.hedge_delay_s == 0.75
        assert health.asked[-1] == ("a", 100, 0.9)

    def test_no_extra_cost_no_hedge(self) -> None:
        """Where hedging may cost nothing there is none."""
        assert self.decide(policy=HedgePolicy(extra_share=0.0)).hedge_model is None

    def test_money_for_both(self) -> None:
        """A hedge must be payable on top of the whole of the primary's answer."""
        dear = [make_model(n, provider=n, price=(1_000_000, 1_000_000)) for n in "ab"]
        generation = GenerationOptions(max_output_tokens=100)
        assert not self.decide(*dear, constraints=capped(399), generation=generation).hedge_model
        assert self.decide(*dear, constraints=capped(400), generation=generation).hedge_model


class TestNobody:
    """No model may serve."""

    def test_every_candidate_has_a_reason(self) -> None:
        """NoEligibleModel names every model of the registry with its own reason."""
        models = (
            make_model("off", state=ModelState.DISABLED),
            make_model("short", context_window=10),
            make_model("slow", first_token_s=500.0),
        )
        with pytest.raises(NoEligibleModel) as caught:
            make_router(*models).decide(make_request(), make_profile(), 100)
        assert {c.model: c.ineligibility for c in caught.value.candidates} == {
            "off": Ineligibility.DISABLED,
            "short": Ineligibility.CONTEXT_TOO_LONG,
            "slow": Ineligibility.TOO_SLOW,
        }
        for candidate in caught.value.candidates:
            assert candidate.score == 0.0
            assert f"{candidate.model}: {candidate.why_not}" in str(caught.value)

    def test_an_empty_registry(self) -> None:
        """An empty registry says that it is empty."""
        with pytest.raises(NoEligibleModel, match="empty"):
            make_router().decide(make_request(), make_profile(), 100)


def test_the_baseline_is_the_strongest_that_may_serve() -> None:
    """What one would call without a router is the strongest model that could have answered."""
    off = make_model("off", Tier.STRONG, state=ModelState.DISABLED)
    strong = make_model("strong", Tier.STRONG)
    router = make_router(A, off, strong)
    decision = router.decide(make_request(), make_profile(Complexity.LOW), 100)
    assert decision.baseline_model == "strong"


models = st.builds(
    make_model,
    name=st.sampled_from("abcdefgh"),
    tier=st.sampled_from(Tier),
    provider=st.sampled_from(["one", "two", "three"]),
    context_window=st.sampled_from([50, 500, 3000, 100_000]),
    max_output_tokens=st.sampled_from([1, 100, 4096]),
    price=st.tuples(st.integers(0, 3_000_000), st.integers(0, 9_000_000)),
    capabilities=st.sets(st.sampled_from(Capability)),
    strengths=st.sets(st.sampled_from(["law", "code"])),
    weaknesses=st.sets(st.sampled_from(["law", "code"])),
    regions=st.sets(st.sampled_from(["eu", "us"])),
    state=st.sampled_from([ModelState.ENABLED] * 3 + [ModelState.DRAINING]),
    first_token_s=st.sampled_from([0.1, 1.0, 70.0]),
    machine=st.sampled_from([None, "m1", "m2"]),
)
profiles = st.one_of(
    st.none(),
    st.builds(
        make_profile,
        st.sampled_from(Complexity),
        task_type=st.sampled_from(["simple_qa", "code", "multi_step"]),
        domain=st.sampled_from(["law", "general"]),
        urgency=st.sampled_from(Urgency),
        confidence=st.floats(0, 1),
        cost_sensitivity=st.one_of(st.none(), st.sampled_from(CostSensitivity)),
    ),
)
names = st.sets(st.sampled_from("abcdefgh")).map(frozenset)
requests = st.builds(
    make_request,
    constraints=st.builds(
        RoutingConstraints,
        allowed_models=st.one_of(st.just(frozenset()), names),
        excluded_models=st.one_of(st.just(frozenset()), names),
        required_capabilities=st.one_of(
            st.just(frozenset()), st.sets(st.sampled_from(Capability)).map(frozenset)
        ),
        max_cost_nanos=st.one_of(st.none(), st.integers(0, 20_000)),
        max_first_token_s=st.one_of(st.none(), st.just(2.0)),
        allowed_regions=st.sampled_from([frozenset(), frozenset({"eu"})]),
    ),
    generation=st.builds(
        GenerationOptions, max_output_tokens=st.one_of(st.none(), st.integers(1, 5000))
    ),
    execution=st.builds(
        ExecutionOptions,
        hedging=st.sampled_from([None, True, False]),
        hedge_delay_s=st.one_of(st.none(), st.floats(0, 5)),
        switch_policy=st.sampled_from(SwitchPolicy),
    ),
)


@settings(max_examples=500)
@given(
    registry=st.lists(models, unique_by=lambda m: m.name, max_size=8),
    request_=requests,
    profile=profiles,
    prompt_tokens=st.integers(1, 3500),
)
def test_every_decision_keeps_its_promises(
    registry: list[Model], request_: Request, profile: Profile | None, prompt_tokens: int
) -> None:
    """Whatever is asked of whatever registry, the plan is able, distinct, and within its money."""
    by_name = {m.name: m for m in registry}
    decision: Decision | None = None
    try:
        decision = make_router(*registry).decide(request_, profile, prompt_tokens)
        candidates = decision.candidates
    except NoEligibleModel as error:
        candidates = error.candidates
    assert sorted(c.model for c in candidates) == sorted(by_name)
    able = [c.model for c in candidates if c.ineligibility is None]
    assert all(bool(c.why_not) == (c.ineligibility is not None) for c in candidates)
    assert bool(able) == (decision is not None)
    if decision is None:
        return

    plan = (decision.model, *decision.fallback_models)
    assert len(set(plan)) == len(plan) <= 1 + MAX_FALLBACKS
    assert set(plan) <= set(able)
    assert decision.model == candidates[0].model == able[0]
    assert [c.score for c in candidates] == sorted((c.score for c in candidates), reverse=True)
    assert all(math.isfinite(c.expected_first_token_s) for c in candidates)
    assert decision.baseline_model in able
    assert set(decision.output_bounds) == set(plan)
    _check_each(decision, request_, by_name, prompt_tokens)
    _check_money(decision, request_, by_name, prompt_tokens)
    _check_hedge(decision, request_, by_name)


def _check_each(
    decision: Decision, request: Request, by_name: dict[str, Model], prompt_tokens: int
) -> None:
    constraints = request.constraints
    for name, bound in decision.output_bounds.items():
        model = by_name[name]
        assert model.state is ModelState.ENABLED
        assert not constraints.allowed_models or name in constraints.allowed_models
        assert name not in constraints.excluded_models
        assert constraints.required_capabilities <= model.capabilities
        assert not constraints.allowed_regions or constraints.allowed_regions & model.regions
        assert 1 <= bound <= model.max_output_tokens
        assert prompt_tokens + bound <= model.context_window
        assert bound <= (request.generation.max_output_tokens or bound)


def _check_money(
    decision: Decision, request: Request, by_name: dict[str, Model], prompt_tokens: int
) -> None:
    cap = request.constraints.max_cost_nanos
    if cap is None:
        return
    worst = {
        name: by_name[name].pricing.cost(Usage(prompt_tokens, output_tokens=bound))
        for name, bound in decision.output_bounds.items()
    }
    prompt = {n: by_name[n].pricing.cost(Usage(prompt_tokens)) for n in worst}
    assert worst[decision.model] <= cap
    if decision.hedge_model is not None:
        assert worst[decision.model] + worst[decision.hedge_model] <= cap
    if request.execution.switch_policy is SwitchPolicy.RESTART:
        assert sum(worst.values()) <= cap
    for name in worst:  # whoever answers, with the prompts of all others given up on
        assert worst[name] + sum(prompt[n] for n in worst if n != name) <= cap


def _check_hedge(decision: Decision, request: Request, by_name: dict[str, Model]) -> None:
    hedged = decision.strategy is ExecutionStrategy.HEDGED
    assert hedged == (decision.hedge_model is not None) == (decision.hedge_delay_s is not None)
    if decision.hedge_model is None:
        return
    assert request.execution.hedging is not False
    assert decision.hedge_model in decision.fallback_models
    primary, partner = by_name[decision.model], by_name[decision.hedge_model]
    assert primary.provider != partner.provider
    assert primary.machine is None or primary.machine != partner.machine


@given(data=st.data(), prompt_tokens=st.integers(1, 2000))
def test_more_money_never_means_fewer_models(data: st.DataObject, prompt_tokens: int) -> None:
    """What may serve for little may serve for more."""
    registry = data.draw(st.lists(models, unique_by=lambda m: m.name, min_size=1, max_size=5))
    low, high = sorted(data.draw(st.tuples(st.integers(0, 20_000), st.integers(0, 20_000))))
    assume(low < high)

    def able(cap: int) -> set[str]:
        request = make_request(constraints=capped(cap))
        try:
            decision = make_router(*registry).decide(request, None, prompt_tokens)
        except NoEligibleModel:
            return set()
        return {c.model for c in decision.candidates if c.ineligibility is None}

    assert able(low) <= able(high)


class DownFor(HealthView):
    """Says of one model that it has been given up on lately."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model

    def first_token_quantile(self, model: str, prompt_tokens: int, q: float) -> float | None:
        return math.inf if model == self.model else None


def test_what_looks_too_slow_is_tried_where_nothing_else_is_left() -> None:
    """A model that stopped answering is passed over, but never so that nobody could be asked."""
    seen = DownFor("a")
    both = make_router(make_model("a"), make_model("b"), health=seen)
    request, profile = make_request(), make_profile()
    decision = both.decide(request, profile, 100)
    assert decision.model == "b"
    alone = make_router(make_model("a"), health=seen)
    assert alone.decide(request, profile, 100).model == "a"
