"""The network: static vectors, one light convolution, three poolings, a small shared layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FEATURE_LIMIT = 4.0
"""Standardised features are cut here, so that an odd text cannot drown its words."""


class Network(nn.Module):
    """Token ids and hand-made features in, the logits of all heads side by side out."""

    def __init__(
        self,
        vectors: Tensor,
        feature_mean: Tensor,
        feature_scale: Tensor,
        channels: int,
        hidden: int,
        outputs: int,
        dropout: float,
    ) -> None:
        """Starts from ``vectors``, of shape (pieces, dimensions)."""
        super().__init__()
        width = vectors.shape[1]
        self.embedding = nn.Parameter(vectors.clone())
        self.feature_mean = nn.Buffer(feature_mean)
        self.feature_scale = nn.Buffer(feature_scale)
        self.depthwise = nn.Conv1d(width, width, 3, padding=1, groups=width)
        self.pointwise = nn.Linear(width, channels)
        self.attention = nn.Linear(width, 1)
        pooled = 2 * width + channels + len(feature_mean)
        self.hidden = nn.Linear(pooled, hidden)
        self.output = nn.Linear(hidden, outputs)
        self.skip = nn.Linear(len(feature_mean), outputs)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor, mask: Tensor, features: Tensor) -> Tensor:
        """Logits of shape (batch, outputs).

        Args:
            ids: int64 of shape (batch, tokens).
            mask: bool of the same shape, false where there is only padding.
            features: float32 of shape (batch, features), not yet standardised.
        """
        keep = mask.unsqueeze(-1)
        words = self.embedding[ids] * keep
        mean = words.sum(1) / keep.sum(1).clamp(min=1)
        weights = self.attention(words).masked_fill(~keep, -1e9).softmax(1)
        attended = (weights * words).sum(1)
        local = self.depthwise(words.transpose(1, 2)).transpose(1, 2)
        phrases = torch.relu(self.pointwise(local)).masked_fill(~keep, 0.0).amax(1)
        shape = (features - self.feature_mean) / self.feature_scale
        shape = shape.clamp(-FEATURE_LIMIT, FEATURE_LIMIT)
        pooled = self.dropout(torch.cat([mean, attended, phrases, shape], 1))
        hidden = self.dropout(torch.relu(self.hidden(pooled)))
        logits: Tensor = self.output(hidden) + self.skip(shape)
        return logits
