"""The network that is shipped, and how it learns from the teacher.

The teacher reads a prompt in some twenty milliseconds; this reads it in a third of one: word
vectors, one layer of attention, two light convolutions, three poolings, one hidden layer, and
beside them the votes of single words and pairs. What it lacks in depth it makes up in texts: it is
shown tens of thousands, each with what the teacher says of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import dropout, log_softmax, relu, scaled_dot_product_attention

from pointsman_classifier.model_file import HEADS
from pointsman_classifier.training.export import (
    ATTENTION_HEADS,
    FEATURE_LIMIT,
    PAIR_FIRST,
    PAIR_SECOND,
)
from pointsman_classifier.training.labels import CLASSES, OUTPUTS, SLICES, WEIGHTS
from pointsman_classifier.training.view import WINDOW

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StudentRecipe:
    """How the student is shaped and taught.

    Attributes:
        dimensions: width of the word vectors.
        heads: of the attention.
        inner: width of the layer after the attention.
        pairs: rows of the table in which pairs of neighbours share a place by their hash.
        channels: width of the convolutions' outputs.
        pools: how many ways of weighing the words are learned.
        features: width of the layer over the hand-made features.
        hidden: width of the hidden layer.
        drop: share of the units left out at each step.
        epochs: how often every text is seen.
        batch_size: texts a step.
        rate: the step size of AdamW at its greatest.
        vector_rate: the same for the word vectors.
        word_drop: share of the words that are replaced by the unknown one.
    """

    dimensions: int = 128
    heads: int = ATTENTION_HEADS
    inner: int = 128
    pairs: int = 16384
    channels: int = 128
    pools: int = 2
    features: int = 64
    hidden: int = 256
    drop: float = 0.1
    epochs: int = 6
    batch_size: int = 64
    rate: float = 2e-3
    vector_rate: float = 1e-3
    word_drop: float = 0.05


@dataclass(frozen=True, slots=True)
class Lesson:
    """Texts and what the student shall say of them.

    Attributes:
        ids: per text its pieces' ids, none empty.
        features: float32 (texts, features), as they come.
        shares: float32 (texts, CLASSES): in each head a distribution over its labels.
        steps: float32 (texts,): probability of several steps; NaN where unknown.
        length: float32 (texts,): log2 of the answer's tokens; NaN where unknown.
        weights: float32 (texts, heads): how much each text counts in each head.
    """

    ids: list[list[int]]
    features: Floats
    shares: Floats
    steps: Floats
    length: Floats
    weights: Floats


class Student(nn.Module):
    """Ids and features in, the output row out."""

    def __init__(self, vectors: Tensor, features: int, recipe: StudentRecipe) -> None:
        """Starts from word vectors of shape (pieces, dimensions)."""
        super().__init__()
        width, channels = vectors.shape[1], recipe.channels
        self.drop = recipe.drop
        self.heads = recipe.heads
        self.embedding = nn.Parameter(vectors.clone())
        self.places = nn.Parameter(torch.randn(WINDOW.tokens, width) * 0.02)
        self.before_mixing = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.mixed = nn.Linear(width, width)
        self.before_inner = nn.LayerNorm(width)
        self.inner = nn.Linear(width, recipe.inner)
        self.inner_out = nn.Linear(recipe.inner, width)
        self.near = nn.Conv1d(width, width, 3, padding=1, groups=width)
        self.near_mix = nn.Conv1d(width, channels, 1)
        self.far = nn.Conv1d(channels, channels, 5, padding=2, groups=channels)
        self.far_mix = nn.Conv1d(channels, channels, 1)
        self.attention = nn.Linear(width, recipe.pools)
        self.register_buffer("feature_mean", torch.zeros(features))
        self.register_buffer("feature_scale", torch.ones(features))
        self.shape = nn.Linear(features, recipe.features)
        wide = width * (1 + recipe.pools) + channels + recipe.features + features
        self.hidden = nn.Linear(wide, recipe.hidden)
        self.output = nn.Linear(wide + recipe.hidden, OUTPUTS)
        self.word_votes = nn.Parameter(torch.zeros(len(vectors), OUTPUTS))
        self.pair_votes = nn.Parameter(torch.zeros(recipe.pairs, OUTPUTS))

    def state(self, ids: Tensor, mask: Tensor, features: Tensor) -> Tensor:
        """What the last layer reads, float32 of shape (batch, wide + hidden).

        Args:
            ids: int64 of shape (batch, pieces).
            mask: bool of the same shape, false where there is only padding.
            features: float32 of shape (batch, features), as they come.
        """
        keep = mask.unsqueeze(1)
        words = self._in_context(ids, mask).transpose(1, 2) * keep
        mean = words.sum(2) / keep.sum(2).clamp(min=1)
        scores = self.attention(words.transpose(1, 2)).transpose(1, 2)
        shares = scores.masked_fill(~keep, -1e9).softmax(2)
        attended = (shares @ words.transpose(1, 2)).flatten(1)
        phrases = relu(self.near_mix(self.near(words))) * keep
        phrases = phrases + relu(self.far_mix(self.far(phrases))) * keep
        greatest = phrases.amax(2)
        standard = (features - self.feature_mean) / self.feature_scale
        standard = standard.clamp(-FEATURE_LIMIT, FEATURE_LIMIT)
        pooled = torch.cat([mean, attended, greatest, relu(self.shape(standard)), standard], 1)
        pooled = dropout(pooled, self.drop, self.training)
        hidden = dropout(relu(self.hidden(pooled)), self.drop, self.training)
        return torch.cat([pooled, hidden], 1)

    def _in_context(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The words' vectors, each with what it takes from the others: (batch, pieces, width)."""
        words = self.embedding[ids]
        batch, pieces, width = words.shape
        standard = self.before_mixing(words + self.places[:pieces])
        query, key, value = (
            layer(standard).view(batch, pieces, self.heads, width // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        seen = scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        words = words + self.mixed(seen.transpose(1, 2).reshape(batch, pieces, width))
        return words + self.inner_out(relu(self.inner(self.before_inner(words))))

    def forward(self, ids: Tensor, mask: Tensor, features: Tensor) -> Tensor:
        """The output row of each text, float32 of shape (batch, OUTPUTS)."""
        return self.output(self.state(ids, mask, features)) + self._votes(ids, mask)

    def _votes(self, ids: Tensor, mask: Tensor) -> Tensor:
        """What words and pairs of neighbours say by themselves, wherever they stand."""
        keep = mask.unsqueeze(-1)
        votes = (self.word_votes[ids] * keep).sum(1)
        pairs = (ids[:, :-1] * PAIR_FIRST + ids[:, 1:] * PAIR_SECOND) % len(self.pair_votes)
        votes = votes + (self.pair_votes[pairs] * keep[:, 1:]).sum(1)
        return votes / keep.sum(1).sqrt()


def teach(
    lesson: Lesson,
    vectors: Floats,
    scale_by: Floats,
    recipe: StudentRecipe,
    seed: int,
    tell: Callable[[str], None],
) -> Student:
    """A student that has learned the lesson. Deterministic for a seed, on one kind of machine.

    Args:
        lesson: see there.
        vectors: what the word vectors start from.
        scale_by: the features of the prompts by which all are standardised.
        recipe: see there.
        seed: of everything random.
        tell: takes one line of progress an epoch.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    student = Student(torch.from_numpy(vectors), lesson.features.shape[1], recipe)
    student.feature_mean.copy_(torch.from_numpy(scale_by.mean(0)))
    student.feature_scale.copy_(torch.from_numpy(scale_by.std(0).clip(min=1e-3)))
    others = [p for p in student.parameters() if p is not student.embedding]
    optimizer = torch.optim.AdamW(
        [
            {"params": others, "lr": recipe.rate, "weight_decay": 0.01},
            {"params": [student.embedding], "lr": recipe.vector_rate, "weight_decay": 0.0},
        ],
        fused=True,
    )
    steps = recipe.epochs * math.ceil(len(lesson.ids) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    for epoch in range(recipe.epochs):
        started, total = time.monotonic(), 0.0
        student.train()
        batches = batches_by_length(lesson.ids, recipe.batch_size, rng)
        for rows in batches:
            ids, mask = pad([lesson.ids[row] for row in rows])
            ids = ids.masked_fill(torch.rand(ids.shape) < recipe.word_drop, 0)
            given = student(ids, mask, torch.from_numpy(lesson.features[rows]))
            loss = loss_of(given, lesson, rows)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(others, 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.monotonic() - started
        mean = total / len(batches)
        tell(f"student: epoch {epoch + 1} of {recipe.epochs}, loss {mean:.3f}, {seconds:.0f} s")
    return student.eval()


def loss_of(given: Tensor, lesson: Lesson, rows: NDArray[np.int64]) -> Tensor:
    """Cross-entropy of every head, of the steps, and the squared error of the length."""
    shares = torch.from_numpy(lesson.shares[rows])
    weights = torch.from_numpy(lesson.weights[rows])
    loss = torch.zeros(())
    for column, head in enumerate(HEADS):
        where = SLICES[head]
        likely = (shares[:, where] * log_softmax(given[:, where], 1)).sum(1)
        loss = loss - (weights[:, column] * likely).mean()
    steps, length = torch.from_numpy(lesson.steps[rows]), torch.from_numpy(lesson.length[rows])
    known = ~steps.isnan()
    if known.any():
        logits = given[known, CLASSES]
        loss = loss + 0.5 * nn.functional.binary_cross_entropy_with_logits(logits, steps[known])
    known = ~length.isnan()
    if known.any():
        loss = loss + 0.1 * (given[known, CLASSES + 1] - length[known]).square().mean()
    return loss


def balance(shares: Floats) -> Floats:
    """The head's weight, by which its rare labels count more: by the root of how rare they are.

    Args:
        shares: as in :class:`Lesson`; a row of zeros in a head weighs nothing.

    Returns:
        float32 of shape (texts, heads).
    """
    columns = []
    for head in HEADS:
        held = shares[:, SLICES[head]]
        total = held.sum(0).clip(min=1e-6)
        columns.append(WEIGHTS[head] * (held * np.sqrt(total.mean() / total)).sum(1))
    return np.stack(columns, 1).astype(np.float32)


def predict(student: Student, ids: list[list[int]], features: Floats) -> Floats:
    """The output rows of texts, float32 of shape (texts, OUTPUTS)."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(ids), 64):
            padded, mask = pad(ids[start : start + 64])
            rows = torch.from_numpy(features[start : start + 64])
            parts.append(student(padded, mask, rows).numpy())
    return np.concatenate(parts)


def pad(ids: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Ids padded with zeros to the longest, and their mask."""
    longest = max(map(len, ids))
    padded = np.zeros((len(ids), longest), np.int64)
    mask = np.zeros((len(ids), longest), bool)
    for row, pieces in enumerate(ids):
        padded[row, : len(pieces)] = pieces
        mask[row, : len(pieces)] = True
    return torch.from_numpy(padded), torch.from_numpy(mask)


def batches_by_length(
    ids: list[list[int]], size: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Shuffled batches of texts of like length, so that little is computed on padding."""
    order = rng.permutation(len(ids))
    lengths = np.array([len(pieces) for pieces in ids])
    batches = []
    for start in range(0, len(order), size * 16):
        chunk = order[start : start + size * 16]
        chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
        batches += [chunk[first : first + size] for first in range(0, len(chunk), size)]
    return [batches[index] for index in rng.permutation(len(batches))]


def _rate(step: int, steps: int) -> float:
    """A short warm-up, then half a cosine down to zero."""
    warm_up = max(steps // 20, 1)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(steps - warm_up, 1)))
