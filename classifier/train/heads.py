"""The five heads: multinomial logistic regression on three views of a prompt.

The views are which word pieces it holds (tf-idf over the set of its pieces, length one), the
hand-made features, and the encoder's vector. With some thousand labelled prompts this beats a
deeper head, and as the problem is convex, the fit is the same on every run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from data import LABELS, Prompt
from encoder import Encoder
from encoder import encode as encode_texts
from numpy.typing import NDArray
from pointsman_classifier.excerpt import Window, cut_text, cut_tokens
from pointsman_classifier.features import compute_features
from pointsman_classifier.model_file import HEADS
from tokenizers import Tokenizer
from torch.nn.functional import log_softmax

Floats = NDArray[np.float32]

FEATURE_LIMIT = 4.0
"""Standardised features are cut here, so that an odd text cannot drown its words."""

LEAST_LENGTH = 1e-3
"""An idf vector is taken to be no shorter than this: a prompt may hold no known piece at all."""

SLICES = {
    head: slice(start, start + len(LABELS[head]))
    for head, start in zip(
        HEADS, np.cumsum([0] + [len(LABELS[h]) for h in HEADS])[:-1].tolist(), strict=True
    )
}
"""Where each head's logits lie in the output row."""

OUTPUTS = sum(len(LABELS[head]) for head in HEADS)


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """How one head is fitted.

    Attributes:
        encoder: scale of the encoder's vector against the word pieces.
        strength: inverse of the penalty on the squared weights, per labelled prompt summed.
        features: scale of the hand-made features against the word pieces.
    """

    encoder: float
    strength: float = 5.0
    features: float = 0.1


RECIPES = {
    "task_type": HeadRecipe(encoder=0.6),
    "complexity": HeadRecipe(encoder=0.6),
    "urgency": HeadRecipe(encoder=0.9),
    "domain": HeadRecipe(encoder=0.9),
    "tone": HeadRecipe(encoder=0.6),
}
"""What did best out of style among a dozen settings, which differed by a point or two."""


@dataclass(frozen=True, slots=True)
class Views:
    """Prompts as the heads see them.

    Attributes:
        ids: per prompt its token ids, cut to the window.
        features: float32 of shape (prompts, features), not yet standardised.
        vectors: the encoder's, float32 of shape (prompts, 384).
        targets: int64 of shape (prompts, heads): the label's index, -1 where unknown.
        weights: float32 of shape (prompts,): how much a prompt counts in the fit.
    """

    ids: list[list[int]]
    features: Floats
    vectors: Floats
    targets: NDArray[np.int64]
    weights: Floats

    def take(self, rows: NDArray[np.int64]) -> Views:
        """The chosen rows, in that order."""
        return Views(
            [self.ids[row] for row in rows],
            self.features[rows],
            self.vectors[rows],
            self.targets[rows],
            self.weights[rows],
        )


@dataclass(frozen=True, slots=True)
class Heads:
    """What was fitted, with every scale already folded in.

    Attributes:
        idf: float32 of shape (pieces,): zero for pieces too rare to weigh.
        piece_weights: float32 of shape (pieces, OUTPUTS), to be summed and divided by the length.
        feature_mean, feature_scale: float32 of shape (features,).
        feature_weights: float32 of shape (features, OUTPUTS).
        vector_weights: float32 of shape (384, OUTPUTS).
        bias: float32 of shape (OUTPUTS,).
    """

    idf: Floats
    piece_weights: Floats
    feature_mean: Floats
    feature_scale: Floats
    feature_weights: Floats
    vector_weights: Floats
    bias: Floats


def look_at(
    prompts: list[Prompt], tokenizer: Tokenizer, window: Window, encoder: Encoder, weight: float
) -> Views:
    """The views of prompts, made by the very code that serves."""
    excerpts = [cut_text(prompt.text, window) for prompt in prompts]
    encodings = tokenizer.encode_batch(excerpts, add_special_tokens=False)
    ids = [cut_tokens(encoding.ids, window) or [0] for encoding in encodings]
    features = [
        compute_features(prompt.text, excerpt)
        for prompt, excerpt in zip(prompts, excerpts, strict=True)
    ]
    targets = [
        [LABELS[h].index(prompt.labels[h]) if h in prompt.labels else -1 for h in HEADS]
        for prompt in prompts
    ]
    return Views(
        ids,
        np.stack(features),
        encode_texts(encoder, ids),
        np.array(targets, np.int64),
        np.full(len(prompts), weight, np.float32),
    )


