"""Reads a model folder and checks every file against the manifest before anything is parsed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman_classifier.errors import ModelFileError
from pointsman_classifier.excerpt import Window

MANIFEST_NAME = "manifest.json"
NETWORK_NAME = "model.onnx"
TOKENIZER_NAME = "tokenizer.json"
LEXICON_NAME = "lexicon.json"
CARD_NAME = "README.md"
FORMAT = 2
"""The layout of the folder that this version of the package reads."""

HEADS = ("task_type", "complexity", "urgency", "domain", "tone")
"""The heads in the order in which the network's one output row holds their logits."""

JOINT_HEADS = ("task_type", "complexity", "domain")
"""The heads that ``Profile.confidence`` speaks of."""

MULTI_STEP_COLUMN = -2
"""Where the output row holds the log-odds of several steps."""

LENGTH_COLUMN = -1
"""Where the output row holds the binary logarithm of the answer's tokens."""

_REINSTALL = (
    "Reinstall pointsman-classifier, or make the model again with `pointsman-classifier train`."
)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns logits into probabilities that can be believed.

    Attributes:
        temperatures: what each head's logits are divided by, in the order of ``HEADS``.
        joint_weights: weight of the log-odds of each confidence, in the order of ``JOINT_HEADS``.
        joint_bias: added to the weighted sum, before the logistic function.
        step_weight, step_bias: Platt's scaling of the log-odds of several steps.
        sure: the confidence from which a reading counts as sure, in the order of ``HEADS``.
    """

    temperatures: tuple[float, ...]
    joint_weights: tuple[float, ...]
    joint_bias: float
    step_weight: float
    step_bias: float
    sure: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model folder, read and verified.

    Attributes:
        network: the ONNX graph's bytes.
        tokenizer: the tokenizer's JSON.
        lexicon: the lexicon's JSON.
        version: the model's name and the first eight hex digits of the graph's sha256.
        labels: per head its labels, in the order of the logits.
        calibration: see there.
        window: how much of a text is read.
    """

    network: bytes
    tokenizer: str
    lexicon: str
    version: str
    labels: dict[str, tuple[str, ...]]
    calibration: Calibration
    window: Window


def read_model(folder: Path) -> ModelFile:
    """The model in ``folder``.

    Raises:
        ModelFileError: a file is missing or unreadable, differs from the sha256 in the manifest,
            or the manifest itself is not one of this format.
    """
    manifest_path = folder / MANIFEST_NAME
    try:
        manifest = json.loads(_read(manifest_path))
    except ValueError as error:
        raise ModelFileError(manifest_path, f"it is not valid JSON: {error}", _REINSTALL) from error
    try:
        _check_format(manifest_path, manifest)
        files = manifest["files"]
        network = _read_verified(folder / NETWORK_NAME, files[NETWORK_NAME]["sha256"])
        tokenizer = _read_verified(folder / TOKENIZER_NAME, files[TOKENIZER_NAME]["sha256"])
        lexicon = _read_verified(folder / LEXICON_NAME, files[LEXICON_NAME]["sha256"])
        return ModelFile(
            network=network,
            tokenizer=tokenizer.decode("utf-8"),
            lexicon=lexicon.decode("utf-8"),
            version=f"{manifest['name']}@{files[NETWORK_NAME]['sha256'][:8]}",
            labels={head: tuple(manifest["labels"][head]) for head in HEADS},
            calibration=_calibration(manifest["calibration"]),
            window=Window(**manifest["window"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        cause = f"a field is missing or of the wrong kind: {error!r}"
        raise ModelFileError(manifest_path, cause, _REINSTALL) from error


def _check_format(path: Path, manifest: dict[str, Any]) -> None:
    found = manifest["format"]
    if found != FORMAT:
        mend = f"Use a model of format {FORMAT}, or the version of this package that wrote it."
        raise ModelFileError(path, f"it is of format {found!r}, not {FORMAT}", mend)


def _calibration(fields: dict[str, Any]) -> Calibration:
    joint, steps = fields["joint"], fields["multi_step"]
    return Calibration(
        temperatures=tuple(float(fields["temperature"][head]) for head in HEADS),
        joint_weights=tuple(float(joint["weights"][head]) for head in JOINT_HEADS),
        joint_bias=float(joint["bias"]),
        step_weight=float(steps["weight"]),
        step_bias=float(steps["bias"]),
        sure=tuple(float(fields["sure"][head]) for head in HEADS),
    )


def _read_verified(path: Path, expected: str) -> bytes:
    content = _read(path)
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        cause = f"its sha256 is {actual[:12]}…, the manifest says {expected[:12]}…"
        raise ModelFileError(path, cause, _REINSTALL)
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(path, "there is no such file", _REINSTALL) from error
    except OSError as error:
        mend = "Make it readable to the user that runs this process."
        raise ModelFileError(path, f"it cannot be read: {error.strerror}", mend) from error
