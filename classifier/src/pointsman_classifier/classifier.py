"""The classifier: text in, profile out, in well under a millisecond on one core."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

# onnxruntime reports usage to its maker unless this is set before it is imported; a prompt's
# reader has nothing to tell anybody
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

from pointsman_classifier.errors import ModelFileError
from pointsman_classifier.excerpt import cut_text, cut_tokens
from pointsman_classifier.features import compute_features
from pointsman_classifier.lexicon import Lexicon
from pointsman_classifier.model_file import (
    HEADS,
    JOINT_HEADS,
    LENGTH_COLUMN,
    LEXICON_NAME,
    MULTI_STEP_COLUMN,
    NETWORK_NAME,
    TOKENIZER_NAME,
    Calibration,
    ModelFile,
    read_model,
)
from pointsman_classifier.pieces import PieceReader, split_words
from pointsman_classifier.profile import Profile, Reading

_ERRORS_ONLY = 3
_ROW = ["outputs"]
_UNKNOWN_TOKEN_ID = 0
_EXTREME = 1e-6
"""Log-odds are taken of confidences no nearer than this to 0 or 1."""
_MOST_LOG2_TOKENS = 15.0
"""No answer is expected to be longer than 2 to the power of this."""


@dataclass(frozen=True, slots=True)
class View:
    """A text as the network is shown it.

    Attributes:
        inputs: ``ids``, int32 of shape (1, pieces), and ``features``, float32 of shape
            (1, features).
        tokens, truncated: as in :class:`pointsman_classifier.Profile`.
    """

    inputs: dict[str, NDArray[Any]]
    tokens: int
    truncated: bool


class Classifier:
    """Reads prompts. Make one a process with :meth:`load`; it may be shared by threads.

    Attributes:
        version: the model's name and the beginning of its sha256, as in ``pointsman-1@0a1b2c3d``.
        labels: per head the labels it can give; ``complexity`` and ``urgency`` ascend from low
            to high.
    """

    version: str
    labels: Mapping[str, tuple[str, ...]]

    def __init__(
        self, model: ModelFile, session: object, tokenizer: Tokenizer, lexicon: Lexicon
    ) -> None:
        """For :meth:`load`: takes what was verified and opened there."""
        self.version = model.version
        self.labels = MappingProxyType(model.labels)
        self._calibration = model.calibration
        self._window = model.window
        self._session: onnxruntime.InferenceSession = session
        self._pieces = PieceReader(tokenizer, lexicon)

    @classmethod
    def load(cls, path: Path | None = None) -> Classifier:
        """Opens a model folder; without ``path`` the one that comes with this package.

        Takes some tens of milliseconds. The session runs in the caller's thread and starts none of
        its own.

        Raises:
            ModelFileError: a file is missing, damaged or of another format.
        """
        folder = Path(__file__).parent / "model" if path is None else path
        model = read_model(folder)
        session = _open_session(folder / NETWORK_NAME, model.network)
        tokenizer = _open_tokenizer(folder / TOKENIZER_NAME, model.tokenizer)
        lexicon = _open_lexicon(folder / LEXICON_NAME, model.lexicon)
        return cls(model, session, tokenizer, lexicon)

    def classify(self, text: str) -> Profile:
        """Reads one prompt. Safe to call from several threads at once.

        Any string will do: empty, a million characters, lone surrogates. The work is bounded
        whatever the length: at most ``window.chars`` characters are read.
        """
        started = time.perf_counter()
        view = self.view(text)
        row: list[float] = self._session.run(_ROW, view.inputs)[0][0].tolist()
        readings = _read_heads(row, self.labels, self._calibration)
        return Profile(
            task_type=readings["task_type"],
            complexity=readings["complexity"],
            urgency=readings["urgency"],
            domain=readings["domain"],
            tone=readings["tone"],
            confidence=_joint_confidence(readings, self._calibration),
            complexity_score=_expected_level(readings["complexity"], self.labels["complexity"]),
            multi_step=_logistic(
                self._calibration.step_weight * row[MULTI_STEP_COLUMN] + self._calibration.step_bias
            ),
            output_tokens=round(2.0 ** min(max(row[LENGTH_COLUMN], 0.0), _MOST_LOG2_TOKENS)),
            tokens=view.tokens,
            truncated=view.truncated,
            duration_s=time.perf_counter() - started,
        )

    def view(self, text: str) -> View:
        """What the network is shown of ``text``."""
        excerpt = cut_text(text, self._window)
        lowered = excerpt.lower()
        words = split_words(lowered)
        all_ids = self._pieces.read(words)
        ids = cut_tokens(all_ids, self._window) or [_UNKNOWN_TOKEN_ID]
        inputs = {
            "ids": np.asarray([ids], dtype=np.int32),
            "features": compute_features(text, excerpt, lowered, words)[np.newaxis],
        }
        return View(
            inputs=inputs,
            tokens=_extrapolate(len(all_ids), len(excerpt), len(text)),
            truncated=len(ids) < len(all_ids) or len(excerpt) < len(text),
        )

    def run(self, inputs: Mapping[str, NDArray[Any]], output: str) -> NDArray[np.float32]:
        """One of the network's outputs as it is: for fitting and measuring, not for routing.

        Args:
            inputs: those of a :class:`View`.
            output: ``outputs``, the row that everything is read from, or ``state``, the vector
                from which the last layer makes that row.
        """
        return np.asarray(self._session.run([output], dict(inputs))[0][0], dtype=np.float32)


def _open_session(path: Path, network: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One prompt is too little work to share: a second thread costs more in waking than it saves,
    # and the server runs one process a core.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = _ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own error classes share no narrower public base
        cause = f"onnxruntime {onnxruntime.__version__} refuses it: {error}"
        raise ModelFileError(path, cause, "Upgrade onnxruntime, or rebuild the model.") from error


def _open_tokenizer(path: Path, definition: str) -> Tokenizer:
    try:
        return Tokenizer.from_str(definition)
    except Exception as error:  # tokenizers raises bare Exception
        cause = f"the tokenizers library refuses it: {error}"
        raise ModelFileError(path, cause, "Upgrade tokenizers, or rebuild the model.") from error


def _open_lexicon(path: Path, definition: str) -> Lexicon:
    try:
        return Lexicon.from_json(definition)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        cause = f"it is no lexicon: {error!r}"
        raise ModelFileError(path, cause, "Rebuild the model.") from error


def _read_heads(
    logits: list[float], labels: Mapping[str, tuple[str, ...]], calibration: Calibration
) -> dict[str, Reading]:
    readings = {}
    start = 0
    for head, temperature, sure in zip(
        HEADS, calibration.temperatures, calibration.sure, strict=True
    ):
        names = labels[head]
        readings[head] = _read_head(logits[start : start + len(names)], names, temperature, sure)
        start += len(names)
    return readings


def _read_head(
    logits: list[float], names: tuple[str, ...], temperature: float, sure: float
) -> Reading:
    peak = max(logits)
    weights = [math.exp((logit - peak) / temperature) for logit in logits]
    total = sum(weights)
    scores = sorted(
        ((name, weight / total) for name, weight in zip(names, weights, strict=True)),
        key=lambda score: -score[1],
    )
    value, confidence = scores[0]
    return Reading(value, confidence, tuple(scores), sure=confidence >= sure)


def _joint_confidence(readings: Mapping[str, Reading], calibration: Calibration) -> float:
    """Platt's scaling on the log-odds of the three confidences."""
    score = calibration.joint_bias
    for head, weight in zip(JOINT_HEADS, calibration.joint_weights, strict=True):
        bounded = min(max(readings[head].confidence, _EXTREME), 1.0 - _EXTREME)
        score += weight * math.log(bounded / (1.0 - bounded))
    return _logistic(score)


def _expected_level(reading: Reading, names: tuple[str, ...]) -> float:
    """The mean of an ascending head's labels, spread evenly from 0 to 1."""
    return sum(names.index(name) * share for name, share in reading.scores) / (len(names) - 1)


def _logistic(score: float) -> float:
    """Without overflow, however far ``score`` lies from zero."""
    if score >= 0:
        return 1.0 / (1.0 + math.exp(-score))
    grown = math.exp(score)
    return grown / (1.0 + grown)


def _extrapolate(tokens: int, chars_read: int, chars: int) -> int:
    return tokens if chars_read >= chars else round(tokens * chars / chars_read)