def concatenate(first: Views, second: Views) -> Views:
    """Both, one after the other."""
    return Views(
        first.ids + second.ids,
        np.concatenate([first.features, second.features]),
        np.concatenate([first.vectors, second.vectors]),
        np.concatenate([first.targets, second.targets]),
        np.concatenate([first.weights, second.weights]),
    )


def fit(views: Views, pieces: int, recipes: dict[str, HeadRecipe] = RECIPES) -> Heads:
    """The heads fitted to ``views``; features are standardised by the prompts of full weight."""
    own = views.take(np.flatnonzero(views.weights == views.weights.max()))
    mean = own.features.mean(0)
    scale = own.features.std(0).clip(min=1e-3)
    idf = _inverse_frequency(own.ids, pieces)
    kept = np.flatnonzero(idf)
    words = _tf_idf(views.ids, idf)[:, kept]
    shape = standardise(views.features, mean, scale)
    piece_weights = np.zeros((pieces, OUTPUTS), np.float32)
    feature_weights = np.zeros((shape.shape[1], OUTPUTS), np.float32)
    vector_weights = np.zeros((views.vectors.shape[1], OUTPUTS), np.float32)
    bias = np.zeros(OUTPUTS, np.float32)
    for column, head in enumerate(HEADS):
        recipe, where = recipes[head], SLICES[head]
        rows = np.flatnonzero(views.targets[:, column] >= 0)
        inputs = np.hstack(
            [words[rows], shape[rows] * recipe.features, views.vectors[rows] * recipe.encoder]
        )
        weights, bias[where] = _regress(
            inputs, views.targets[rows, column], views.weights[rows], len(LABELS[head]), recipe
        )
        by_piece, by_feature, by_vector = np.split(weights, [len(kept), len(kept) + shape.shape[1]])
        piece_weights[kept, where] = by_piece * idf[kept, None]
        feature_weights[:, where] = by_feature * recipe.features
        vector_weights[:, where] = by_vector * recipe.encoder
    return Heads(idf, piece_weights, mean, scale, feature_weights, vector_weights, bias)


def predict(heads: Heads, views: Views) -> Floats:
    """Logits of shape (prompts, OUTPUTS)."""
    held = [sorted(set(ids)) for ids in views.ids]
    lengths = [float(np.linalg.norm(heads.idf[pieces])) for pieces in held]
    from_pieces = np.stack(
        [
            heads.piece_weights[pieces].sum(0) / max(length, LEAST_LENGTH)
            for pieces, length in zip(held, lengths, strict=True)
        ]
    )
    shape = standardise(views.features, heads.feature_mean, heads.feature_scale)
    logits = from_pieces + shape @ heads.feature_weights + views.vectors @ heads.vector_weights
    return np.asarray(logits + heads.bias, dtype=np.float32)


def standardise(features: Floats, mean: Floats, scale: Floats) -> Floats:
    """Mean zero, spread one, cut at the limit."""
    return np.asarray(np.clip((features - mean) / scale, -FEATURE_LIMIT, FEATURE_LIMIT))


def _inverse_frequency(ids: list[list[int]], pieces: int) -> Floats:
    held = np.zeros(pieces)
    for tokens in ids:
        held[sorted(set(tokens))] += 1
    idf = np.log((1 + len(ids)) / (1 + held)) + 1
    return np.where(held >= 2, idf, 0.0).astype(np.float32)


def _tf_idf(ids: list[list[int]], idf: Floats) -> Floats:
    words = np.zeros((len(ids), len(idf)), np.float32)
    for row, tokens in enumerate(ids):
        words[row, tokens] = idf[tokens]
    return np.asarray(words / np.linalg.norm(words, axis=1, keepdims=True).clip(min=LEAST_LENGTH))


def _regress(
    inputs: Floats, targets: NDArray[np.int64], counts: Floats, classes: int, recipe: HeadRecipe
) -> tuple[Floats, Floats]:
    """Weights (inputs, classes) and bias, by L-BFGS; every class counts the same in sum."""
    share = np.bincount(targets, weights=counts, minlength=classes) / counts.sum()
    weights = torch.from_numpy((counts / (classes * share[targets])).astype(np.float32))
    x, y = torch.from_numpy(inputs), torch.from_numpy(targets)
    matrix = torch.zeros(inputs.shape[1], classes, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([matrix, bias], max_iter=150, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        likely = log_softmax(x @ matrix + bias, 1).gather(1, y[:, None])[:, 0]
        loss = (0.5 * matrix.square().sum() - recipe.strength * (weights * likely).sum()) / len(y)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return matrix.detach().numpy(), bias.detach().numpy()
