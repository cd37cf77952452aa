"""Turns prompts into the arrays that training needs, by the very code that serves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from data import LABELS, Prompt
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from pointsman_classifier.excerpt import Window, cut_text, cut_tokens
from pointsman_classifier.features import compute_features
from pointsman_classifier.model_file import HEADS

HEAD_SLICES = {
    head: slice(start, start + len(LABELS[head]))
    for head, start in zip(
        HEADS, np.cumsum([0] + [len(LABELS[h]) for h in HEADS])[:-1].tolist(), strict=True
    )
}
"""Where each head's logits lie in the network's output row."""

OUTPUTS = sum(len(LABELS[head]) for head in HEADS)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Prompts as arrays.

    Attributes:
        ids: per prompt its token ids, cut to the window.
        features: float32 of shape (prompts, features).
        targets: float32 of shape (prompts, OUTPUTS): one distribution a head, zero where unknown.
        weights: float32 of shape (prompts, heads): how much each label counts, zero where unknown.
    """

    ids: list[list[int]]
    features: NDArray[np.float32]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> Encoded:
        """The chosen rows, in that order."""
        return Encoded(
            [self.ids[row] for row in rows],
            self.features[rows],
            self.targets[rows],
            self.weights[rows],
        )

    def batch(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Ids padded with zeros, mask and features of the chosen rows, as tensors."""
        chosen = [self.ids[row] for row in rows]
        longest = max(map(len, chosen))
        ids = torch.zeros(len(chosen), longest, dtype=torch.int64)
        mask = torch.zeros(len(chosen), longest, dtype=torch.bool)
        for index, tokens in enumerate(chosen):
            ids[index, : len(tokens)] = torch.tensor(tokens)
            mask[index, : len(tokens)] = True
        return ids, mask, torch.from_numpy(self.features[rows])


def encode(prompts: list[Prompt], tokenizer: Tokenizer, window: Window) -> Encoded:
    """Encodes prompts; every known label gets weight one."""
    excerpts = [cut_text(prompt.text, window) for prompt in prompts]
    encodings = tokenizer.encode_batch(excerpts, add_special_tokens=False)
    targets = np.zeros((len(prompts), OUTPUTS), np.float32)
    weights = np.zeros((len(prompts), len(HEADS)), np.float32)
    for row, prompt in enumerate(prompts):
        for column, head in enumerate(HEADS):
            if head in prompt.labels:
                label = LABELS[head].index(prompt.labels[head])
                targets[row, HEAD_SLICES[head].start + label] = 1.0
                weights[row, column] = 1.0
    features = [
        compute_features(prompt.text, excerpt)
        for prompt, excerpt in zip(prompts, excerpts, strict=True)
    ]
    ids = [cut_tokens(encoding.ids, window) or [0] for encoding in encodings]
    return Encoded(ids, np.stack(features), targets, weights)


def concatenate(parts: list[Encoded]) -> Encoded:
    """All parts, one after the other."""
    return Encoded(
        [ids for part in parts for ids in part.ids],
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )
