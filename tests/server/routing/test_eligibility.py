"""Who may serve, who may not, and how long their answers may be."""

from __future__ import annotations

import math

import pytest
from builders import make_model, make_profile, make_request
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain.decision import Candidate, Ineligibility, RoutingConstraints
from pointsman_server.domain.errors import NoEligibleModel
from pointsman_server.domain.messages import GenerationOptions, Tool
from pointsman_server.domain.model import Capability, Model, ModelState
from pointsman_server.domain.money import Usage
from pointsman_server.domain.profile import Profile, ProfileOverrides
from pointsman_server.registry.health import HealthView
from pointsman_server.routing.expectation import (
    GIVEN_UP_S,
    expect,
    expected_output_tokens,
    expected_quality,
    wanted_output_tokens,
)
from routers import make_router

TOOL = Tool("look", "looks", "{}")


def sole_candidate(
    model: Model,
    constraints: RoutingConstraints = RoutingConstraints(),
    generation: GenerationOptions = GenerationOptions(),
    *,
    prompt_tokens: int = 100,
    deadline: float = 1060.0,
) -> Candidate:
    """What is said of the only model of a registry."""
    router = make_router(model)
    request = make_request(constraints=constraints, generation=generation, deadline=deadline)
    try:
        decision = router.decide(request, make_profile(), prompt_tokens)
    except NoEligibleModel as error:
        (candidate,) = error.candidates
    else:
        (candidate,) = decision.candidates
        assert candidate.ineligibility is None
        assert candidate.why_not == ""
    return candidate


@pytest.mark.parametrize(
    ("model", "constraints", "generation", "why", "says"),
    [
        (
            make_model("m", state=ModelState.DRAINING),
            RoutingConstraints(),
            GenerationOptions(),
            Ineligibility.DISABLED,
            "is draining",
        ),
        (
            make_model("m", state=ModelState.DISABLED),
            RoutingConstraints(),
            GenerationOptions(),
            Ineligibility.DISABLED,
            "is disabled",
        ),
        (
            make_model("m"),
            RoutingConstraints(excluded_models=frozenset({"m"})),
            GenerationOptions(),
            Ineligibility.CONSTRAINED,
            "excluded",
        ),
        (
            make_model("m"),
            RoutingConstraints(allowed_models=frozenset({"m"}), excluded_models=frozenset({"m"})),
            GenerationOptions(),
            Ineligibility.CONSTRAINED,
            "excluded",
        ),
        (
            make_model("m"),
            RoutingConstraints(allowed_models=frozenset({"other"})),
            GenerationOptions(),
            Ineligibility.CONSTRAINED,
            "not among",
        ),
        (
            make_model("m", regions=("us",)),
            RoutingConstraints(allowed_regions=frozenset({"eu"})),
            GenerationOptions(),
            Ineligibility.CONSTRAINED,
            "runs in us",
        ),
        (
            make_model("m"),
            RoutingConstraints(allowed_regions=frozenset({"eu"})),
            GenerationOptions(),
            Ineligibility.CONSTRAINED,
            "no stated region",
        ),
        (
            make_model("m"),
            RoutingConstraints(required_capabilities=frozenset({Capability.VISION})),
            GenerationOptions(),
            Ineligibility.MISSING_CAPABILITY,
            "lacks vision",
        ),
        (
            make_model("m"),
            RoutingConstraints(),
            GenerationOptions(tools=(TOOL,)),
            Ineligibility.MISSING_CAPABILITY,
            "lacks tool_use",
        ),
        (
            make_model("m", capabilities=(Capability.TOOL_USE,)),
            RoutingConstraints(),
            GenerationOptions(tools=(TOOL,), response_json_schema="{}"),
            Ineligibility.MISSING_CAPABILITY,
            "lacks json_schema",
        ),
        (
            make_model("m", context_window=339),
            RoutingConstraints(),
            GenerationOptions(),
            Ineligibility.CONTEXT_TOO_LONG,
            "holds 339 tokens, and this needs about 100 + 240",
        ),
        (
            make_model("m", price=(1_000_000, 2_000_000)),
            RoutingConstraints(max_cost_nanos=579),
            GenerationOptions(),
            Ineligibility.OVER_BUDGET,
            "could not answer",
        ),
        (
            make_model("m", price=(1_000_000, 0)),
            RoutingConstraints(max_cost_nanos=99),
            GenerationOptions(),
            Ineligibility.OVER_BUDGET,
            "may cost more",
        ),
        (
            make_model("m", first_token_s=2.5),
            RoutingConstraints(max_first_token_s=2.0),
            GenerationOptions(),
            Ineligibility.TOO_SLOW,
            "after 2.50 s, not 2",
        ),
        (
            make_model("m", first_token_s=60.5),
            RoutingConstraints(),
            GenerationOptions(),
            Ineligibility.TOO_SLOW,
            "60.00 s are left",
        ),
    ],
)
def test_why_not(
    model: Model,
    constraints: RoutingConstraints,
    generation: GenerationOptions,
    why: Ineligibility,
    says: str,
) -> None:
    """A model that may not serve has a reason, as a code and as a sentence."""
    candidate = sole_candidate(model, constraints, generation)
    assert candidate.ineligibility is why
    assert says in candidate.why_not


