"""Small networks of random weights, with the very names and shapes that training leaves behind.

They know nothing, but they are quick to make, to export and to run, and whatever is said of a
graph, of calibration or of a model folder must hold for them as well as for the one that is
shipped.
"""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pointsman_classifier.features import FEATURE_NAMES
from pointsman_classifier.training.labels import OUTPUTS
from pointsman_classifier.training.run_folder import (
    LEXICON,
    RUN,
    STUDENT,
    TEACHER,
    TEACHER_TOKENIZER,
    TOKENIZER,
)
from pointsman_classifier.training.view import WINDOW
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

Floats = NDArray[np.float32]
Weights = dict[str, Floats]

STUDENT_WIDTH, INNER, CHANNELS, POOLS, SHAPES, HIDDEN, PAIRS = 16, 12, 10, 2, 6, 14, 97
TEACHER_WIDTH, TEACHER_LAYERS, TEACHER_INNER = 24, 2, 40
TEACHER_HEAD_PIECES, TEACHER_TAIL_PIECES = 30, 12

WORDS = (
    *("the", "a", "of", "to", "is", "what", "why", "how", "write", "me", "my", "please", "code"),
    *("herring", "trout", "salmon", "carp", "lorry", "van", "tram", "ferry", "in", "and", "it"),
)

LEXICON_JSON = json.dumps(
    {
        "words": {"forelle": "trout", "code": "code", "bitte": "please"},
        "stems": {"schreib": "write me"},
        "signs": {"何": "what", "書": "write", "書い": "write", "船": "ferry"},
    },
    ensure_ascii=False,
)


def make_tokenizer(words: Sequence[str] = WORDS) -> Tokenizer:
    """Uncased WordPiece over ASCII and a few words, put together as the shipped one is."""
    signs = string.ascii_lowercase + string.digits + string.punctuation + "é漢"
    pieces = dict.fromkeys(["[UNK]", *signs, *(f"##{sign}" for sign in signs), *words])
    model = models.WordPiece(
        vocab={piece: index for index, piece in enumerate(pieces)},
        unk_token="[UNK]",
        max_input_chars_per_word=40,
        continuing_subword_prefix="##",
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def student_weights(seed: int, pieces: int) -> Weights:
    """A student's ``state_dict``, drawn so that its outputs are of the size that learned ones are.

    Args:
        seed: of the draw.
        pieces: size of the vocabulary.
    """
    draw = _Draw(seed)
    width, features = STUDENT_WIDTH, len(FEATURE_NAMES)
    wide = width * (1 + POOLS) + CHANNELS + SHAPES + features
    weights = {
        "embedding": draw.normal((pieces, width)),
        "places": draw.normal((WINDOW.tokens, width), 0.1),
        "feature_mean": draw.normal((features,)),
        "feature_scale": np.abs(draw.normal((features,))) + np.float32(0.3),
        "word_votes": draw.normal((pieces, OUTPUTS), 0.3),
        "pair_votes": draw.normal((PAIRS, OUTPUTS), 0.3),
    }
    for name in ("before_mixing", "before_inner"):
        weights |= draw.norm(name, width)
    for name, inputs, outputs in (
        ("query", width, width),
        ("key", width, width),
        ("value", width, width),
        ("mixed", width, width),
        ("inner", width, INNER),
        ("inner_out", INNER, width),
        ("attention", width, POOLS),
        ("shape", features, SHAPES),
        ("hidden", wide, HIDDEN),
        ("output", wide + HIDDEN, OUTPUTS),
    ):
        weights |= draw.linear(name, inputs, outputs)
    for name, shape in (
        ("near", (width, 1, 3)),
        ("near_mix", (CHANNELS, width, 1)),
        ("far", (CHANNELS, 1, 5)),
        ("far_mix", (CHANNELS, CHANNELS, 1)),
    ):
        weights |= draw.convolution(name, shape)
    return weights


def teacher_weights(seed: int, pieces: int) -> Weights:
    """A tiny BERT with an output layer, under the names that the run folder gives it."""
    draw = _Draw(seed)
    width = TEACHER_WIDTH
    places = TEACHER_HEAD_PIECES + TEACHER_TAIL_PIECES + 90
    body = {
        "embeddings.word_embeddings.weight": draw.normal((pieces, width)),
        "embeddings.position_embeddings.weight": draw.normal((places, width), 0.3),
        "embeddings.token_type_embeddings.weight": draw.normal((2, width), 0.3),
        **draw.norm("embeddings.LayerNorm", width),
    }
    for layer in range(TEACHER_LAYERS):
        prefix = f"encoder.layer.{layer}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value"):
            body |= draw.linear(f"{prefix}{name}", width, width)
        body |= draw.linear(f"{prefix}attention.output.dense", width, width)
        body |= draw.norm(f"{prefix}attention.output.LayerNorm", width)
        body |= draw.linear(f"{prefix}intermediate.dense", width, TEACHER_INNER)
        body |= draw.linear(f"{prefix}output.dense", TEACHER_INNER, width)
        body |= draw.norm(f"{prefix}output.LayerNorm", width)
    named = {f"body.weights.{name}": value for name, value in body.items()}
    return named | draw.linear("output", 2 * width, OUTPUTS)


def write_run(folder: Path, prompts: dict[str, int], seed: int = 5) -> Path:
    """A run folder as ``train`` leaves it, of random weights.

    Args:
        folder: to be made.
        prompts: what it shall say that it learned from: prompts by style.
        seed: of the draw.
    """
    folder.mkdir(parents=True)
    tokenizer = make_tokenizer()
    pieces = tokenizer.get_vocab_size()
    np.savez(folder / STUDENT, **student_weights(seed, pieces))  # type: ignore[arg-type]
    np.savez(folder / TEACHER, **teacher_weights(seed, pieces))  # type: ignore[arg-type]
    for name in (TOKENIZER, TEACHER_TOKENIZER):
        (folder / name).write_text(tokenizer.to_str(), "utf-8")
    (folder / LEXICON).write_text(LEXICON_JSON, "utf-8")
    described = {
        "recipe": {
            "teacher": {"head_pieces": TEACHER_HEAD_PIECES, "tail_pieces": TEACHER_TAIL_PIECES}
        },
        "prompts": prompts,
        "languages": {"en": sum(prompts.values())},
        "public_texts": 4321,
        "torch": "0",
    }
    (folder / RUN).write_text(json.dumps(described), "utf-8")
    return folder


class _Draw:
    """Weights of a layer's usual spread."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def normal(self, shape: tuple[int, ...], spread: float = 1.0) -> Floats:
        return self._rng.normal(0, spread, shape).astype(np.float32)

    def linear(self, name: str, inputs: int, outputs: int) -> Weights:
        return {
            f"{name}.weight": self.normal((outputs, inputs), inputs**-0.5),
            f"{name}.bias": self.normal((outputs,), 0.2),
        }

    def convolution(self, name: str, shape: tuple[int, int, int]) -> Weights:
        spread = (shape[1] * shape[2]) ** -0.5
        return {
            f"{name}.weight": self.normal(shape, spread),
            f"{name}.bias": self.normal(shape[:1], 0.2),
        }

    def norm(self, name: str, width: int) -> Weights:
        return {
            f"{name}.weight": 1 + self.normal((width,), 0.2),
            f"{name}.bias": self.normal((width,), 0.2),
        }
