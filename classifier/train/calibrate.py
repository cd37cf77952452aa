"""Calibration on out-of-style predictions.

A temperature fitted on the prompts of training makes confidence worse on anybody else's prompts,
so everything here is fitted on logits that each prompt got from heads which never saw its author.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from heads import SLICES
from metrics import softmax
from numpy.typing import NDArray
from pointsman_classifier.model_file import HEADS, JOINT_HEADS

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]

_TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5), 200))
_STEPS = 50
_RIDGE = 1e-3
_EXTREME = 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """Temperatures by head; weights and bias of the joint confidence's Platt scaling."""

    temperatures: dict[str, float]
    joint_weights: dict[str, float]
    joint_bias: float


def fit(logits: Floats, targets: Ints) -> Calibration:
    """Fits everything by likelihood.

    Args:
        logits: out-of-style logits, of shape (prompts, outputs).
        targets: label indices, of shape (prompts, heads), all known.
    """
    temperatures = {
        head: _temperature(logits[:, SLICES[head]], targets[:, column])
        for column, head in enumerate(HEADS)
    }
    weights, bias = _platt(_evidence(logits, temperatures), all_right(logits, targets))
    joint_weights = dict(zip(JOINT_HEADS, (float(weight) for weight in weights), strict=True))
    return Calibration(temperatures, joint_weights, bias)


def confidences(logits: Floats, calibration: Calibration, head: str) -> Floats:
    """Probability of the head's best label, per prompt."""
    return np.asarray(softmax(logits[:, SLICES[head]], calibration.temperatures[head]).max(1))


def joint_confidences(logits: Floats, calibration: Calibration) -> Floats:
    """Probability that task type, complexity and domain are all right, per prompt."""
    weights = np.array([calibration.joint_weights[head] for head in JOINT_HEADS])
    score = _evidence(logits, calibration.temperatures) @ weights + calibration.joint_bias
    return np.asarray(1 / (1 + np.exp(-score)))


def all_right(logits: Floats, targets: Ints) -> NDArray[np.bool_]:
    """Whether task type, complexity and domain are all right, per prompt."""
    columns = [HEADS.index(head) for head in JOINT_HEADS]
    guessed = np.stack([logits[:, SLICES[head]].argmax(1) for head in JOINT_HEADS], 1)
    return np.asarray((guessed == targets[:, columns]).all(1))


def _temperature(logits: Floats, targets: Ints) -> float:
    rows = np.arange(len(targets))
    losses = [-np.log(softmax(logits, t)[rows, targets] + 1e-12).mean() for t in _TEMPERATURES]
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), 4)


def _evidence(logits: Floats, temperatures: dict[str, float]) -> Floats:
    """The log-odds of each joint head's confidence, of shape (prompts, joint heads)."""
    best = [softmax(logits[:, SLICES[head]], temperatures[head]).max(1) for head in JOINT_HEADS]
    bounded = np.clip(np.stack(best, 1), _EXTREME, 1 - _EXTREME)
    return np.asarray(np.log(bounded / (1 - bounded)))


def _platt(evidence: Floats, right: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Logistic regression by Newton's method."""
    inputs = np.hstack([evidence, np.ones((len(evidence), 1))])
    weights = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (likely - right) + _RIDGE * weights
        curvature = (inputs * (likely * (1 - likely))[:, None]).T @ inputs
        weights -= np.linalg.solve(curvature + _RIDGE * np.eye(len(weights)), gradient)
    return np.round(weights[:-1], 5), round(float(weights[-1]), 5)