@pytest.mark.parametrize(
    ("model", "constraints", "generation"),
    [
        (make_model(context_window=340), RoutingConstraints(), GenerationOptions()),
        (make_model(), RoutingConstraints(max_cost_nanos=580), GenerationOptions()),
        (make_model(price=(0, 0)), RoutingConstraints(max_cost_nanos=0), GenerationOptions()),
        (make_model(first_token_s=2.0), RoutingConstraints(max_first_token_s=2.0), None),
        (make_model(first_token_s=60.0), RoutingConstraints(), None),
        (
            make_model(regions=("us", "eu")),
            RoutingConstraints(allowed_regions=frozenset({"eu", "ch"})),
            None,
        ),
        (
            make_model(capabilities=(Capability.TOOL_USE, Capability.JSON_SCHEMA)),
            RoutingConstraints(required_capabilities=frozenset({Capability.TOOL_USE})),
            GenerationOptions(tools=(TOOL,), response_json_schema="{}"),
        ),
    ],
    ids=["context", "money", "free", "first token", "deadline", "region", "capabilities"],
)
def test_just_enough(
    model: Model, constraints: RoutingConstraints, generation: GenerationOptions | None
) -> None:
    """A model that just meets what is asked may serve: room for 240 tokens to 100 of prompt."""
    candidate = sole_candidate(model, constraints, generation or GenerationOptions())
    assert candidate.ineligibility is None


def test_a_large_cap_is_no_obstacle_to_short_answers() -> None:
    """Where the operator bounds answers below their likely length, money has not run out."""
    router = make_router(make_model("m"), default_output_bound=50)
    request = make_request(constraints=RoutingConstraints(max_cost_nanos=10**12))
    decision = router.decide(request, make_profile(task_type="multi_step"), 100)
    assert decision.output_bounds == {"m": 50}


def test_why_not_comes_from_the_first_reason() -> None:
    """A model that is disabled is said to be disabled, whatever else it lacks."""
    model = make_model("m", state=ModelState.DISABLED, context_window=1)
    assert sole_candidate(model).ineligibility is Ineligibility.DISABLED


@pytest.mark.parametrize(
    ("task_type", "bound", "tokens"),
    [("simple_qa", None, 80), ("code", None, 250), ("new", None, 300), ("code", 10, 10)],
)
def test_how_long_answers_to_a_task_are(task_type: str, bound: int | None, tokens: int) -> None:
    """Where it was not read an answer's length follows from its task, within the caller's bound."""
    profile = make_profile(task_type=task_type, expected_output_tokens=None)
    generation = GenerationOptions(max_output_tokens=bound)
    assert expected_output_tokens(profile, generation) == tokens


@pytest.mark.parametrize(
    ("read", "bound", "expected", "wanted"),
    [(7, None, 7, 14), (7, 10, 7, 10), (5000, None, 5000, 10_000), (5000, 10, 10, 10)],
)
def test_how_long_the_answer_is(read: int, bound: int | None, expected: int, wanted: int) -> None:
    """A length that was read counts, not the task's; there is room for twice as much."""
    profile = make_profile(task_type="multi_step", expected_output_tokens=read)
    generation = GenerationOptions(max_output_tokens=bound)
    assert expected_output_tokens(profile, generation) == expected
    assert wanted_output_tokens(profile, generation) == wanted


