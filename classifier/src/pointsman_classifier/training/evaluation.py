"""Measures a finished model, end to end, on prompts that it was not trained on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman_classifier.classifier import Classifier
from pointsman_classifier.model_file import HEADS, JOINT_HEADS
from pointsman_classifier.profile import Profile
from pointsman_classifier.training import metrics
from pointsman_classifier.training.calibration import gold_of
from pointsman_classifier.training.labels import LABELS
from pointsman_classifier.training.prompts import Prompt, targets_of

COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of the prompts, from the most confident on, at which accuracy is reported."""

OTHERS = "others"
"""The group of all groups that are too small for figures of their own."""

_LEAST_GROUP = 15
"""Prompts below which a style or a language goes with the others."""


def evaluate(classifier: Classifier, prompts: Sequence[Prompt]) -> dict[str, Any]:
    """All figures, ready for JSON; only labels on which the annotators agree count.

    ``heads`` has by head: ``prompts``, ``accuracy``, ``macro_f1``, ``f1`` by label, ``ece``,
    ``confusion`` (rows: gold), ``accuracy_at`` the coverages, and of sure readings the share and
    accuracy. ``by_style`` and ``by_lang`` have macro-F1 and accuracy by head. ``wrong`` lists the
    most confident errors.
    """
    profiles = [classifier.classify(prompt.text) for prompt in prompts]
    gold = {head: gold_of(prompts, head) for head in HEADS}
    guessed = {head: _guessed(profiles, head) for head in HEADS}
    return {
        "model": classifier.version,
        "prompts": len(prompts),
        "coverages": list(COVERAGES),
        "heads": {head: _measure_head(head, gold[head], guessed[head], profiles) for head in HEADS},
        "joint": _measure_joint(gold, guessed, profiles),
        "complexity_rank": _measure_rank(prompts, profiles),
        "multi_step": _measure_steps(prompts, profiles),
        "output_tokens": _measure_length(prompts, profiles),
        "by_style": _by_group(prompts, gold, guessed, lambda prompt: prompt.style),
        "by_lang": _by_group(prompts, gold, guessed, lambda prompt: prompt.lang),
        "wrong": _worst(prompts, gold, profiles),
    }


def agreement(first: Classifier, second: Classifier, prompts: Sequence[Prompt]) -> dict[str, float]:
    """Share of prompts on which two models give the same label, by head."""
    pairs = [(first.classify(prompt.text), second.classify(prompt.text)) for prompt in prompts]
    return {
        head: _round(np.mean([getattr(a, head).value == getattr(b, head).value for a, b in pairs]))
        for head in HEADS
    }


def _guessed(profiles: Sequence[Profile], head: str) -> NDArray[np.int64]:
    return np.array([LABELS[head].index(getattr(profile, head).value) for profile in profiles])


def _measure_head(
    head: str,
    gold: NDArray[np.int64],
    guessed: NDArray[np.int64],
    profiles: Sequence[Profile],
) -> dict[str, Any]:
    known = gold >= 0
    if not known.any():
        return {"prompts": 0}
    readings = [getattr(profile, head) for profile in profiles]
    confidence = np.array([reading.confidence for reading in readings])[known]
    sure = np.array([reading.sure for reading in readings])[known]
    gold, guessed = gold[known], guessed[known]
    right = gold == guessed
    return {
        "prompts": int(known.sum()),
        "accuracy": _round(right.mean()),
        "macro_f1": _round(metrics.macro_f1(gold, guessed)),
        "f1": {
            name: _round(metrics.f1(gold, guessed, index))
            for index, name in enumerate(LABELS[head])
            if (gold == index).any()
        },
        "ece": _round(metrics.calibration_error(confidence, right)),
        "confusion": metrics.confusion(gold, guessed, len(LABELS[head])).tolist(),
        "accuracy_at": [_round(x) for x in metrics.accuracy_at(confidence, right, COVERAGES)],
        "sure": {
            "share": _round(sure.mean()),
            "accuracy": _round(right[sure].mean()) if sure.any() else None,
        },
    }


