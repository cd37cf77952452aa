"""When a hedge fires: the quantile of first-token times that the allowed extra cost implies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_server.domain.model import Model
from pointsman_server.domain.profile import Profile, Urgency
from pointsman_server.registry.health import HealthView


@dataclass(frozen=True, slots=True)
class HedgePolicy:
    """How much hedging may cost, as a share of calls that get a second one.

    A hedge fires at the (1 - ``extra_share``) quantile of the model's own recent first-token
    times, so that about that share of calls fires one; the quantile follows the provider when it
    slows down, where a fixed delay would fire on everything. Until there are enough observations
    the registry's prior times ``prior_factor`` serves. Urgent requests hedge at ``urgent_factor``
    of the delay, and no hedge fires before ``min_delay_s``.
    """

    extra_share: float = 0.05
    prior_factor: float = 4.0
    urgent_factor: float = 0.5
    min_delay_s: float = 0.02

    def delay(
        self, model: Model, profile: Profile | None, prompt_tokens: int, health: HealthView
    ) -> float | None:
        """Seconds from the start of a call to ``model`` until its hedge; ``None`` for never."""
        if self.extra_share <= 0:
            return None
        learned = health.first_token_quantile(model.name, prompt_tokens, 1 - self.extra_share)
        delay = self.prior_factor * model.latency.first_token_s if learned is None else learned
        if math.isinf(delay):
            return None  # more calls were given up on than may be hedged: it is down, not slow
        if profile is not None and profile.urgency is Urgency.HIGH:
            delay *= self.urgent_factor
        return max(delay, self.min_delay_s)


def hedge_partner(primary: Model, fallbacks: Sequence[Model]) -> Model | None:
    """The first fallback that does not share the primary's fate: another provider and machine."""
    for model in fallbacks:
        same_machine = model.machine is not None and model.machine == primary.machine
        if model.provider != primary.provider and not same_machine:
            return model
    return None
