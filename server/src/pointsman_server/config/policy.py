"""The policy section to a `RoutingPolicy`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cache
from typing import TypeVar

from pointsman_classifier import Classifier

from pointsman_server.config.document import Location
from pointsman_server.config.errors import Problem
from pointsman_server.config.schema import PolicySection, RuleSection
from pointsman_server.config.source import Source
from pointsman_server.domain.profile import Complexity, Urgency
from pointsman_server.routing.hedging import HedgePolicy
from pointsman_server.routing.router import RoutingPolicy
from pointsman_server.routing.tree import DEFAULT_RULES, TIERS, TUNED, Condition, DecisionTree, Rule

S = TypeVar("S", bound=IntEnum)


def routing_policy(
    section: PolicySection, models: Sequence[str], source: Source
) -> tuple[RoutingPolicy, list[Problem]]:
    """The policy, and what is wrong with its rules."""
    problems: list[Problem] = []
    rules: tuple[Rule, ...] = DEFAULT_RULES
    if section.tree is not None:
        rules = tuple(
            _rule(rule, ("policy", "tree", i), models, source, problems)
            for i, rule in enumerate(section.tree)
        )
    policy = RoutingPolicy(
        tree=DecisionTree(rules, section.min_confidence),
        hedge=HedgePolicy(
            extra_share=section.hedge.extra_cost, min_delay_s=section.hedge.min_delay
        ),
        default_output_bound=section.max_output_tokens,
    )
    return policy, problems


@cache
def known_labels() -> Mapping[str, Sequence[str]]:
    """What the classifier can say, by head."""
    return Classifier.load().labels


def _rule(
    rule: RuleSection,
    at: Location,
    models: Sequence[str],
    source: Source,
    problems: list[Problem],
) -> Rule:
    for i, choice in enumerate(rule.use):
        if choice not in TIERS and choice != TUNED and choice not in models:
            where = (*at, "use", i)
            choices = ", ".join([*TIERS, TUNED, *models])
            problems.append(
                source.problem(where, f"{choice!r} is neither a tier nor a model", choices)
            )
    when = rule.when
    labels = known_labels()
    for name, written in (
        ("task_type", when.task_type),
        ("domain", when.domain),
        ("tone", when.tone),
    ):
        for label in written:
            if label not in labels[name]:
                cause = f"{label!r} is not one of {', '.join(labels[name])}"
                problems.append(source.problem((*at, "when", name), cause))
    condition = Condition(
        task_type=frozenset(when.task_type),
        domain=frozenset(when.domain),
        tone=frozenset(when.tone),
        complexity=_scale(
            when.complexity, Complexity.__members__, (*at, "when", "complexity"), source, problems
        ),
        urgency=_scale(
            when.urgency, Urgency.__members__, (*at, "when", "urgency"), source, problems
        ),
    )
    return Rule(condition, tuple(rule.use))


def _scale(
    values: Sequence[str],
    members: Mapping[str, S],
    at: Location,
    source: Source,
    problems: list[Problem],
) -> frozenset[S]:
    found = set()
    for value in values:
        member = members.get(value.upper())
        if member is None:
            known = ", ".join(name.lower() for name in members)
            problems.append(source.problem(at, f"{value!r} is not one of {known}"))
        else:
            found.add(member)
    return frozenset(found)
