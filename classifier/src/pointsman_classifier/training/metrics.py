"""Metrics over labels and confidences, each as its textbook has it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

_BINS = 10


def f1(gold: Ints, guessed: Ints, label: int) -> float:
    """The harmonic mean of precision and recall of one label."""
    hits = int(np.sum((gold == label) & (guessed == label)))
    return 2 * hits / max(int(np.sum(gold == label) + np.sum(guessed == label)), 1)


def macro_f1(gold: Ints, guessed: Ints) -> float:
    """Mean of F1 over the labels that occur in ``gold``."""
    return float(np.mean([f1(gold, guessed, label) for label in np.unique(gold)]))


def accuracy(gold: Ints, guessed: Ints) -> float:
    """Share of right guesses."""
    return float(np.mean(gold == guessed))


def confusion(gold: Ints, guessed: Ints, labels: int) -> Ints:
    """Counts of shape (labels, labels): rows are what is, columns what was read."""
    counts = np.zeros((labels, labels), np.int64)
    np.add.at(counts, (gold, guessed), 1)
    return counts


def calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """ECE over ten bins of equal width: mean of |share right - mean confidence|, by bin size.

    As in Naeini, Cooper and Hauskrecht (2015).
    """
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [
        np.sum(bins == index) * abs(right[bins == index].mean() - confidence[bins == index].mean())
        for index in np.unique(bins)
    ]
    return float(np.sum(gaps) / len(confidence))


def accuracy_at(
    confidence: Floats, right: NDArray[np.bool_], coverages: tuple[float, ...]
) -> list[float]:
    """The share of right readings among the most confident, for each share of all.

    It is the risk-coverage curve (El-Yaniv and Wiener 2010), as accuracy.
    """
    order = np.argsort(-confidence, kind="stable")
    return [float(right[order[: max(round(share * len(order)), 1)]].mean()) for share in coverages]


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation; ties get their mean rank. Zero where one does not vary."""
    a, b = _ranks(first), _ranks(second)
    spread = a.std() * b.std()
    return float(np.mean((a - a.mean()) * (b - b.mean())) / spread) if spread else 0.0


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Probabilities along the last axis."""
    scaled = (logits - logits.max(-1, keepdims=True)) / temperature
    weights = np.exp(scaled)
    return np.asarray(weights / weights.sum(-1, keepdims=True))


def _ranks(values: Floats) -> Floats:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[places])
