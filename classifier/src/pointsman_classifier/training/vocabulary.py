"""Trims MiniLM's WordPiece vocabulary and shrinks its word vectors.

The vectors are the initialisation of the network's embedding table: they know which words are
alike from far more text than this project has prompts.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

UNKNOWN: Final = "[UNK]"
_FIRST_WORD_ID: Final = 1996
"""In BERT's vocabulary what precedes is special tokens and single characters; what follows is
sorted by how often it was seen."""

_COMMON_WORDS: Final = 9000

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A trimmed vocabulary.

    Attributes:
        tokenizer: WordPiece over the pieces that were kept; id 0 is the unknown token.
        vectors: one row a piece, float32 of shape ``(pieces, dimensions)``.
    """

    tokenizer: Tokenizer
    vectors: Floats


def trim_vocabulary(folder: Path, texts: list[str], pieces: int, dimensions: int) -> Vocabulary:
    """The most useful ``pieces`` of the vocabulary in ``folder``, with vectors by PCA.

    Kept are single characters of ASCII and Latin-1, every piece seen twice in ``texts``, and then
    the pieces that English uses most.

    Args:
        folder: MiniLM's files: ``tokenizer.json`` and ``model.safetensors``.
        texts: the prompts of training.
        pieces: size of the vocabulary.
        dimensions: width of the vectors, at most that of MiniLM's.
    """
    definition = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    ids: dict[str, int] = definition["model"]["vocab"]
    full = Tokenizer.from_file(str(folder / "tokenizer.json"))
    full.no_truncation()
    full.no_padding()
    seen = Counter(
        piece
        for encoding in full.encode_batch(texts, add_special_tokens=False)
        for piece in encoding.tokens
    )
    kept = _choose(ids, seen, pieces)
    tokenizer = _tokenizer(definition, kept)
    table = read_tensors(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    return Vocabulary(tokenizer, _shrink(table, [ids[piece] for piece in kept], dimensions))


def common_words(folder: Path) -> frozenset[str]:
    """The words that English uses most, of MiniLM's vocabulary: they mean what they mean there."""
    ids = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    last = _FIRST_WORD_ID + _COMMON_WORDS
    return frozenset(
        word
        for word, index in ids.items()
        if _FIRST_WORD_ID <= index < last and word.isascii() and word.isalpha()
    )


def read_tensors(path: Path) -> dict[str, Floats]:
    """The float32 tensors of a safetensors file: a length, a JSON header, raw little-endian."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    body = memoryview(content)[8 + length :]
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }


def _choose(ids: dict[str, int], seen: Counter[str], pieces: int) -> list[str]:
    def is_plain(piece: str) -> bool:
        return all(char < "\u0180" for char in piece) and not piece.startswith("[")

    chosen = [UNKNOWN]
    characters = [p for p in ids if len(p.removeprefix("##")) == 1 and is_plain(p)]
    often = [p for p, count in seen.most_common() if count >= 2 and p != UNKNOWN]
    common = sorted(
        (p for p in ids if is_plain(p) and ids[p] >= _FIRST_WORD_ID), key=ids.__getitem__
    )
    for piece in dict.fromkeys(characters + often + common):
        if len(chosen) == pieces:
            break
        chosen.append(piece)
    return chosen


def _tokenizer(definition: dict[str, object], kept: list[str]) -> Tokenizer:
    model = {
        "type": "WordPiece",
        "unk_token": UNKNOWN,
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 40,
        "vocab": {piece: index for index, piece in enumerate(kept)},
    }
    trimmed = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": definition["normalizer"],
        "pre_tokenizer": definition["pre_tokenizer"],
        "post_processor": None,
        "decoder": None,
        "model": model,
    }
    return Tokenizer.from_str(json.dumps(trimmed, ensure_ascii=False))


def _shrink(table: Floats, rows: list[int], dimensions: int) -> Floats:
    """Principal components of the chosen rows, scaled to a mean square of one."""
    chosen = table[rows].astype(np.float64)
    chosen -= chosen.mean(axis=0)
    _, vectors = np.linalg.eigh(chosen.T @ chosen)
    projected = chosen @ vectors[:, ::-1][:, :dimensions]
    return np.asarray(projected / np.sqrt(np.mean(projected**2)), dtype=np.float32)
