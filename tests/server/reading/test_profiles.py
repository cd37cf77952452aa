"""The classifier's reading in the server's own types."""

from __future__ import annotations

import pytest
from builders import VOCABULARY
from classifiers import HEADS, raw_profile
from pointsman_server.domain.profile import Complexity, Urgency
from pointsman_server.reading import to_profile


def test_every_reading_is_taken_over() -> None:
    profile = to_profile(raw_profile(), 40, VOCABULARY)
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
    profile = to_profile(raw_profile(sure=sure), 40, VOCABULARY)
    said = {
        "task_type": profile.task_type.sure,
        "complexity": profile.complexity_sure,
        "urgency": profile.urgency_sure,
        "domain": profile.domain.sure,
        "tone": profile.tone.sure,
    }
    assert [head for head, true in said.items() if true] == [sure]
