"""Makes a model folder out of a run folder: graph, tokenizer, manifest, card."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman_classifier.classifier import Classifier
from pointsman_classifier.errors import DataError
from pointsman_classifier.features import FEATURE_NAMES
from pointsman_classifier.model_file import (
    CARD_NAME,
    FORMAT,
    HEADS,
    JOINT_HEADS,
    LEXICON_NAME,
    MANIFEST_NAME,
    NETWORK_NAME,
    TOKENIZER_NAME,
)
from pointsman_classifier.training import calibration, evaluation, metrics
from pointsman_classifier.training.card import write_card
from pointsman_classifier.training.export import export_student, export_teacher
from pointsman_classifier.training.labels import LABELS, SLICES
from pointsman_classifier.training.prompts import Prompt
from pointsman_classifier.training.run_folder import read_run

MODEL = "pointsman-2"
"""The name of a model built here; the larger one bears it with ``-large``."""


def build(run: Path, out: Path, tests: Sequence[Prompt], large: bool = False) -> dict[str, Any]:
    """Writes the model that ``run`` holds into ``out`` and returns its manifest.

    Args:
        run: what ``train`` wrote.
        out: the model folder; it is made where there is none.
        large: whether to build the teacher, which is the larger tier.
        tests: labelled prompts by authors whom training never saw: calibration is fitted on
            them, and the figures are measured on them. Errors of calibration are cross-fitted:
            each style's readings are calibrated on the other styles alone.

    Raises:
        DataError: a file of the run is missing or damaged, or no test prompt has a label for some
            head on which its annotators agree.
    """
    learned = read_run(run, large)
    for head in HEADS:
        if all(prompt.agreed(head) is None for prompt in tests):
            cause = f"{head}: no test prompt has a label on which its annotators agree"
            raise DataError(Path("test"), None, cause)
    export = export_teacher if large else export_student
    manifest: dict[str, Any] = {
        "name": f"{MODEL}-large" if large else MODEL,
        "format": FORMAT,
        "labels": {head: list(LABELS[head]) for head in HEADS},
        "features": list(FEATURE_NAMES),
        "window": asdict(learned.window),
        "calibration": _uncalibrated(),
        "training": learned.described,
    }
    with tempfile.TemporaryDirectory(prefix="pointsman-float32-") as folder:
        exact = Path(folder)
        write_model(
            exact, export(learned.weights, False), learned.tokenizer, learned.lexicon, manifest
        )
        write_model(
            out, export(learned.weights, True), learned.tokenizer, learned.lexicon, manifest
        )
        raw = Classifier.load(out)
        same = evaluation.agreement(raw, Classifier.load(exact), tests)
    rows = output_rows(raw, [prompt.text for prompt in tests])
    manifest["calibration"] = calibration.fit(rows, tests).as_manifest()
    _write_manifest(out, manifest)
    figures = evaluation.evaluate(Classifier.load(out), tests)
    manifest["metrics"] = {
        "test": {name: figures[name] for name in figures if name != "wrong"},
        "cross_fitted_ece": cross_fitted_errors(rows, tests),
        "int8_agrees_with_float32": same,
    }
    _write_manifest(out, manifest)
    write_card(out / CARD_NAME, manifest)
    return manifest


def write_model(
    folder: Path, network: bytes, tokenizer: str, lexicon: str, manifest: dict[str, Any]
) -> None:
    """Writes the files of a model; the manifest gets their hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        NETWORK_NAME: network,
        TOKENIZER_NAME: tokenizer.encode(),
        LEXICON_NAME: lexicon.encode(),
    }
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in contents.items()
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    _write_manifest(folder, manifest)


def output_rows(classifier: Classifier, texts: Sequence[str]) -> NDArray[np.float32]:
    """The network's output rows, float32 of shape (texts, OUTPUTS)."""
    return np.stack([classifier.run(classifier.view(text).inputs, "outputs") for text in texts])


def cross_fitted_errors(rows: NDArray[np.float32], prompts: Sequence[Prompt]) -> dict[str, float]:
    """ECE by head, and of the joint confidence, each style calibrated on the others alone."""
    styles = np.array([prompt.style for prompt in prompts])
    gold = {head: calibration.gold_of(prompts, head) for head in HEADS}
    confidence = {head: np.zeros(len(prompts)) for head in (*HEADS, "joint")}
    for style in np.unique(styles):
        held = styles == style
        others = [prompt for prompt in prompts if prompt.style != style]
        if not others:
            return {}
        fitted = calibration.fit(rows[~held], others)
        for head in HEADS:
            confidence[head][held] = calibration.confidences(rows[held], fitted.temperatures, head)
        confidence["joint"][held] = calibration.joint_confidences(rows[held], fitted)
    errors = {}
    for head in HEADS:
        known = gold[head] >= 0
        right = rows[:, SLICES[head]].argmax(1)[known] == gold[head][known]
        errors[head] = metrics.calibration_error(confidence[head][known], right)
    known, right = calibration.joint_right(rows, gold)
    errors["joint"] = metrics.calibration_error(confidence["joint"][known], right)
    return {name: round(error, 3) for name, error in errors.items()}


def _uncalibrated() -> dict[str, Any]:
    return calibration.Calibration(
        temperatures=dict.fromkeys(HEADS, 1.0),
        joint_weights=dict.fromkeys(JOINT_HEADS, 1.0 / len(JOINT_HEADS)),
        joint_bias=0.0,
        step_weight=1.0,
        step_bias=0.0,
        sure=dict.fromkeys(HEADS, 1.01),
    ).as_manifest()


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / MANIFEST_NAME).write_text(text + "\n", "utf-8")
