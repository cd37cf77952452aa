"""Measures how long one prompt takes, by its length."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from pointsman_classifier.classifier import Classifier

_BUCKETS: Final = {"16": (12, 20), "64": (56, 72), "128": (116, 140)}
_LONG_CHARS: Final = {"512": 2_500, "20,000": 100_000, "200,000": 1_000_000}


def measure_times(
    classifier: Classifier, texts: Sequence[str], rounds: int
) -> dict[str, dict[str, float]]:
    """By tokens: ``p50_ms`` and ``p99_ms`` of text to profile, in this thread.

    The lengths take turns, so that a noisy moment falls on all alike; real prompts are read, each
    many different ones, so that no length lives on one text in the cache.
    """
    lengths = [classifier.classify(text).tokens for text in texts]
    chosen = {
        name: [t for t, n in zip(texts, lengths, strict=True) if least <= n <= most]
        for name, (least, most) in _BUCKETS.items()
    }
    prose = " ".join(texts)
    for name, chars in _LONG_CHARS.items():
        offsets = range(0, 40 * 997, 997)
        doubled = prose * (2 + (chars + 40_000) // len(prose))
        chosen[name] = [doubled[start : start + chars] for start in offsets]
    taken: dict[str, list[float]] = {name: [] for name, held in chosen.items() if held}
    for number in range(rounds):
        for name, seconds in taken.items():
            text = chosen[name][number % len(chosen[name])]
            started = time.perf_counter()
            classifier.classify(text)
            seconds.append(time.perf_counter() - started)
    return {
        name: {
            "p50_ms": round(float(np.median(seconds)) * 1e3, 4),
            "p99_ms": round(float(np.quantile(seconds, 0.99)) * 1e3, 4),
        }
        for name, seconds in taken.items()
    }
