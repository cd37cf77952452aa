"""The registry's snapshot."""

from __future__ import annotations

import pytest
from builders import make_model
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.domain.errors import NotFound
from pointsman_server.domain.model import Model, Tier
from pointsman_server.registry.registry import Registry, strongest


@given(st.lists(st.text(min_size=1, max_size=5), unique=True))
def test_models_in_name_order(names: list[str]) -> None:
    """A registry has its models in name order, whatever order they came in."""
    registry = Registry(make_model(n) for n in names)
    assert [m.name for m in registry] == sorted(names)
    assert len(registry) == len(names)
    assert all(n in registry and registry.get(n).name == n for n in names)


def test_a_name_is_defined_once() -> None:
    """Two models of one name are refused, by that name."""
    with pytest.raises(ValueError, match="'a' is defined twice"):
        Registry([make_model("a"), make_model("b"), make_model("a")])


def test_unknown_names_are_not_found() -> None:
    """A name that the registry does not have is NotFound, and says which."""
    with pytest.raises(NotFound, match="'b'") as caught:
        Registry([make_model("a")]).get("b")
    assert caught.value.resource_type == "model"
    assert caught.value.__suppress_context__


def test_a_registry_never_changes() -> None:
    """The view by name cannot be written to."""
    with pytest.raises(TypeError):
        Registry([]).by_name["a"] = make_model("a")  # type: ignore[index]


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        (
            make_model("z", Tier.MIDDLE, price=(9, 9), quality_priors={"code": 1.0}),
            make_model("a", Tier.STRONG, price=(1, 1)),
        ),
        (
            make_model("z", price=(9, 9), quality_priors={"code": 0.5, "analysis": 0.7}),
            make_model("a", price=(1, 1), quality_priors={"code": 0.7}),
        ),
        (make_model("z", price=(9, 1)), make_model("a", price=(1, 2))),
    ],
    ids=["tier first", "then quality", "then price"],
)
def test_the_strongest(weaker: Model, stronger: Model) -> None:
    """The strongest model is that of the highest tier, then of the best prior, then the dearest."""
    assert strongest([weaker, stronger]) is stronger
    assert strongest([stronger, weaker]) is stronger


def test_nobody_is_the_strongest_of_none() -> None:
    """An empty registry has no strongest model."""
    with pytest.raises(ValueError, match="empty"):
        strongest([])
