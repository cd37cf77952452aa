"""What the caller knows replaces what the classifier read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import make_profile
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain.profile import (
    Complexity,
    CostSensitivity,
    Label,
    ProfileOverrides,
    Urgency,
    stated_profile,
)

KNOWN: dict[str, object] = {
    "task_type": "code",
    "domain": "law",
    "tone": "frustrated",
    "complexity": Complexity.HIGH,
    "urgency": Urgency.HIGH,
    "cost_sensitivity": CostSensitivity.LOW,
}


def test_nothing_known_changes_nothing() -> None:
    """Without overrides the reading stays as it is."""
    profile = make_profile()
    assert profile.with_overrides(ProfileOverrides()) == profile


@given(st.sets(st.sampled_from(sorted(KNOWN))))
def test_what_is_known_is_certain(names: set[str]) -> None:
    """Each field that the caller knows is taken over, surely, and every other one is kept."""
    profile = make_profile()
    overrides = ProfileOverrides(**{n: KNOWN[n] for n in names})  # type: ignore[arg-type]
    changed = profile.with_overrides(overrides)
    for name in KNOWN:
        before, after = getattr(profile, name), getattr(changed, name)
        if name not in names:
            assert after == before
        elif isinstance(after, Label):
            assert after == Label(str(KNOWN[name]), 1.0, sure=True)
        else:
            assert after == KNOWN[name]
            assert getattr(changed, f"{name}_confidence") == 1.0
            assert getattr(changed, f"{name}_sure", True)
    kept = ("prompt_tokens", "truncated", "classifier_version", "duration_s")
    assert all(getattr(changed, n) == getattr(profile, n) for n in kept)


@pytest.mark.parametrize(
    ("names", "confidence"),
    [
        ((), 0.5),
        (("tone", "urgency", "cost_sensitivity"), 0.5),
        (("task_type",), 0.5),
        (("task_type", "domain"), 0.6),
        (("task_type", "complexity"), 0.8),
        (("domain", "complexity"), 0.9),
        (("task_type", "domain", "complexity"), 1.0),
    ],
)
def test_the_joint_confidence(names: tuple[str, ...], confidence: float) -> None:
    """It is certain once all that routing uses is known, and the last one's where one is left."""
    profile = replace(make_profile(), confidence=0.5)
    overrides = ProfileOverrides(**{n: KNOWN[n] for n in names})  # type: ignore[arg-type]
    assert profile.with_overrides(overrides).confidence == confidence


def test_an_answers_length_goes_with_the_task_that_was_read() -> None:
    """It is kept where the caller states the same task, and unknown where another."""
    profile = make_profile(task_type="code", expected_output_tokens=77)
    same = profile.with_overrides(ProfileOverrides(task_type="code", domain="law"))
    assert same.expected_output_tokens == 77
    other = profile.with_overrides(ProfileOverrides(task_type="analysis"))
    assert other.expected_output_tokens is None
    assert other.multi_step == profile.multi_step


@pytest.mark.parametrize(
    ("complexity", "score"),
    [(Complexity.LOW, 0.0), (Complexity.MEDIUM, 0.5), (Complexity.HIGH, 1.0)],
)
def test_a_known_complexity_is_a_grade_of_the_score(complexity: Complexity, score: float) -> None:
    """Override and statement alike put the prompt on its grade."""
    known = ProfileOverrides(complexity=complexity)
    stated = stated_profile(known, 9)
    assert stated is not None
    for profile in (make_profile().with_overrides(known), stated):
        assert (profile.complexity_score, profile.complexity_sure) == (score, True)


def test_a_task_of_several_steps_takes_several_steps() -> None:
    """Whoever states that task type has stated that too."""
    known = ProfileOverrides(task_type="multi_step")
    stated = stated_profile(known, 9)
    assert stated is not None
    assert make_profile().with_overrides(known).multi_step == stated.multi_step == 1.0


def test_a_stated_profile_knows_no_more_than_was_stated() -> None:
    """What was not stated is not sure, and nobody has said how long the answer is."""
    assert stated_profile(ProfileOverrides(), 9) is None
    profile = stated_profile(ProfileOverrides(tone="neutral", urgency=Urgency.LOW), 9)
    assert profile is not None
    assert (profile.tone.sure, profile.urgency_sure) == (True, True)
    guessed = (profile.task_type.sure, profile.domain.sure, profile.complexity_sure)
    assert not any(guessed)
    assert (profile.complexity_score, profile.multi_step) == (0.5, 0.0)
    assert profile.expected_output_tokens is None
