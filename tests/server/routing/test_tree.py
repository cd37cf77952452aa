"""The decision tree: which models come first, and why."""

from __future__ import annotations

import pytest
from builders import make_model, make_profile, make_request
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain.decision import Decision
from pointsman_server.domain.model import Model, Tier
from pointsman_server.domain.profile import Complexity, CostSensitivity, Profile, Urgency
from pointsman_server.routing.tree import Condition, DecisionTree, Rule
from routers import make_router

CHEAP = make_model("cheap-1", Tier.CHEAP, price=(10_000_000, 10_000_000))
MIDDLE = make_model("middle-1", Tier.MIDDLE, price=(100_000_000, 100_000_000))
STRONG = make_model("strong-1", Tier.STRONG, price=(1000_000_000, 1000_000_000))
LADDER = (CHEAP, MIDDLE, STRONG)

LOW, MEDIUM, HIGH = Complexity.LOW, Complexity.MEDIUM, Complexity.HIGH


def decide(
    *models: Model, profile: Profile | None, tree: DecisionTree = DecisionTree()
) -> Decision:
    return make_router(*models, tree=tree).decide(make_request(), profile, 100)


def order(
    *models: Model, profile: Profile | None, tree: DecisionTree = DecisionTree()
) -> list[str]:
    return [c.model for c in decide(*models, profile=profile, tree=tree).candidates]


@pytest.mark.parametrize(
    ("complexity", "expected"),
    [
        (LOW, ["cheap-1", "middle-1", "strong-1"]),
        (MEDIUM, ["middle-1", "strong-1", "cheap-1"]),
        (HIGH, ["strong-1", "middle-1", "cheap-1"]),
    ],
)
def test_the_default_rules(complexity: Complexity, expected: list[str]) -> None:
    """Complexity picks the tier; then come stronger ones upwards, then weaker ones downwards."""
    assert order(*LADDER, profile=make_profile(complexity)) == expected


def test_without_a_reading_the_middle() -> None:
    """Without a profile the middle tier is called, and the decision says so."""
    decision = decide(*LADDER, profile=None)
    assert decision.model == "middle-1"
    assert decision.reasons == ("no reading of the prompt -> middle",)


@pytest.mark.parametrize("field", ["domain", "task_type"])
def test_tuned_models_come_first(field: str) -> None:
    """A model with the prompt's domain or task type among its strengths is preferred."""
    tuned = make_model(
        "tuned-1", Tier.MIDDLE, price=(500_000_000, 500_000_000), strengths=("law", "code")
    )
    value = {"domain": "law", "task_type": "code"}[field]
    decision = decide(*LADDER, tuned, profile=make_profile(MEDIUM, **{field: value}))  # type: ignore[arg-type]
    assert decision.model == "tuned-1"
    assert any("tuned-1 is tuned for" in r for r in decision.reasons)


def test_tuned_models_must_be_strong_enough() -> None:
    """A tuned model of a tier below what the complexity asks for is not preferred."""
    tuned = make_model("tuned-1", Tier.CHEAP, strengths=("law",))
    decision = decide(*LADDER, tuned, profile=make_profile(MEDIUM, domain="law"))
    assert decision.model == "middle-1"
    assert not any("tuned" in r for r in decision.reasons[1:])


def test_the_right_tier_of_the_tuned() -> None:
    """Of several tuned models the one of the wanted tier comes before stronger ones."""
    strong = make_model("a-strong", Tier.STRONG, strengths=("law",))
    middle = make_model(
        "z-middle", Tier.MIDDLE, price=(9000_000_000, 9000_000_000), strengths=("law",)
    )
    names = order(*LADDER, strong, middle, profile=make_profile(MEDIUM, domain="law"))
    assert names[:3] == ["z-middle", "a-strong", "middle-1"]


def test_an_unsure_reading_goes_one_tier_up() -> None:
    """Below min_confidence the reading is not trusted with a cheap model."""
    sure = make_profile(LOW, confidence=0.25)
    unsure = make_profile(LOW, confidence=0.24)
    assert decide(*LADDER, profile=sure).model == "cheap-1"
    decision = decide(*LADDER, profile=unsure)
    assert decision.model == "middle-1"
    assert "confidence 0.24 < 0.25 -> one tier up" in decision.reasons


