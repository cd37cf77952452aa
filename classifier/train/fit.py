"""Fits the network: AdamW, a cosine schedule, words dropped at random, averaged weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from encode import HEAD_SLICES, OUTPUTS, Encoded
from network import Network
from numpy.typing import NDArray
from torch import Tensor

from pointsman_classifier.model_file import HEADS


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the network is shaped and fitted."""

    channels: int = 128
    hidden: int = 128
    epochs: int = 30
    batch_size: int = 32
    rate: float = 2e-3
    embedding_rate: float = 5e-4
    weight_decay: float = 0.05
    dropout: float = 0.4
    word_dropout: float = 0.15
    label_smoothing: float = 0.05


def fit(examples: Encoded, vectors: NDArray[np.float32], recipe: Recipe, seed: int) -> Network:
    """A network fitted to ``examples``, deterministic for a seed on one kind of machine."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = _start(examples, vectors, recipe)
    table = network.embedding
    others = [p for p in network.parameters() if p is not table]
    optimizer = torch.optim.AdamW(
        [
            {"params": others, "lr": recipe.rate, "weight_decay": recipe.weight_decay},
            {"params": [table], "lr": recipe.embedding_rate, "weight_decay": 0.0},
        ]
    )
    steps = recipe.epochs * math.ceil(len(examples) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    network.train()
    for _ in range(recipe.epochs):
        order = rng.permutation(len(examples))
        for start in range(0, len(order), recipe.batch_size):
            rows = order[start : start + recipe.batch_size]
            ids, mask, features = examples.batch(rows)
            ids = ids.masked_fill(torch.rand(ids.shape) < recipe.word_dropout, 0)
            loss = _loss(network(ids, mask, features), examples, rows, recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return network.eval()


def predict(network: Network, examples: Encoded) -> NDArray[np.float32]:
    """Logits of shape (prompts, OUTPUTS)."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(examples), 64):
            rows = np.arange(start, min(start + 64, len(examples)))
            parts.append(network(*examples.batch(rows)).numpy())
    return np.concatenate(parts)


def _start(examples: Encoded, vectors: NDArray[np.float32], recipe: Recipe) -> Network:
    known = examples.features[examples.weights.sum(1) > 0]
    return Network(
        torch.from_numpy(vectors),
        torch.from_numpy(known.mean(0)),
        torch.from_numpy(known.std(0).clip(min=1e-3)),
        recipe.channels,
        recipe.hidden,
        OUTPUTS,
        recipe.dropout,
    )


def _rate(step: int, steps: int) -> float:
    """A short warm-up, then half a cosine down to zero."""
    warm_up = max(steps // 20, 1)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(steps - warm_up, 1)))


def _loss(logits: Tensor, examples: Encoded, rows: NDArray[np.int64], smoothing: float) -> Tensor:
    targets = torch.from_numpy(examples.targets[rows])
    weights = torch.from_numpy(examples.weights[rows])
    loss = torch.zeros(())
    for column, head in enumerate(HEADS):
        part = targets[:, HEAD_SLICES[head]]
        part = part * (1 - smoothing) + smoothing / part.shape[1]
        entropy = -(part * logits[:, HEAD_SLICES[head]].log_softmax(1)).sum(1)
        loss = loss + (entropy * weights[:, column]).sum()
    return loss / len(rows)
