"""The classifier's reading in the server's own types."""

from __future__ import annotations

from pointsman_classifier import Profile as RawProfile
from pointsman_classifier import Reading as RawReading

from pointsman_server.domain.profile import Complexity, Label, Profile, Urgency, Vocabulary

_COMPLEXITIES = {"low": Complexity.LOW, "medium": Complexity.MEDIUM, "high": Complexity.HIGH}
_URGENCIES = {"low": Urgency.LOW, "normal": Urgency.NORMAL, "high": Urgency.HIGH}


def to_profile(raw: RawProfile, prompt_tokens: int, vocabulary: Vocabulary) -> Profile:
    """The classifier's reading in the server's own types."""
    return Profile(
        task_type=_label(raw.task_type),
        domain=_label(raw.domain),
        tone=_label(raw.tone),
        complexity=_COMPLEXITIES[raw.complexity.value],
        complexity_confidence=raw.complexity.confidence,
        urgency=_URGENCIES[raw.urgency.value],
        urgency_confidence=raw.urgency.confidence,
        confidence=raw.confidence,
        prompt_tokens=prompt_tokens,
        truncated=raw.truncated,
        classifier_version=vocabulary.classifier_version,
        duration_s=raw.duration_s,
        complexity_score=raw.complexity_score,
        multi_step=raw.multi_step,
        expected_output_tokens=raw.output_tokens,
        complexity_sure=raw.complexity.sure,
        urgency_sure=raw.urgency.sure,
    )


def _label(raw: RawReading) -> Label:
    return Label(raw.value, raw.confidence, raw.scores, raw.sure)
