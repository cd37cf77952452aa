"""The decision tree: readable rules, written by the user or the default ones.

The first rule whose conditions hold decides; its choices are tried in order, then everything else
that may serve. A choice is a model's name, a tier (``cheap``, ``middle``, ``strong``) or
``tuned``: the models that have the prompt's domain or task type among their strengths and are of
the tier that its complexity asks for, or better.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pointsman_server.domain.model import Model, Tier
from pointsman_server.domain.profile import Complexity, CostSensitivity, Profile, Urgency
from pointsman_server.registry.registry import strength
from pointsman_server.routing.expectation import Expectation, is_tuned, is_weak

TIERS = {"cheap": Tier.CHEAP, "middle": Tier.MIDDLE, "strong": Tier.STRONG}
TUNED = "tuned"

_TIER_OF_COMPLEXITY = {
    Complexity.LOW: Tier.CHEAP,
    Complexity.MEDIUM: Tier.MIDDLE,
    Complexity.HIGH: Tier.STRONG,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds where every field that is set contains the profile's value."""

    task_type: frozenset[str] = frozenset()
    domain: frozenset[str] = frozenset()
    tone: frozenset[str] = frozenset()
    complexity: frozenset[Complexity] = frozenset()
    urgency: frozenset[Urgency] = frozenset()

    def holds(self, profile: Profile) -> bool:
        """Whether ``profile`` meets all that is asked."""
        return (
            (not self.task_type or profile.task_type.value in self.task_type)
            and (not self.domain or profile.domain.value in self.domain)
            and (not self.tone or profile.tone.value in self.tone)
            and (not self.complexity or profile.complexity in self.complexity)
            and (not self.urgency or profile.urgency in self.urgency)
        )

    def __str__(self) -> str:
        named = (
            ("task_type", sorted(self.task_type)),
            ("domain", sorted(self.domain)),
            ("tone", sorted(self.tone)),
            ("complexity", [c.name.lower() for c in sorted(self.complexity)]),
            ("urgency", [u.name.lower() for u in sorted(self.urgency)]),
        )
        return " and ".join(f"{n} = {' or '.join(v)}" for n, v in named if v) or "always"


@dataclass(frozen=True, slots=True)
class Rule:
    """Where ``when`` holds, prefer ``use`` in that order."""

    when: Condition
    use: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.when} -> {', '.join(self.use)}"


DEFAULT_RULES = (
    Rule(Condition(complexity=frozenset({Complexity.LOW})), (TUNED, "cheap")),
    Rule(Condition(complexity=frozenset({Complexity.MEDIUM})), (TUNED, "middle")),
    Rule(Condition(complexity=frozenset({Complexity.HIGH})), (TUNED, "strong")),
)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Models that may serve, best first, and the rules that led there, most general first."""

    models: tuple[Model, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DecisionTree:
    """Rules and what bends them.

    Below ``min_confidence`` the reading is not trusted with a cheap model: choices of a tier move
    one up. A caller who minds the price moves them one down, one who does not, one up.
    """

    rules: tuple[Rule, ...] = DEFAULT_RULES
    min_confidence: float = 0.25

    @property
    def version(self) -> str:
        """Names the rules: equal for equal trees."""
        text = "\n".join(map(str, self.rules)) + f"\n{self.min_confidence}"
        return f"tree@{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def rank(
        self,
        profile: Profile | None,
        models: Sequence[Model],
        expectations: Mapping[str, Expectation],
    ) -> Ranking:
        """Order ``models``, which must not be empty.

        Without a profile (the classifier had no time) the middle tier is preferred.
        """
        if profile is None:
            ordered = _by_tier(Tier.MIDDLE, models, None, expectations)
            return Ranking(tuple(ordered), ("no reading of the prompt -> middle",))
        shift, reasons = self._shift(profile)
        rule = next((r for r in self.rules if r.when.holds(profile)), None)
        choices = rule.use if rule else ()
        reasons.insert(0, str(rule) if rule else "no rule holds -> by complexity")
        wanted = _clamp(_TIER_OF_COMPLEXITY[profile.complexity] + shift, models)
        ordered = []
        for choice in choices:
            found = _expand(choice, shift, wanted, models, profile, expectations)
            if choice == TUNED and found:
                asked = {profile.domain.value, profile.task_type.value}
                strengths = " and ".join(sorted(asked & found[0].strengths))
                reasons.append(f"{found[0].name} is tuned for {strengths}")
            ordered += found
        ordered += _by_tier(wanted, models, profile, expectations)
        # by name: a model's own hash covers all that is known of it
        return Ranking(tuple({m.name: m for m in ordered}.values()), tuple(reasons))

    def _shift(self, profile: Profile) -> tuple[int, list[str]]:
        shift, reasons = 0, []
        if profile.confidence < self.min_confidence:
            shift += 1
            reasons.append(
                f"confidence {profile.confidence:.2f} < {self.min_confidence:.2f} -> one tier up"
            )
        if profile.cost_sensitivity is CostSensitivity.LOW:
            shift += 1
            reasons.append("cost sensitivity = low -> one tier up")
        if profile.cost_sensitivity is CostSensitivity.HIGH:
            shift -= 1
            reasons.append("cost sensitivity = high -> one tier down")
        if profile.urgency is Urgency.HIGH:
            reasons.append("urgency = high -> the fastest of equals")
        return shift, reasons


def _expand(
    choice: str,
    shift: int,
    wanted: Tier,
    models: Sequence[Model],
    profile: Profile,
    expectations: Mapping[str, Expectation],
) -> list[Model]:
    if choice == TUNED:
        tuned = [m for m in models if is_tuned(m, profile) and m.tier >= wanted]
        return _by_tier(wanted, tuned, profile, expectations)
    if choice in TIERS:
        tier = _clamp(TIERS[choice] + shift, models)
        return _by_tier(tier, models, profile, expectations)
    return [m for m in models if m.name == choice]


def _clamp(tier: int, models: Sequence[Model]) -> Tier:
    """The nearest tier that any of ``models`` has, a stronger one where two are as near."""
    present = {m.tier for m in models}
    return min(present, key=lambda t: (abs(t - tier), -t))


def _by_tier(
    wanted: Tier,
    models: Sequence[Model],
    profile: Profile | None,
    expectations: Mapping[str, Expectation],
) -> list[Model]:
    """The wanted tier first, then stronger ones upwards, then weaker ones downwards.

    Within a tier: those without a weakness in the matter, then the cheapest (the fastest, where
    it is urgent), then the better.
    """
    urgent = profile is not None and profile.urgency is Urgency.HIGH

    def key(model: Model) -> tuple[float, ...]:
        expected = expectations[model.name]
        gap = model.tier - wanted
        price, wait = float(expected.cost_nanos), expected.first_token_s
        first, second = (wait, price) if urgent else (price, wait)
        weak = profile is not None and is_weak(model, profile)
        return (gap if gap >= 0 else 10 - gap, weak, first, second, -expected.quality)

    return sorted(models, key=lambda m: (key(m), tuple(-s for s in strength(m)), m.name))
