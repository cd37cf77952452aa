"""The registry: an immutable snapshot of models, swapped whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from pointsman_server.domain.errors import NotFound
from pointsman_server.domain.model import Model


class Registry:
    """Models by name, in name order. Never changes: a new registry replaces an old one."""

    def __init__(self, models: Iterable[Model]) -> None:
        by_name: dict[str, Model] = {}
        for model in sorted(models, key=lambda m: m.name):
            if model.name in by_name:
                raise ValueError(f"the model {model.name!r} is defined twice")
            by_name[model.name] = model
        self._models: Mapping[str, Model] = MappingProxyType(by_name)

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    def __contains__(self, name: object) -> bool:
        return name in self._models

    @property
    def by_name(self) -> Mapping[str, Model]:
        """A read-only view, name to model."""
        return self._models

    def get(self, name: str) -> Model:
        """The model called ``name``.

        Raises:
            NotFound: there is none.
        """
        try:
            return self._models[name]
        except KeyError:
            raise NotFound("model", name) from None


def strength(model: Model) -> tuple[int, float, int]:
    """A sort key: tier, then mean prior quality, then price. The greatest is the strongest."""
    priors = model.quality_priors.values()
    mean = sum(priors) / len(priors) if priors else 0.0
    return (model.tier, mean, model.pricing.output)


def strongest(models: Iterable[Model]) -> Model:
    """The strongest of ``models``: what one would call for everything, without a router.

    Raises:
        ValueError: there are none.
    """
    return max(models, key=strength)
