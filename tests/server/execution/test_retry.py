"""Whether and when the same model is called again."""

from __future__ import annotations

import pytest
from builders import make_failure
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain.attempts import FailureKind
from pointsman_server.execution.retry import RetryPolicy

KINDS = st.sampled_from(FailureKind)
RANDOM = st.floats(0.0, 1.0, exclude_max=True)


@given(kind=KINDS, retries=st.integers(0, 5000), random=RANDOM)
def test_the_wait_is_within_its_bounds(kind: FailureKind, retries: int, random: float) -> None:
    """A wait is at least 0 and at most the ceiling, however many retries there were."""
    policy = RetryPolicy(max_retries=10_000, base_delay_s=0.1, max_delay_s=2.0)
    wait = policy.delay(make_failure(kind), retries, lambda: random)
    if not kind.transient:
        assert wait is None
        return
    assert wait is not None
    assert 0 <= wait <= 2.0
    assert wait <= 0.1 * 2 ** min(retries, 10)


@pytest.mark.parametrize(("retries", "ceiling"), [(0, 0.5), (1, 1.0), (2, 2.0), (3, 3.0), (9, 3.0)])
def test_the_ceiling_doubles_up_to_its_own(retries: int, ceiling: float) -> None:
    """The longest wait doubles with each retry until it is max_delay_s."""
    policy = RetryPolicy(max_retries=10, base_delay_s=0.5, max_delay_s=3.0)
    assert policy.delay(make_failure(), retries, lambda: 0.5) == ceiling / 2


def test_full_jitter() -> None:
    """A wait may be anything from nothing on, so that callers do not come back together."""
    policy = RetryPolicy(base_delay_s=1.0)
    assert policy.delay(make_failure(), 0, lambda: 0.0) == 0.0


@given(kind=KINDS, retries=st.integers(0, 5), retry_after=st.one_of(st.none(), st.floats(0, 9)))
def test_only_so_many_retries(kind: FailureKind, retries: int, retry_after: float | None) -> None:
    """After max_retries there is no other, not even where the provider names a time."""
    policy = RetryPolicy(max_retries=2)
    wait = policy.delay(make_failure(kind, retry_after), retries, lambda: 0.0)
    if retries >= 2:
        assert wait is None


@given(retry_after=st.floats(0.0, 3600.0), random=RANDOM)
def test_retry_after_is_kept_or_not_waited_for(retry_after: float, random: float) -> None:
    """A Retry-After is waited for exactly, or, where it is too long, not at all."""
    policy = RetryPolicy(max_retry_after_s=1.0)
    failure = make_failure(FailureKind.RATE_LIMITED, retry_after)
    wait = policy.delay(failure, 0, lambda: random)
    assert wait == (retry_after if retry_after <= 1.0 else None)


@pytest.mark.parametrize("bad", [{"max_retries": -1}, {"max_attempts": 0}])
def test_bounds_that_make_no_sense_are_refused(bad: dict[str, int]) -> None:
    """A policy makes at least one attempt."""
    with pytest.raises(ValueError, match="or more"):
        RetryPolicy(**bad)
