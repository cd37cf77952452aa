"""When a hedge fires: the quantile of first-token times that the allowed extra cost implies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_server.domain.model import Model
from pointsman_server.domain.profile import Profile, Urgency
from pointsman_server.registry.health import HealthView

_MOST_URGENT_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class HedgePolicy:
    """How much hedging may cost, as a share of calls that get a second one.

    A hedge is due at the (1 - ``extra_share``) quantile of the model's own recent first-token
    times for such a prompt, so that about that share of calls wants one; the quantile follows the
    provider when it slows down, where a fixed delay would fire on everything. Whether one that is
    due is also affordable, the `HedgeBudget` says. Until there are enough observations the
    registry's prior times ``prior_factor`` serves. Of urgent requests ``urgent_factor`` times as
    many want a hedge, but not more than half. No hedge fires before ``min_delay_s``.
    """

    extra_share: float = 0.05
    prior_factor: float = 4.0
    urgent_factor: float = 3.0
    min_delay_s: float = 0.02

    def delay(
        self, model: Model, profile: Profile | None, prompt_tokens: int, health: HealthView
    ) -> float | None:
        """Seconds from the start of a call to ``model`` until its hedge; ``None`` for never."""
        if self.extra_share <= 0:
            return None
        q = 1 - self._wanting(profile)
        delay = health.first_token_quantile(model.name, prompt_tokens, q)
        if delay is None:
            delay = self.prior_factor * model.latency.first_token_s
        elif math.isinf(delay):
            delay = self._beyond(model, prompt_tokens, health)
        return None if delay is None else max(delay, self.min_delay_s)

    def _wanting(self, profile: Profile | None) -> float:
        """The share of such requests that wants a hedge."""
        if profile is None or profile.urgency is not Urgency.HIGH:
            return self.extra_share
        most = max(self.extra_share, _MOST_URGENT_SHARE)
        return min(self.urgent_factor * self.extra_share, most)

    @staticmethod
    def _beyond(model: Model, prompt_tokens: int, health: HealthView) -> float | None:
        """The delay where the quantile is longer than anybody waited: as long as anybody did.

        A model that most calls were given up on is not slow but down: no hedge, but a fallback.
        """
        usual = health.first_token_quantile(model.name, prompt_tokens, 0.5)
        if usual is None or math.isinf(usual):
            return None
        return health.longest_wait(model.name, prompt_tokens)


def hedge_partner(primary: Model, fallbacks: Sequence[Model]) -> Model | None:
    """The first fallback that does not share the primary's fate: another provider and machine."""
    for model in fallbacks:
        same_machine = model.machine is not None and model.machine == primary.machine
        if model.provider != primary.provider and not same_machine:
            return model
    return None