@pytest.mark.parametrize(
    ("complexity", "sensitivity", "expected"),
    [
        (MEDIUM, CostSensitivity.HIGH, "cheap-1"),
        (MEDIUM, CostSensitivity.MEDIUM, "middle-1"),
        (MEDIUM, CostSensitivity.LOW, "strong-1"),
        (LOW, CostSensitivity.HIGH, "cheap-1"),
        (HIGH, CostSensitivity.LOW, "strong-1"),
    ],
)
def test_who_minds_the_price(
    complexity: Complexity, sensitivity: CostSensitivity, expected: str
) -> None:
    """A caller who minds the price gets a tier less, one who does not a tier more."""
    profile = make_profile(complexity, cost_sensitivity=sensitivity)
    assert decide(*LADDER, profile=profile).model == expected


def test_shifts_add_up() -> None:
    """Doubt and thrift cancel out; doubt and generosity are two tiers."""
    thrifty = make_profile(LOW, confidence=0.1, cost_sensitivity=CostSensitivity.HIGH)
    generous = make_profile(LOW, confidence=0.1, cost_sensitivity=CostSensitivity.LOW)
    assert decide(*LADDER, profile=thrifty).model == "cheap-1"
    assert decide(*LADDER, profile=generous).model == "strong-1"


def test_of_equals_the_cheapest() -> None:
    """Within a tier the cheapest comes first, where nothing is urgent."""
    dear = make_model("a", price=(200_000_000, 200_000_000), first_token_s=0.1)
    cheap = make_model("b", price=(100_000_000, 100_000_000), first_token_s=2.0)
    assert order(dear, cheap, profile=make_profile()) == ["b", "a"]


def test_urgent_prompts_get_the_fastest_of_equals() -> None:
    """Within a tier the fastest comes first, where it is urgent, and the decision says so."""
    dear = make_model("a", price=(200_000_000, 200_000_000), first_token_s=0.1)
    cheap = make_model("b", price=(100_000_000, 100_000_000), first_token_s=2.0)
    decision = decide(dear, cheap, profile=make_profile(urgency=Urgency.HIGH))
    assert decision.model == "a"
    assert "urgency = high -> the fastest of equals" in decision.reasons


def test_urgency_does_not_change_the_tier() -> None:
    """An urgent prompt is not given to a faster model of another tier."""
    fast = make_model("fast", Tier.CHEAP, first_token_s=0.01)
    assert decide(*LADDER, fast, profile=make_profile(HIGH, urgency=Urgency.HIGH)).model == (
        "strong-1"
    )


def test_weaknesses_count_before_the_price() -> None:
    """Within a tier a model that is weak in the matter comes last, however cheap."""
    weak = make_model("a", price=(1_000_000, 1_000_000), weaknesses=("law",))
    other = make_model("b", price=(100_000_000, 100_000_000))
    assert order(weak, other, profile=make_profile(domain="law")) == ["b", "a"]
    assert order(weak, other, profile=make_profile(domain="general")) == ["a", "b"]


def test_of_equal_prices_the_better() -> None:
    """Of two alike in price and speed the one of better prior quality comes first."""
    worse = make_model("a", quality_priors={"simple_qa": 0.5})
    better = make_model("b", quality_priors={"simple_qa": 0.6})
    assert order(worse, better, profile=make_profile()) == ["b", "a"]


@pytest.mark.parametrize(
    ("complexity", "tiers", "expected"),
    [
        (LOW, (Tier.MIDDLE, Tier.STRONG), Tier.MIDDLE),
        (HIGH, (Tier.CHEAP, Tier.MIDDLE), Tier.MIDDLE),
        (MEDIUM, (Tier.CHEAP, Tier.STRONG), Tier.STRONG),
    ],
)
def test_a_missing_tier(complexity: Complexity, tiers: tuple[Tier, ...], expected: Tier) -> None:
    """Where the wanted tier is missing, the nearest is taken, and of two as near the stronger."""
    models = [make_model(t.name, t) for t in tiers]
    assert decide(*models, profile=make_profile(complexity)).model == expected.name


