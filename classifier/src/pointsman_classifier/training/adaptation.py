"""Fits a finished model to somebody's own labels, in seconds and without torch.

Only the last layer moves. Its weights start from the shipped ones and are drawn back to them, as a
Gaussian prior around them would (maximum a posteriori): a hundred prompts bend the model a little,
ten thousand as far as they say. How hard they are drawn is chosen by cross-validation on the labels
themselves; where nothing is likelier on prompts left out, and right as often, the shipped weights
stay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from pointsman_classifier.classifier import Classifier
from pointsman_classifier.errors import DataError
from pointsman_classifier.model_file import (
    HEADS,
    LEXICON_NAME,
    MANIFEST_NAME,
    NETWORK_NAME,
    TOKENIZER_NAME,
)
from pointsman_classifier.training.build import write_model
from pointsman_classifier.training.export import OUTPUT_LAYER
from pointsman_classifier.training.labels import SLICES
from pointsman_classifier.training.metrics import softmax
from pointsman_classifier.training.prompts import Prompt, targets_of

STRENGTHS: Final = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
"""How hard the weights may be drawn to the shipped ones, from hard to soft."""

LEAST_PROMPTS: Final = 20
"""A head with fewer labels is left as it is."""

_FOLDS = 5
_STEPS = 300

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HeadGain:
    """What adapting did to one head, measured on prompts left out of the fit.

    Attributes:
        prompts: with a label for the head.
        strength: the one that was chosen; ``None`` where the shipped weights did as well.
        accuracy_before, accuracy_after: by cross-validation.
    """

    prompts: int
    strength: float | None
    accuracy_before: float
    accuracy_after: float


def adapt(
    model: Path,
    prompts: Sequence[Prompt],
    out: Path,
    tell: Callable[[str], None],
    source: Path = Path("prompts"),
) -> dict[str, HeadGain]:
    """Writes the model in ``model``, fitted to ``prompts``, into ``out``.

    A prompt may carry labels for some heads only. Heads with fewer than 20 labels stay as they
    are, and so does everything that is no head. The calibration stays, since the fit is made
    under it; the figures measured on the shipped model, and its card, do not.

    Args:
        model: the folder of the model to start from.
        prompts: with labels.
        out: the folder to write.
        tell: takes lines of progress.
        source: the file that the prompts are from, for errors.

    Raises:
        DataError: no head has labels enough.
        ModelFileError: ``model`` is no model.
    """
    classifier = Classifier.load(model)
    manifest = json.loads((model / MANIFEST_NAME).read_text("utf-8"))
    targets = targets_of(prompts)
    labelled = {head: targets.shares[:, where].sum(1) > 0 for head, where in SLICES.items()}
    heads = [head for head in HEADS if labelled[head].sum() >= LEAST_PROMPTS]
    if not heads:
        cause = f"of {len(prompts)} prompts no head has {LEAST_PROMPTS} labels; label more of them"
        raise DataError(source, None, cause)
    tell(f"reading {len(prompts):,} prompts")
    views = [classifier.view(prompt.text).inputs for prompt in prompts]
    states, outputs = (
        np.stack([classifier.run(view, name) for view in views]).astype(np.float64)
        for name in ("state", "outputs")
    )
    network = onnx.load_model_from_string((model / NETWORK_NAME).read_bytes())
    weights, bias = _read_layer(network)
    # What the network adds to its last layer: words and pairs vote past it.
    votes = outputs - (states @ weights + bias)
    gains = {}
    for head in heads:
        tell(f"fitting {head}")
        rows, where = labelled[head], SLICES[head]
        temperature = float(manifest["calibration"]["temperature"][head])
        shares = targets.shares[rows][:, where].astype(np.float64)
        fit = _Fit(states[rows], votes[rows][:, where], shares, temperature)
        gains[head], chosen = _choose(fit, weights[:, where], bias[where])
        weights[:, where], bias[where] = chosen
    _write_layer(network, weights, bias)
    manifest["adapted"] = _describe(manifest, gains)
    manifest.pop("metrics", None)
    manifest["name"] = manifest["name"].removesuffix("-own") + "-own"
    tokenizer = (model / TOKENIZER_NAME).read_text("utf-8")
    lexicon = (model / LEXICON_NAME).read_text("utf-8")
    write_model(out, network.SerializeToString(), tokenizer, lexicon, manifest)
    return gains


@dataclass(frozen=True, slots=True)
class _Fit:
    """One head's prompts: states (prompts, width), votes and shares (prompts, labels)."""

    states: Floats
    votes: Floats
    shares: Floats
    temperature: float

    def take(self, rows: NDArray[np.bool_]) -> _Fit:
        return _Fit(self.states[rows], self.votes[rows], self.shares[rows], self.temperature)

    def logits(self, weights: Floats, bias: Floats) -> Floats:
        return np.asarray((self.states @ weights + bias + self.votes) / self.temperature)

    def loss(self, weights: Floats, bias: Floats) -> float:
        likely = softmax(self.logits(weights, bias))
        return float(-(self.shares * np.log(likely + 1e-12)).sum(1).mean())

    def accuracy(self, weights: Floats, bias: Floats) -> float:
        guessed = self.logits(weights, bias).argmax(1)
        return float((guessed == self.shares.argmax(1)).mean())