def test_longer_answers_cost_more() -> None:
    """What a call is expected to cost follows the length that was read for this prompt."""
    model = make_model(price=(1_000_000, 2_000_000))

    def cost(profile: Profile) -> int:
        decision = make_router(model).decide(make_request(), profile, 100)
        return decision.candidates[0].expected_cost_nanos

    assert cost(make_profile(expected_output_tokens=10)) == 100 + 2 * 10
    assert cost(make_profile(expected_output_tokens=1000)) == 100 + 2 * 1000
    another_task = ProfileOverrides(task_type="code")
    assert cost(make_profile().with_overrides(another_task)) == 100 + 2 * 250


@given(
    prompt_tokens=st.integers(0, 5000),
    wanted=st.one_of(st.none(), st.integers(1, 10_000)),
    context=st.integers(1, 8000),
    most=st.integers(1, 8000),
    price=st.tuples(st.integers(0, 10**8), st.integers(0, 10**8)),
    cap=st.one_of(st.none(), st.integers(0, 10**6)),
)
def test_the_output_bound(
    prompt_tokens: int,
    wanted: int | None,
    context: int,
    most: int,
    price: tuple[int, int],
    cap: int | None,
) -> None:
    """A bound never exceeds the caller's, the model's, the context's or what money can pay for."""
    model = make_model(context_window=context, max_output_tokens=most, price=price)
    expectation = expect(
        model,
        None,
        prompt_tokens,
        GenerationOptions(max_output_tokens=wanted),
        default_output_bound=2048,
        max_cost_nanos=cap,
        health=HealthView(),
    )
    bound = expectation.output_bound
    assert bound <= min(wanted or 2048, most, context - prompt_tokens)
    assert expectation.output_tokens <= max(bound, 0)
    assert expectation.cost_nanos <= expectation.worst_cost_nanos
    prompt_cost = model.pricing.cost(Usage(input_tokens=prompt_tokens))
    if cap is None:
        assert bound == min(wanted or 2048, most, context - prompt_tokens)
    elif prompt_cost <= cap and bound > 0:
        assert expectation.worst_cost_nanos <= cap
        if price[1] and bound < min(wanted or 2048, most, context - prompt_tokens):
            one_more = prompt_cost + (bound + 1) * price[1] / 1_000_000
            assert one_more > cap, "money would have paid for more"


def test_measured_first_tokens_count_more_than_the_prior() -> None:
    """Once there are measurements, the expected first token is their median."""
    health = FakeHealth(0.25)
    assert _first_token(health) == 0.25
    assert _first_token(FakeHealth(None)) == 1.0


def test_a_model_that_was_given_up_on_is_very_slow() -> None:
    """A median beyond what was waited for is a long but finite time: it must fit on the wire."""
    assert _first_token(FakeHealth(math.inf)) == GIVEN_UP_S


class FakeHealth(HealthView):
    """Says one thing of all models."""

    def __init__(self, first_token_s: float | None) -> None:
        super().__init__()
        self.first_token_s = first_token_s

    def first_token_quantile(self, model: str, prompt_tokens: int, q: float) -> float | None:
        return self.first_token_s


def _first_token(health: HealthView) -> float:
    return expect(
        make_model(first_token_s=1.0),
        None,
        100,
        GenerationOptions(),
        default_output_bound=100,
        max_cost_nanos=None,
        health=health,
    ).first_token_s


@given(
    prior=st.one_of(st.none(), st.floats(0, 1)),
    complexity=st.sampled_from([1, 2, 3]),
    tuned=st.booleans(),
    weak=st.booleans(),
)
def test_quality_is_a_probability(
    prior: float | None, complexity: int, tuned: bool, weak: bool
) -> None:
    """Expected quality lies in (0, 1), and strengths never lower nor weaknesses raise it."""
    profile = make_profile(type(make_profile().complexity)(complexity), domain="law")

    def quality(tuned: bool, weak: bool) -> float:
        model = make_model(
            quality_priors={} if prior is None else {"simple_qa": prior},
            strengths=("law",) if tuned else (),
            weaknesses=("law",) if weak else (),
        )
        return expected_quality(model, profile)

    assert 0 < quality(tuned, weak) < 1
    assert quality(True, weak) >= quality(False, weak)
    assert quality(tuned, True) <= quality(tuned, False)
