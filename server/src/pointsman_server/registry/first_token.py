"""First-token times of one model, whatever the length of the prompts."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from pointsman_server.registry.length_effect import length_effect
from pointsman_server.registry.quantiles import SurvivalWindow

WINDOW = 600
"""How many calls are remembered."""

_FIRST_FIT = 30
_REFIT_EVERY = 150
_WORTH_IT = 0.05
"""A change of the length's effect by less, on the longest prompts, is not taken up."""


class Wait(NamedTuple):
    """How long one call waited for its first token.

    Attributes:
        prompt_tokens: the length of its prompt.
        seconds: how long it waited.
        cut: it was given up on before there was a first token.
        telling: it says how fast the model is even by itself: there was a first token, or it was
            waited for as long as anybody would.
    """

    prompt_tokens: int
    seconds: float
    cut: bool
    telling: bool


class FirstTokenTimes:
    """The last `WINDOW` waits, as one distribution for prompts of all lengths.

    A long prompt takes longer to read. So each wait is divided by what its prompt's length makes of
    a wait, which is learned from the same waits, and a quantile is multiplied by it again: all
    lengths share one window, and one that was never seen has its quantiles too.
    """

    def __init__(self) -> None:
        self._waits: deque[Wait] = deque()
        self._even = SurvivalWindow(WINDOW)
        self._slope = 0.0
        self._until_fit = _FIRST_FIT
        self.telling = 0

    def add(self, wait: Wait) -> None:
        """Learn from a wait."""
        if len(self._waits) == WINDOW:
            self.telling -= self._waits.popleft().telling
        self._waits.append(wait)
        self.telling += wait.telling
        self._even.add(wait.seconds / self._factor(wait.prompt_tokens), cut=wait.cut)
        self._until_fit -= 1
        if self._until_fit == 0:
            self._fit()

    def quantile(self, prompt_tokens: int, q: float) -> float | None:
        """Seconds that a share ``q`` of such prompts wait less than.

        ``None`` while nothing was added; ``math.inf`` where so many were given up on that the
        quantile lies beyond what was waited for.
        """
        even = self._even.quantile(q)
        return None if even is None else even * self._factor(prompt_tokens)

    def longest(self, prompt_tokens: int) -> float | None:
        """The longest wait of all, as it would have been for such a prompt, in seconds."""
        even = self._even.greatest
        return None if even is None else even * self._factor(prompt_tokens)

    def overall(self) -> SurvivalWindow:
        """The waits as they were, each with its own prompt. Costs a sort."""
        window = SurvivalWindow(WINDOW)
        window.replace((wait.seconds, wait.cut) for wait in self._waits)
        return window

    def _factor(self, prompt_tokens: int) -> float:
        return 1.0 + self._slope * prompt_tokens

    def _fit(self) -> None:
        """Learn the length's effect anew; costs about half a millisecond, every so often."""
        self._until_fit = min(len(self._waits), _REFIT_EVERY)
        seen = [(wait.prompt_tokens, wait.seconds) for wait in self._waits if not wait.cut]
        slope = length_effect(seen)
        longest = max((wait.prompt_tokens for wait in self._waits), default=0)
        change = (1.0 + slope * longest) / self._factor(longest) - 1.0
        if abs(change) > _WORTH_IT:
            self._slope = slope
            self._even.replace(
                (wait.seconds / self._factor(wait.prompt_tokens), wait.cut) for wait in self._waits
            )
