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
            assert after == Label(str(KNOWN[name]), 1.0)
        else:
            assert after == KNOWN[name]
            assert getattr(changed, f"{name}_confidence") == 1.0
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
