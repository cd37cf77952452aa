"""What a prompt asks for, before any model is chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum


class Complexity(IntEnum):
    """How hard a prompt is, by the strength of model that it takes."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


class Urgency(IntEnum):
    """How soon an answer is needed."""

    LOW = 1
    NORMAL = 2
    HIGH = 3


class CostSensitivity(IntEnum):
    """How much price weighs against quality."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class Label:
    """A label, its calibrated probability, and every label's by falling score."""

    value: str
    confidence: float
    scores: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """The reading of one prompt.

    ``confidence`` is the calibrated probability that what routing uses (task type, domain,
    complexity) is all right. ``prompt_tokens`` estimates the whole conversation's length;
    ``duration_s`` is the time spent reading, without queueing. ``cost_sensitivity`` is known only
    where the caller stated it.
    """

    task_type: Label
    domain: Label
    tone: Label
    complexity: Complexity
    complexity_confidence: float
    urgency: Urgency
    urgency_confidence: float
    confidence: float
    prompt_tokens: int
    truncated: bool
    classifier_version: str
    duration_s: float
    cost_sensitivity: CostSensitivity | None = None
    cost_sensitivity_confidence: float = 0.0

    def with_overrides(self, known: ProfileOverrides) -> Profile:
        """The profile with what the caller already knows in place of the classifier's reading."""
        changed = self
        if known.task_type is not None:
            changed = replace(changed, task_type=Label(known.task_type, 1.0))
        if known.domain is not None:
            changed = replace(changed, domain=Label(known.domain, 1.0))
        if known.tone is not None:
            changed = replace(changed, tone=Label(known.tone, 1.0))
        if known.complexity is not None:
            changed = replace(changed, complexity=known.complexity, complexity_confidence=1.0)
        if known.urgency is not None:
            changed = replace(changed, urgency=known.urgency, urgency_confidence=1.0)
        if known.cost_sensitivity is not None:
            changed = replace(
                changed,
                cost_sensitivity=known.cost_sensitivity,
                cost_sensitivity_confidence=1.0,
            )
        return replace(changed, confidence=self._joint_confidence(known))

    def _joint_confidence(self, known: ProfileOverrides) -> float:
        """The joint confidence once some heads are certain: that of the one left, where one is."""
        heads = (
            (known.task_type, self.task_type.confidence),
            (known.domain, self.domain.confidence),
            (known.complexity, self.complexity_confidence),
        )
        unsure = [confidence for value, confidence in heads if value is None]
        if len(unsure) > 1:
            return self.confidence
        return unsure[0] if unsure else 1.0


@dataclass(frozen=True, slots=True)
class ProfileOverrides:
    """What a caller already knows of a prompt; ``None`` leaves the reading as it is."""

    task_type: str | None = None
    domain: str | None = None
    tone: str | None = None
    complexity: Complexity | None = None
    urgency: Urgency | None = None
    cost_sensitivity: CostSensitivity | None = None


def stated_profile(known: ProfileOverrides, prompt_tokens: int) -> Profile | None:
    """What the caller stated, as a profile without a reading; ``None`` where that is nothing.

    What was not stated is empty or in the middle, with confidence 0. The whole is as sure as the
    complexity, which decides most.
    """
    if known == ProfileOverrides():
        return None
    return Profile(
        task_type=_stated(known.task_type),
        domain=_stated(known.domain),
        tone=_stated(known.tone),
        complexity=known.complexity or Complexity.MEDIUM,
        complexity_confidence=0.0 if known.complexity is None else 1.0,
        urgency=known.urgency or Urgency.NORMAL,
        urgency_confidence=0.0 if known.urgency is None else 1.0,
        confidence=0.0 if known.complexity is None else 1.0,
        prompt_tokens=prompt_tokens,
        truncated=False,
        classifier_version="",
        duration_s=0.0,
        cost_sensitivity=known.cost_sensitivity,
        cost_sensitivity_confidence=0.0 if known.cost_sensitivity is None else 1.0,
    )


def _stated(value: str | None) -> Label:
    return Label("", 0.0) if value is None else Label(value, 1.0)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The open labels that the loaded classifier knows."""

    task_types: tuple[str, ...]
    domains: tuple[str, ...]
    tones: tuple[str, ...]
    classifier_version: str