class TestCustomRules:
    """Rules that a user wrote."""

    def test_the_first_rule_that_holds_decides(self) -> None:
        """Rules are tried in order, and later ones do not matter."""
        tree = DecisionTree(
            rules=(
                Rule(Condition(domain=frozenset({"law"})), ("strong-1",)),
                Rule(Condition(), ("cheap-1",)),
            )
        )
        assert decide(*LADDER, profile=make_profile(domain="law"), tree=tree).model == "strong-1"
        assert decide(*LADDER, profile=make_profile(), tree=tree).model == "cheap-1"

    def test_choices_are_tried_in_order(self) -> None:
        """A named model that may not serve is passed over; what the rule does not name follows."""
        tree = DecisionTree(rules=(Rule(Condition(), ("gone", "strong-1", "cheap")),))
        assert order(*LADDER, profile=make_profile(), tree=tree) == [
            "strong-1",
            "cheap-1",
            "middle-1",
        ]

    def test_a_named_model_is_not_shifted(self) -> None:
        """Doubt moves tiers, not models that the user named."""
        tree = DecisionTree(rules=(Rule(Condition(), ("cheap-1",)),))
        assert decide(*LADDER, profile=make_profile(confidence=0.0), tree=tree).model == "cheap-1"

    def test_no_rule_holds(self) -> None:
        """Where no rule holds, complexity decides, and the decision says so."""
        tree = DecisionTree(rules=(Rule(Condition(tone=frozenset({"angry"})), ("cheap-1",)),))
        decision = decide(*LADDER, profile=make_profile(HIGH), tree=tree)
        assert decision.model == "strong-1"
        assert decision.reasons[0] == "no rule holds -> by complexity"

    def test_the_rule_is_told(self) -> None:
        """The rule that decided is the first reason, as a person would write it."""
        rule = Rule(
            Condition(
                task_type=frozenset({"code", "analysis"}),
                complexity=frozenset({HIGH}),
                urgency=frozenset({Urgency.LOW}),
            ),
            ("strong", "middle"),
        )
        profile = make_profile(HIGH, task_type="code", urgency=Urgency.LOW)
        decision = decide(*LADDER, profile=profile, tree=DecisionTree(rules=(rule,)))
        assert decision.reasons[0] == (
            "task_type = analysis or code and complexity = high and urgency = low -> strong, middle"
        )

    @pytest.mark.parametrize("field", ["task_type", "domain", "tone", "complexity", "urgency"])
    def test_every_field_is_a_condition(self, field: str) -> None:
        """Each field of a condition can make it fail."""
        values: dict[str, frozenset[object]] = {
            "task_type": frozenset({"simple_qa"}),
            "domain": frozenset({"general"}),
            "tone": frozenset({"neutral"}),
            "complexity": frozenset({MEDIUM}),
            "urgency": frozenset({Urgency.NORMAL}),
        }
        assert Condition(**values).holds(make_profile())  # type: ignore[arg-type]
        other: dict[str, frozenset[object]] = {
            "task_type": frozenset({"code"}),
            "domain": frozenset({"law"}),
            "tone": frozenset({"angry"}),
            "complexity": frozenset({HIGH}),
            "urgency": frozenset({Urgency.HIGH}),
        }
        values[field] = other[field]
        assert not Condition(**values).holds(make_profile())  # type: ignore[arg-type]

    def test_versions_name_the_rules(self) -> None:
        """Equal trees have equal versions, and different ones different versions."""
        rule = Rule(Condition(domain=frozenset({"law", "software"})), ("strong",))
        same = Rule(Condition(domain=frozenset({"software", "law"})), ("strong",))
        trees = [
            DecisionTree(),
            DecisionTree(rules=(rule,)),
            DecisionTree(rules=(Rule(rule.when, ("middle",)),)),
            DecisionTree(min_confidence=0.5),
        ]
        assert len({t.version for t in trees}) == 4
        assert DecisionTree(rules=(rule,)).version == DecisionTree(rules=(same,)).version
        assert decide(*LADDER, profile=None).policy_version == DecisionTree().version


@given(data=st.data())
def test_every_order_of_the_registry_ranks_alike(data: st.DataObject) -> None:
    """The ranking does not depend on the order in which models were configured."""
    models = [*LADDER, make_model("x", strengths=("law",)), make_model("y", Tier.STRONG)]
    profile = make_profile(data.draw(st.sampled_from(Complexity)), domain="law")
    shuffled = data.draw(st.permutations(models))
    assert order(*shuffled, profile=profile) == order(*models, profile=profile)