def _measure_joint(
    gold: Mapping[str, NDArray[np.int64]],
    guessed: Mapping[str, NDArray[np.int64]],
    profiles: Sequence[Profile],
) -> dict[str, Any]:
    known = np.all([gold[head] >= 0 for head in JOINT_HEADS], axis=0)
    if not known.any():
        return {"prompts": 0}
    right = np.all([gold[head] == guessed[head] for head in JOINT_HEADS], axis=0)[known]
    confidence = np.array([profile.confidence for profile in profiles])[known]
    return {
        "prompts": int(known.sum()),
        "accuracy": _round(right.mean()),
        "mean_confidence": _round(confidence.mean()),
        "ece": _round(metrics.calibration_error(confidence, right)),
        "accuracy_at": [_round(x) for x in metrics.accuracy_at(confidence, right, COVERAGES)],
    }


def _measure_rank(prompts: Sequence[Prompt], profiles: Sequence[Profile]) -> dict[str, Any]:
    """How well the continuous score ranks, against the length of the prompt alone."""
    levels = [
        [
            LABELS["complexity"].index(label.heads["complexity"])
            for label in prompt.labels
            if "complexity" in label.heads
        ]
        for prompt in prompts
    ]
    known = [row for row, given in enumerate(levels) if given]
    if not known:
        return {"prompts": 0}
    gold = np.array([np.mean(levels[row]) for row in known])
    score = np.array([profiles[row].complexity_score for row in known])
    length = np.array([math.log1p(len(prompts[row].text)) for row in known])
    return {
        "prompts": len(known),
        "spearman": _round(metrics.spearman(score, gold)),
        "spearman_of_log_length": _round(metrics.spearman(length, gold)),
    }


def _measure_steps(prompts: Sequence[Prompt], profiles: Sequence[Profile]) -> dict[str, Any]:
    steps = targets_of(prompts).steps
    known = (steps == 0) | (steps == 1)
    if not known.any():
        return {"prompts": 0}
    truth = steps[known] == 1
    likely = np.array([profile.multi_step for profile in profiles])[known]
    guessed = likely >= 0.5
    return {
        "prompts": int(known.sum()),
        "accuracy": _round(np.mean(truth == guessed)),
        "f1": _round(metrics.f1(truth.astype(np.int64), guessed.astype(np.int64), 1)),
        "ece": _round(metrics.calibration_error(np.maximum(likely, 1 - likely), truth == guessed)),
    }


def _measure_length(prompts: Sequence[Prompt], profiles: Sequence[Profile]) -> dict[str, Any]:
    length = targets_of(prompts).length
    known = ~np.isnan(length)
    if not known.any():
        return {"prompts": 0}
    guessed = np.log2([max(profile.output_tokens, 1) for profile in profiles])[known]
    off = np.abs(guessed - length[known])
    return {
        "prompts": int(known.sum()),
        "spearman": _round(metrics.spearman(guessed, length[known])),
        "median_factor_off": _round(2 ** np.median(off)),
        "within_factor_2": _round(np.mean(off <= 1)),
    }


def _by_group(
    prompts: Sequence[Prompt],
    gold: Mapping[str, NDArray[np.int64]],
    guessed: Mapping[str, NDArray[np.int64]],
    key: Callable[[Prompt], str],
) -> dict[str, Any]:
    named = Counter(key(prompt) for prompt in prompts)
    groups = np.array(
        [key(prompt) if named[key(prompt)] >= _LEAST_GROUP else OTHERS for prompt in prompts]
    )
    report: dict[str, Any] = {}
    for name in sorted(set(groups.tolist())):
        chosen = groups == name
        report[name] = {"prompts": int(chosen.sum())}
        for head in HEADS:
            rows = chosen & (gold[head] >= 0)
            if rows.any():
                report[name][head] = {
                    "accuracy": _round(metrics.accuracy(gold[head][rows], guessed[head][rows])),
                    "macro_f1": _round(metrics.macro_f1(gold[head][rows], guessed[head][rows])),
                }
    return report


def _worst(
    prompts: Sequence[Prompt],
    gold: Mapping[str, NDArray[np.int64]],
    profiles: Sequence[Profile],
) -> dict[str, list[dict[str, Any]]]:
    """By head the ten errors of which the model was most confident."""
    report = {}
    for head in HEADS:
        errors = []
        for prompt, truth, profile in zip(prompts, gold[head], profiles, strict=True):
            reading = getattr(profile, head)
            if truth >= 0 and LABELS[head][truth] != reading.value:
                errors.append(
                    {
                        "id": prompt.id,
                        "gold": LABELS[head][truth],
                        "read": reading.value,
                        "confidence": _round(reading.confidence),
                    }
                )
        report[head] = sorted(errors, key=lambda error: -float(error["confidence"]))[:10]
    return report


def _round(value: float | np.floating[Any]) -> float:
    return round(float(value), 3)
