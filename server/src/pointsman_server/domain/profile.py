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


MULTI_STEP = "multi_step"
"""The task type whose tasks all take stages that depend on each other."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label, its calibrated probability, and every label's by falling score.

    ``sure`` says that the caller stated it, or that nine in ten readings of such confidence are
    right.
    """

    value: str
    confidence: float
    scores: tuple[tuple[str, float], ...] = ()
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """The reading of one prompt.

    ``confidence`` is the calibrated probability that what routing uses (task type, domain,
    complexity) is all right. ``complexity_score`` places the prompt between the grades of
    complexity: 0 is low, 0.5 medium, 1 high. ``multi_step`` is the calibrated probability that
    the task takes stages that depend on each other. ``expected_output_tokens`` is the median of
    how long a good answer may be, ``None`` where no classifier said so. ``prompt_tokens``
    estimates the whole conversation's length; ``duration_s`` is the time spent reading, without
    queueing. ``cost_sensitivity`` is known only where the caller stated it. What is ``_sure`` is
    so as in `Label`.
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
    complexity_score: float
    multi_step: float
    expected_output_tokens: int | None
    complexity_sure: bool = False
    urgency_sure: bool = False
    cost_sensitivity: CostSensitivity | None = None
    cost_sensitivity_confidence: float = 0.0

    def with_overrides(self, known: ProfileOverrides) -> Profile:
        """The profile with what the caller already knows in place of the classifier's reading."""
        changed = self
        if known.task_type is not None:
            changed = changed._with_task_type(known.task_type)
        if known.domain is not None:
            changed = replace(changed, domain=_stated(known.domain))
        if known.tone is not None:
            changed = replace(changed, tone=_stated(known.tone))
        if known.complexity is not None:
            changed = replace(
                changed,
                complexity=known.complexity,
                complexity_confidence=1.0,
                complexity_sure=True,
                complexity_score=_score(known.complexity),
            )
        if known.urgency is not None:
            changed = replace(
                changed, urgency=known.urgency, urgency_confidence=1.0, urgency_sure=True
            )
        if known.cost_sensitivity is not None:
            changed = replace(
                changed,
                cost_sensitivity=known.cost_sensitivity,
                cost_sensitivity_confidence=1.0,
            )
        return replace(changed, confidence=self._joint_confidence(known))

    def _with_task_type(self, stated: str) -> Profile:
        """The length that was read goes with the task that was read: it is no other task's."""
        same = stated == self.task_type.value
        return replace(
            self,
            task_type=_stated(stated),
            multi_step=1.0 if stated == MULTI_STEP else self.multi_step,
            expected_output_tokens=self.expected_output_tokens if same else None,
        )

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

    What was not stated is empty or in the middle, with confidence 0; no answer's length is known.
    The whole is as sure as the complexity, which decides most.
    """
    if known == ProfileOverrides():
        return None
    complexity = known.complexity or Complexity.MEDIUM
    return Profile(
        task_type=_stated(known.task_type),
        domain=_stated(known.domain),
        tone=_stated(known.tone),
        complexity=complexity,
        complexity_confidence=0.0 if known.complexity is None else 1.0,
        urgency=known.urgency or Urgency.NORMAL,
        urgency_confidence=0.0 if known.urgency is None else 1.0,
        confidence=0.0 if known.complexity is None else 1.0,
        prompt_tokens=prompt_tokens,
        truncated=False,
        classifier_version="",
        duration_s=0.0,
        complexity_score=_score(complexity),
        multi_step=1.0 if known.task_type == MULTI_STEP else 0.0,
        expected_output_tokens=None,
        complexity_sure=known.complexity is not None,
        urgency_sure=known.urgency is not None,
        cost_sensitivity=known.cost_sensitivity,
        cost_sensitivity_confidence=0.0 if known.cost_sensitivity is None else 1.0,
    )


def _stated(value: str | None) -> Label:
    return Label("", 0.0) if value is None else Label(value, 1.0, sure=True)


def _score(complexity: Complexity) -> float:
    """The grades spread evenly from 0 to 1."""
    lowest, highest = min(Complexity), max(Complexity)
    return (complexity - lowest) / (highest - lowest)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The open labels that the loaded classifier knows."""

    task_types: tuple[str, ...]
    domains: tuple[str, ...]
    tones: tuple[str, ...]
    classifier_version: str
