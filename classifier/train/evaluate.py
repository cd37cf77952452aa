"""Measures: out-of-style by head and author, unseen sources end to end, int8 against float32."""

from __future__ import annotations

from typing import Any

import calibrate
import numpy as np
from data import LABELS, Prompt
from heads import SLICES, Views, concatenate
from heads import fit as fit_heads
from heads import predict as predict_heads
from metrics import accuracy, calibration_error, macro_f1
from numpy.typing import NDArray
from pointsman_classifier import Classifier
from pointsman_classifier.model_file import HEADS

Floats = NDArray[np.float32]


def out_of_style(own: Views, styles: NDArray[np.str_], public: Views | None, pieces: int) -> Floats:
    """Logits that each of the project's prompts gets from heads that never saw its author."""
    logits = np.zeros((len(styles), sum(map(len, LABELS.values()))), np.float32)
    for style in np.unique(styles):
        seen = own.take(np.flatnonzero(styles != style))
        held = np.flatnonzero(styles == style)
        heads = fit_heads(concatenate(seen, public) if public else seen, pieces)
        logits[held] = predict_heads(heads, own.take(held))
    return logits


def by_style(
    logits: Floats, targets: NDArray[np.int64], styles: NDArray[np.str_]
) -> dict[str, Any]:
    """Macro-F1, accuracy and calibration error by head; the error is cross-fitted by style."""
    report: dict[str, Any] = {}
    held = _held_out_confidences(logits, targets, styles)
    for column, head in enumerate(HEADS):
        guessed = logits[:, SLICES[head]].argmax(1)
        gold = targets[:, column]
        f1 = {str(s): macro_f1(gold[styles == s], guessed[styles == s]) for s in np.unique(styles)}
        report[head] = {
            "macro_f1": _round(np.mean(list(f1.values()))),
            "accuracy": _round(accuracy(gold, guessed)),
            "ece": _round(calibration_error(held[head], gold == guessed)),
            "macro_f1_by_style": {style: _round(score) for style, score in f1.items()},
        }
    right = calibrate.all_right(logits, targets)
    report["joint"] = {
        "accuracy": _round(right.mean()),
        "mean_confidence": _round(held["joint"].mean()),
        "ece": _round(calibration_error(held["joint"], right)),
    }
    return report


def on_prompts(classifier: Classifier, prompts: list[Prompt]) -> dict[str, Any]:
    """Accuracy and macro-F1 of the finished model, end to end, by head, where gold is known."""
    profiles = [classifier.classify(prompt.text) for prompt in prompts]
    report: dict[str, Any] = {}
    for head in HEADS:
        pairs = [
            (LABELS[head].index(prompt.labels[head]), getattr(profile, head))
            for prompt, profile in zip(prompts, profiles, strict=True)
            if head in prompt.labels
        ]
        if not pairs:
            continue
        gold = np.array([label for label, _ in pairs])
        guessed = np.array([LABELS[head].index(reading.value) for _, reading in pairs])
        confidence = np.array([reading.confidence for _, reading in pairs])
        report[head] = {
            "prompts": len(pairs),
            "labels": len(np.unique(gold)),
            "accuracy": _round(accuracy(gold, guessed)),
            "macro_f1": _round(macro_f1(gold, guessed)),
            "ece": _round(calibration_error(confidence, gold == guessed)),
        }
    return report


def agreement(first: Classifier, second: Classifier, prompts: list[Prompt]) -> dict[str, float]:
    """Share of prompts on which two models give the same label, by head."""
    pairs = [(first.classify(prompt.text), second.classify(prompt.text)) for prompt in prompts]
    return {
        head: _round(np.mean([getattr(a, head).value == getattr(b, head).value for a, b in pairs]))
        for head in HEADS
    }


def _held_out_confidences(
    logits: Floats, targets: NDArray[np.int64], styles: NDArray[np.str_]
) -> dict[str, NDArray[np.floating]]:
    """Confidences calibrated, for each style, on the other styles alone."""
    held: dict[str, NDArray[np.floating]] = {head: np.zeros(len(styles)) for head in HEADS}
    held["joint"] = np.zeros(len(styles))
    for style in np.unique(styles):
        rows = styles == style
        fitted = calibrate.fit(logits[~rows], targets[~rows])
        for head in HEADS:
            held[head][rows] = calibrate.confidences(logits[rows], fitted, head)
        held["joint"][rows] = calibrate.joint_confidences(logits[rows], fitted)
    return held


def _round(value: float | np.floating) -> float:
    return round(float(value), 3)
