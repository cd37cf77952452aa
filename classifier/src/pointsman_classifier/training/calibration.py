"""Turns the network's numbers into probabilities that can be believed.

A temperature fitted on the prompts of training makes confidence worse on anybody else's prompts,
so everything here is fitted on prompts whose authors training never saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman_classifier.model_file import HEADS, JOINT_HEADS, MULTI_STEP_COLUMN
from pointsman_classifier.training.labels import LABELS, SLICES
from pointsman_classifier.training.metrics import softmax
from pointsman_classifier.training.prompts import Prompt

Floats = NDArray[np.floating]

SURE_ACCURACY = 0.9
"""Share of right readings among those that count as sure."""

_TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5), 200))
_STEPS = 50
_RIDGE = 1e-3
_EXTREME = 1e-6
_LEAST_SURE = 30
"""Readings below which a share of right ones says little."""
_NEVER = 1.01


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the manifest holds under ``calibration``.

    The fields are those of :class:`pointsman_classifier.model_file.Calibration`.
    """

    temperatures: dict[str, float]
    joint_weights: dict[str, float]
    joint_bias: float
    step_weight: float
    step_bias: float
    sure: dict[str, float]

    def as_manifest(self) -> dict[str, Any]:
        """The fields as the manifest has them."""
        return {
            "method": "temperature by head; Platt scaling of the joint confidence and of the "
            "odds of several steps; all fitted on prompts of authors whom training never saw",
            "temperature": self.temperatures,
            "joint": {"weights": self.joint_weights, "bias": self.joint_bias},
            "multi_step": {"weight": self.step_weight, "bias": self.step_bias},
            "sure": self.sure,
        }


def fit(rows: Floats, prompts: Sequence[Prompt]) -> Calibration:
    """Fits everything by likelihood, on what the annotators agree on.

    Args:
        rows: the network's output rows of the prompts, of shape (prompts, OUTPUTS).
        prompts: with their labels.
    """
    gold = {head: gold_of(prompts, head) for head in HEADS}
    temperatures, sure = {}, {}
    for head in HEADS:
        known = gold[head] >= 0
        logits = rows[known][:, SLICES[head]]
        temperatures[head] = _temperature(logits, gold[head][known])
        likely = softmax(logits, temperatures[head])
        right = likely.argmax(1) == gold[head][known]
        sure[head] = threshold_of(likely.max(1), right, SURE_ACCURACY)
    known, right = joint_right(rows, gold)
    weights, bias = _platt(_evidence(rows[known], temperatures), right)
    step_weight, step_bias = _fit_steps(rows, prompts)
    return Calibration(
        temperatures=temperatures,
        joint_weights=dict(zip(JOINT_HEADS, weights, strict=True)),
        joint_bias=bias,
        step_weight=step_weight,
        step_bias=step_bias,
        sure=sure,
    )


def gold_of(prompts: Sequence[Prompt], head: str) -> NDArray[np.int64]:
    """The index of each prompt's label; -1 where the annotators differ or none spoke."""
    agreed = (prompt.agreed(head) for prompt in prompts)
    return np.array([-1 if name is None else LABELS[head].index(name) for name in agreed])


def confidences(rows: Floats, temperatures: Mapping[str, float], head: str) -> Floats:
    """Probability of the head's best label, per prompt."""
    return np.asarray(softmax(rows[:, SLICES[head]], temperatures[head]).max(1))


def joint_confidences(rows: Floats, calibration: Calibration) -> Floats:
    """Probability that task type, complexity and domain are all right, per prompt."""
    weights = np.array([calibration.joint_weights[head] for head in JOINT_HEADS])
    score = _evidence(rows, calibration.temperatures) @ weights + calibration.joint_bias
    return np.asarray(1 / (1 + np.exp(-score)))


def joint_right(
    rows: Floats, gold: Mapping[str, NDArray[np.int64]]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which prompts are known in all joint heads, and of these, which are right in all."""
    known = np.all([gold[head] >= 0 for head in JOINT_HEADS], axis=0)
    right = np.all([rows[:, SLICES[head]].argmax(1) == gold[head] for head in JOINT_HEADS], axis=0)
    return known, right[known]


def threshold_of(confidence: Floats, right: NDArray[np.bool_], accuracy: float) -> float:
    """The least confidence from which on readings are right with the wanted accuracy.

    1.01, which nothing reaches, where no threshold leaves at least thirty such readings.
    """
    order = np.argsort(-confidence, kind="stable")
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Readings of one confidence are sure together or not at all.
    ends = np.diff(confidence[order], append=-np.inf) < 0
    good = np.flatnonzero((share >= accuracy) & ends)
    if not len(good) or good[-1] + 1 < min(_LEAST_SURE, len(order)):
        return _NEVER
    return round(float(confidence[order[good[-1]]]), 4)


def _temperature(logits: Floats, targets: NDArray[np.int64]) -> float:
    rows = np.arange(len(targets))
    losses = [-np.log(softmax(logits, t)[rows, targets] + 1e-12).mean() for t in _TEMPERATURES]
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), 5)


def _fit_steps(rows: Floats, prompts: Sequence[Prompt]) -> tuple[float, float]:
    given = [{label.multi_step for label in prompt.labels} - {None} for prompt in prompts]
    known = np.array([len(said) == 1 for said in given])
    if not known.any():
        return 1.0, 0.0
    truth = np.array([said == {True} for said in given])[known]
    weights, bias = _platt(rows[known][:, [MULTI_STEP_COLUMN]], truth)
    return weights[0], bias


def _evidence(rows: Floats, temperatures: Mapping[str, float]) -> Floats:
    """The log-odds of each joint head's confidence, of shape (prompts, joint heads)."""
    best = [confidences(rows, temperatures, head) for head in JOINT_HEADS]
    bounded = np.clip(np.stack(best, 1), _EXTREME, 1 - _EXTREME)
    return np.asarray(np.log(bounded / (1 - bounded)))


def _platt(evidence: Floats, right: NDArray[np.bool_]) -> tuple[list[float], float]:
    """Logistic regression by Newton's method."""
    inputs = np.hstack([evidence, np.ones((len(evidence), 1))])
    weights = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (likely - right) + _RIDGE * weights
        curvature = (inputs * (likely * (1 - likely))[:, None]).T @ inputs
        weights -= np.linalg.solve(curvature + _RIDGE * np.eye(len(weights)), gradient)
    return [round(float(weight), 5) for weight in weights[:-1]], round(float(weights[-1]), 5)
