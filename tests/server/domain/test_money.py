"""Money: whole nano-dollars, exact sums."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain.money import NANOS_PER_USD, Pricing, Usage

PER_MILLION = st.integers(0, 10**12)
TOKENS = st.integers(0, 10**9)

pricings = st.builds(Pricing, PER_MILLION, PER_MILLION, PER_MILLION)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    input_tokens, output_tokens = draw(TOKENS), draw(TOKENS)
    return Usage(
        input_tokens=input_tokens,
        cached_input_tokens=draw(st.integers(0, input_tokens)),
        output_tokens=output_tokens,
        reasoning_tokens=draw(st.integers(0, output_tokens)),
        cost_nanos=draw(TOKENS),
        estimated=draw(st.booleans()),
    )


@given(pricing=pricings, usage=usages())
def test_a_cost_is_exact_and_rounded_up(pricing: Pricing, usage: Usage) -> None:
    """A cost is what fractions say, rounded up to a whole nano-dollar, at any size."""
    million = 1_000_000
    exact = (
        (usage.input_tokens - usage.cached_input_tokens) * Fraction(pricing.input, million)
        + usage.cached_input_tokens * Fraction(pricing.cached_input, million)
        + usage.output_tokens * Fraction(pricing.output, million)
    )
    assert pricing.cost(usage) == ceil(exact)


@given(pricing=pricings, usage=usages())
def test_pricing_changes_nothing_but_the_cost(pricing: Pricing, usage: Usage) -> None:
    """Pricing fills in the cost and keeps every count."""
    priced = pricing.priced(usage)
    assert priced.cost_nanos == pricing.cost(usage)
    counts = (priced.input_tokens, priced.cached_input_tokens, priced.output_tokens)
    assert counts == (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens)
    assert priced.reasoning_tokens == usage.reasoning_tokens
    assert priced.estimated == usage.estimated


@given(st.lists(usages(), min_size=1))
def test_sums_are_exact(parts: list[Usage]) -> None:
    """A sum is the sum of each count, and estimated as soon as one part of it is."""
    total = Usage()
    for part in parts:
        total += part
    assert total.cost_nanos == sum(p.cost_nanos for p in parts)
    assert total.input_tokens == sum(p.input_tokens for p in parts)
    assert total.cached_input_tokens == sum(p.cached_input_tokens for p in parts)
    assert total.output_tokens == sum(p.output_tokens for p in parts)
    assert total.reasoning_tokens == sum(p.reasoning_tokens for p in parts)
    assert total.estimated == any(p.estimated for p in parts)


def test_the_smallest_cost() -> None:
    """One token at a millionth of a nano-dollar costs a whole one: never nothing."""
    assert Pricing(input=1).cost(Usage(input_tokens=1)) == 1
    assert Pricing(input=1).cost(Usage(output_tokens=1)) == 0


def test_a_price_as_people_write_it() -> None:
    """A million tokens at 2.50 dollars a million cost 2.50 dollars."""
    pricing = Pricing(input=2_500_000_000)
    assert pricing.cost(Usage(input_tokens=1_000_000)) == 2.5 * NANOS_PER_USD
