"""What a prompt's length makes of a first-token time."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.registry.length_effect import length_effect


def points(
    slope: float,
    *,
    count: int = 600,
    shortest: int = 50,
    longest: int = 8000,
    sigma: float = 0.4,
    slow: float = 0.0,
    seed: int = 3,
) -> list[tuple[int, float]]:
    """Prompts of lengths spread evenly on a logarithmic scale, each with its time in seconds."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        tokens = round(math.exp(chance.uniform(math.log(shortest), math.log(longest))))
        time = 0.2 * (1 + slope * tokens) * chance.lognormvariate(0, sigma)
        found.append((tokens, time * (20 if chance.random() < slow else 1)))
    return found


@pytest.mark.parametrize("slope", [0.0005, 0.002, 0.01])
@pytest.mark.parametrize("slow", [0.0, 0.02, 0.1])
def test_a_rise_is_found(slope: float, slow: float) -> None:
    """Times that grow with the tokens are seen to, and a few very slow calls do not matter."""
    found = length_effect(points(slope, slow=slow))
    assert (1 + found * 4000) / (1 + slope * 4000) == pytest.approx(1.0, rel=0.35)


def test_exactly_on_a_line() -> None:
    """Where times lie on a line, its slope is found, in parts of the time at no token."""
    line = [(tokens, 0.5 + 0.001 * tokens) for tokens in range(100, 1000, 10)]
    assert length_effect(line) == pytest.approx(0.002)
    assert length_effect(line[::-1]) == length_effect(line)


@pytest.mark.parametrize("seed", range(10))
def test_no_rise_is_not_made_one(seed: int) -> None:
    """Where the length does not matter, chance is not taken for an effect (but in 1 of 40)."""
    assert length_effect(points(0.0, seed=seed)) == 0.0


def test_shorter_is_never_slower() -> None:
    """Times that fall with the tokens owe it to something else."""
    assert length_effect([(tokens, 10.0 - tokens / 1000) for tokens in range(0, 9000, 10)]) == 0.0


def test_prompts_too_much_alike() -> None:
    """Prompts of nearly the same length say nothing of other lengths."""
    assert length_effect(points(0.01, shortest=100, longest=150)) == 0.0


def test_too_few() -> None:
    """A handful of calls is no evidence."""
    line = [(tokens, 0.5 + 0.001 * tokens) for tokens in range(100, 1000, 50)]
    assert length_effect(line) > 0
    assert length_effect(line[1:]) == 0.0
    assert length_effect([]) == 0.0


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0.0, 1e4)), max_size=80))
def test_never_negative_nor_infinite(observations: list[tuple[int, float]]) -> None:
    """Whatever was observed, the effect is a finite number from 0 up."""
    effect = length_effect(observations)
    assert 0.0 <= effect < math.inf
