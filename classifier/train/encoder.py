"""A static sentence encoder, and how it learns to stand in for MiniLM.

MiniLM reads a sentence in some ten milliseconds; this reads it in a tenth of one: word vectors,
one light convolution, three poolings, one matrix. It needs no labels to learn: it is shown texts
and told which vector MiniLM gives them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EncoderRecipe:
    """How the encoder is shaped and taught.

    Attributes:
        dimensions: width of the word vectors.
        channels: width of the convolution's output.
        epochs: how often every text is seen.
        batch_size: texts a step.
        rate: the step size of AdamW at its greatest.
        vector_rate: the same for the word vectors.
        word_dropout: share of the words that are replaced by the unknown one.
        contrast: weight of telling a text's vector from the other texts' of the batch.
    """

    dimensions: int = 128
    channels: int = 160
    epochs: int = 8
    batch_size: int = 96
    rate: float = 2e-3
    vector_rate: float = 1e-3
    word_dropout: float = 0.1
    contrast: float = 0.1


class Encoder(nn.Module):
    """Token ids in, a vector of length one out."""

    def __init__(self, vectors: Tensor, channels: int, outputs: int) -> None:
        """Starts from ``vectors``, of shape (pieces, dimensions)."""
        super().__init__()
        width = vectors.shape[1]
        self.embedding = nn.Parameter(vectors.clone())
        self.depthwise = nn.Conv1d(width, width, 3, padding=1, groups=width)
        self.pointwise = nn.Linear(width, channels)
        self.attention = nn.Linear(width, 1)
        self.output = nn.Linear(2 * width + channels, outputs)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Vectors of shape (batch, outputs), each of length one.

        Args:
            ids: int64 of shape (batch, tokens).
            mask: bool of the same shape, false where there is only padding.
        """
        keep = mask.unsqueeze(-1)
        words = self.embedding[ids] * keep
        mean = words.sum(1) / keep.sum(1).clamp(min=1)
        shares = self.attention(words).masked_fill(~keep, -1e9).softmax(1)
        attended = (shares * words).sum(1)
        local = self.depthwise(words.transpose(1, 2)).transpose(1, 2)
        phrases = torch.relu(self.pointwise(local)).masked_fill(~keep, 0.0).amax(1)
        return normalize(self.output(torch.cat([mean, attended, phrases], 1)), dim=1)


def pad(ids: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Ids padded with zeros to the longest, and their mask."""
    longest = max(map(len, ids))
    padded = torch.zeros(len(ids), longest, dtype=torch.int64)
    mask = torch.zeros(len(ids), longest, dtype=torch.bool)
    for row, tokens in enumerate(ids):
        padded[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = True
    return padded, mask


def teach(
    ids: list[list[int]], targets: Floats, vectors: Floats, recipe: EncoderRecipe, seed: int
) -> tuple[Encoder, float]:
    """An encoder that imitates ``targets``, and its mean cosine with them in the last epoch.

    Deterministic for a seed, on one kind of machine.

    Args:
        ids: per text its token ids, none empty.
        targets: MiniLM's vectors of the texts, float32 of shape (texts, any).
        vectors: what the word vectors start from.
        recipe: see there.
        seed: of everything random.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoder = Encoder(torch.from_numpy(vectors), recipe.channels, targets.shape[1])
    aims = normalize(torch.from_numpy(targets - targets.mean(0)), dim=1)
    others = [p for p in encoder.parameters() if p is not encoder.embedding]
    optimizer = torch.optim.AdamW(
        [
            {"params": others, "lr": recipe.rate, "weight_decay": 0.01},
            {"params": [encoder.embedding], "lr": recipe.vector_rate, "weight_decay": 0.0},
        ]
    )
    steps = recipe.epochs * math.ceil(len(ids) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    likeness = 0.0
    for epoch in range(recipe.epochs):
        likeness = 0.0
        order = rng.permutation(len(ids))
        for start in range(0, len(order), recipe.batch_size):
            rows = order[start : start + recipe.batch_size]
            padded, mask = pad([ids[row] for row in rows])
            padded = padded.masked_fill(torch.rand(padded.shape) < recipe.word_dropout, 0)
            given, aim = encoder(padded, mask), aims[rows]
            cosine = (given * aim).sum(1).mean()
            apart = cross_entropy(given @ aim.T * 20, torch.arange(len(rows)))
            optimizer.zero_grad()
            (1 - cosine + recipe.contrast * apart).backward()
            torch.nn.utils.clip_grad_norm_(others, 1.0)
            optimizer.step()
            schedule.step()
            likeness += cosine.item() * len(rows) / len(order)
        print(f"encoder: epoch {epoch + 1} of {recipe.epochs}, cosine {likeness:.3f}", flush=True)
    return encoder.eval(), likeness


def encode(encoder: Encoder, ids: list[list[int]]) -> Floats:
    """The vectors of texts, float32 of shape (texts, outputs)."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(ids), 64):
            parts.append(encoder(*pad(ids[start : start + 64])).numpy())
    return np.concatenate(parts)


def _rate(step: int, steps: int) -> float:
    """A short warm-up, then half a cosine down to zero."""
    warm_up = max(steps // 20, 1)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(steps - warm_up, 1)))
