"""Metrics: macro-F1, accuracy, expected calibration error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

_BINS = 10


def macro_f1(gold: Ints, guessed: Ints) -> float:
    """Mean of F1 over the labels that occur in ``gold``."""
    scores = []
    for label in np.unique(gold):
        hits = int(np.sum((gold == label) & (guessed == label)))
        scores.append(2 * hits / (np.sum(gold == label) + np.sum(guessed == label)))
    return float(np.mean(scores))


def accuracy(gold: Ints, guessed: Ints) -> float:
    """Share of right guesses."""
    return float(np.mean(gold == guessed))


def calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """ECE over ten bins of equal width: mean of |share right - mean confidence|, by bin size."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [
        np.sum(bins == index) * abs(right[bins == index].mean() - confidence[bins == index].mean())
        for index in np.unique(bins)
    ]
    return float(np.sum(gaps) / len(confidence))


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Probabilities along the last axis."""
    scaled = (logits - logits.max(-1, keepdims=True)) / temperature
    weights = np.exp(scaled)
    return np.asarray(weights / weights.sum(-1, keepdims=True))
