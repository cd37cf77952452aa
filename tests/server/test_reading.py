"""The classifier's reading in the server's own types."""

from __future__ import annotations

import pytest
from builders import VOCABULARY
from pointsman_classifier import Profile, Reading
from pointsman_server.domain.profile import Complexity, Urgency
from pointsman_server.reading import to_profile

HEADS = ("task_type", "complexity", "urgency", "domain", "tone")


def raw(*, sure: str = "") -> Profile:
    """What the classifier hands back, sure of one head or of none."""

    def reading(head: str, value: str) -> Reading:
        return Reading(value, 0.8, ((value, 0.8), ("other", 0.2)), sure=head == sure)

    return Profile(
        task_type=reading("task_type", "code"),
        complexity=reading("complexity", "high"),
        urgency=reading("urgency", "low"),
        domain=reading("domain", "law"),
        tone=reading("tone", "casual"),
        confidence=0.7,
        complexity_score=0.9,
        multi_step=0.3,
        output_tokens=321,
        tokens=12,
        truncated=True,
        duration_s=0.001,
    )


def test_every_reading_is_taken_over() -> None:
    profile = to_profile(raw(), 40, VOCABULARY)
    labels = (profile.task_type, profile.domain, profile.tone)
    assert [label.value for label in labels] == ["code", "law", "casual"]
    assert all(label.scores == ((label.value, 0.8), ("other", 0.2)) for label in labels)
    assert (profile.complexity, profile.complexity_confidence) == (Complexity.HIGH, 0.8)
    assert (profile.urgency, profile.urgency_confidence) == (Urgency.LOW, 0.8)
    assert (profile.confidence, profile.complexity_score, profile.multi_step) == (0.7, 0.9, 0.3)
    assert (profile.expected_output_tokens, profile.prompt_tokens) == (321, 40)
    assert (profile.truncated, profile.classifier_version) == (True, "test")


@pytest.mark.parametrize("sure", HEADS)
def test_what_is_sure_stays_sure(sure: str) -> None:
    profile = to_profile(raw(sure=sure), 40, VOCABULARY)
    said = {
        "task_type": profile.task_type.sure,
        "complexity": profile.complexity_sure,
        "urgency": profile.urgency_sure,
        "domain": profile.domain.sure,
        "tone": profile.tone.sure,
    }
    assert [head for head, true in said.items() if true] == [sure]