def _choose(fit: _Fit, weights: Floats, bias: Floats) -> tuple[HeadGain, tuple[Floats, Floats]]:
    # By lot: in a file that goes round its labels, every fifth prompt may have the same one.
    folds = np.random.default_rng(0).permutation(len(fit.states)) % _FOLDS
    before = fit.loss(weights, bias), fit.accuracy(weights, bias)
    best: tuple[float, float, float | None] = (*before, None)
    for strength in STRENGTHS:
        losses, rights = [], []
        for fold in range(_FOLDS):
            held = fit.take(folds == fold)
            moved = _minimise(fit.take(folds != fold), weights, bias, strength)
            losses.append(held.loss(*moved))
            rights.append(held.accuracy(*moved))
        if np.mean(losses) < best[0] and np.mean(rights) >= before[1]:
            best = (float(np.mean(losses)), float(np.mean(rights)), strength)
    _, after, chosen = best
    gain = HeadGain(len(fit.states), chosen, round(before[1], 3), round(after, 3))
    if chosen is None:
        return gain, (weights, bias)
    return gain, _minimise(fit, weights, bias, chosen)


def _minimise(fit: _Fit, weights: Floats, bias: Floats, strength: float) -> tuple[Floats, Floats]:
    """Minimises cross-entropy plus ``strength``/2 times the squared way moved.

    By accelerated gradient descent (Nesterov 1983), with the step that the curvature's bound
    allows.
    """
    inputs = np.hstack([fit.states, np.ones((len(fit.states), 1))])
    start = np.vstack([weights, bias])
    # The softmax's curvature is at most a half; the states' is their greatest singular value's.
    steepest = 0.5 * np.linalg.norm(inputs, 2) ** 2 / fit.temperature**2 + strength
    here, ahead = start.copy(), start.copy()
    for step in range(_STEPS):
        likely = softmax((inputs @ ahead + fit.votes) / fit.temperature)
        slope = inputs.T @ (likely - fit.shares) / fit.temperature + strength * (ahead - start)
        moved = ahead - slope / steepest
        ahead = moved + step / (step + 3) * (moved - here)
        here = moved
    return here[:-1], here[-1]


def _read_layer(network: onnx.ModelProto) -> tuple[Floats, Floats]:
    """The last layer: weights (width, OUTPUTS) and bias (OUTPUTS,)."""
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in network.graph.initializer}
    name = f"{OUTPUT_LAYER}_w"
    weights = held[name] if name in held else held[f"{name}_int8"] * held[f"{name}_scale"]
    return weights.astype(np.float64), held[f"{OUTPUT_LAYER}_b"].astype(np.float64)


def _write_layer(network: onnx.ModelProto, weights: Floats, bias: Floats) -> None:
    """Puts the layer back in float32, in place of what made it."""
    name, graph = f"{OUTPUT_LAYER}_w", network.graph
    replaced = {name, f"{name}_int8", f"{name}_scale", f"{name}_wide", f"{OUTPUT_LAYER}_b"}
    nodes = [node for node in graph.node if node.output[0] not in replaced]
    constants = [tensor for tensor in graph.initializer if tensor.name not in replaced]
    constants.append(numpy_helper.from_array(weights.astype(np.float32), name))
    constants.append(numpy_helper.from_array(bias.astype(np.float32), f"{OUTPUT_LAYER}_b"))
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    onnx.checker.check_model(network)


def _describe(manifest: dict[str, Any], gains: dict[str, HeadGain]) -> dict[str, Any]:
    return {
        "from": f"{manifest['name']}@{manifest['files'][NETWORK_NAME]['sha256'][:8]}",
        "heads": {
            head: {
                "prompts": gain.prompts,
                "strength": gain.strength,
                "accuracy_before": gain.accuracy_before,
                "accuracy_after": gain.accuracy_after,
            }
            for head, gain in gains.items()
        },
    }
