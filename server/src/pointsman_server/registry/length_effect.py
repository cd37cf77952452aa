"""How much longer a model takes to its first token for each token of the prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence

_LEAST_POINTS = 18
_LEAST_SPREAD = 2.0
"""How many times longer the long prompts must be than the short ones, for their times to tell."""
_NOISE = 2.0
"""How many standard errors a rise must exceed to be believed."""
_LEAST_BASE = 0.05
"""The least part of a short prompt's time that is taken to be owed to no token."""


def length_effect(points: Sequence[tuple[int, float]]) -> float:
    """By what share a time grows for each token, against a prompt of none; never negative.

    Reading a prompt takes a time in proportion to its tokens, on top of what any call takes. The
    line is J. W. Tukey's resistant one (Exploratory Data Analysis, 1977, chapter 10), through the
    medians of the third with the shortest prompts and of that with the longest: a few calls that
    are twenty times slower do not bend it. It is level where the prompts are too much alike, or
    the rise is no greater than chance would have it.

    Args:
        points: tokens of a prompt and its time in seconds, in any order.
    """
    third = len(points) // 3
    if third * 3 < _LEAST_POINTS:
        return 0.0
    ordered = sorted(points)
    few, least, spread = _middle(ordered[:third])
    many, most, wider = _middle(ordered[-third:])
    if many < _LEAST_SPREAD * max(few, 1):
        return 0.0
    rise = most - least
    # the standard error of a median of normal values is sqrt(pi / 2) times that of their mean
    if rise <= _NOISE * math.hypot(spread, wider) * math.sqrt(math.pi / 2 / third):
        return 0.0
    slope = rise / (many - few)
    return slope / max(least - slope * few, _LEAST_BASE * least)


def _middle(points: Sequence[tuple[int, float]]) -> tuple[int, float, float]:
    """The median of tokens, that of times, and the times' spread as a standard deviation.

    The spread is taken from the quartiles, which in a normal distribution lie 1.349 apart.
    """
    times = sorted(time for _, time in points)
    count = len(times)
    spread = (times[count * 3 // 4] - times[count // 4]) / 1.349
    return points[count // 2][0], times[count // 2], spread
