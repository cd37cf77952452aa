"""Limits of time."""

from __future__ import annotations

import pytest
from pointsman_server.execution.timeout import TimeoutPolicy


@pytest.mark.parametrize("name", ["first_token_s", "idle_s", "total_s"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_limit_is_over_zero(name: str, value: float) -> None:
    """A limit of no time at all, or of no number at all, is refused by name."""
    with pytest.raises(ValueError, match=name):
        TimeoutPolicy(**{name: value})


def test_defaults_are_ordered() -> None:
    """A request without a deadline outlasts each of its parts."""
    policy = TimeoutPolicy()
    assert max(policy.first_token_s, policy.idle_s) < policy.total_s
