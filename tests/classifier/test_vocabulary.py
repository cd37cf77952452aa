"""A large vocabulary is trimmed to the pieces that matter, and its vectors to their main axes."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pointsman_classifier.training.vocabulary import (
    UNKNOWN,
    common_words,
    read_tensors,
    trim_vocabulary,
)
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

WIDTH = 6
FIRST_WORD = 1996
PIECES = (
    "[PAD]",
    *(f"[unused{number}]" for number in range(98)),
    "[UNK]",
    *"abcdefghijklmnopqrstuvwxyz?!ñ漢",
    *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
    *(f"[more{number}]" for number in range(FIRST_WORD - 156)),
    *("the", "of", "write", "##ing", "zebra", "poem", "漢字", "##ed", "ode"),
)


@pytest.fixture(scope="module")
def table() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0, 1, (len(PIECES), WIDTH)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(table: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as MiniLM's are."""
    made = tmp_path_factory.mktemp("minilm")
    tokenizer = Tokenizer(
        models.WordPiece(
            vocab={piece: index for index, piece in enumerate(PIECES)},
            unk_token=UNKNOWN,
            max_input_chars_per_word=40,
            continuing_subword_prefix="##",
        )
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    tokenizer.save(str(made / "tokenizer.json"))
    write_tensors(made / "model.safetensors", {"embeddings.word_embeddings.weight": table})
    return made


def write_tensors(path: Path, tensors: dict[str, NDArray[np.float32]]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, value in tensors.items():
        content = value.tobytes()
        offsets = [len(body), len(body) + len(content)]
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": offsets}
        body += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def test_tensors_are_read_as_they_were_written(tmp_path: Path) -> None:
    tensors = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b.c": np.full((1, 2, 2), -1.5, np.float32),
    }
    write_tensors(tmp_path / "x.safetensors", tensors)
    read = read_tensors(tmp_path / "x.safetensors")
    assert set(read) == set(tensors)
    for name, value in tensors.items():
        np.testing.assert_array_equal(read[name], value)


def test_the_pieces_that_matter_are_kept(folder: Path) -> None:
    texts = ["write an ode", "the ode of the writer"]
    vocabulary = trim_vocabulary(folder, texts, 70, 4).tokenizer.get_vocab()
    assert vocabulary[UNKNOWN] == 0
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert set("abcñ?!") | {"##a", "##z"} <= set(vocabulary)
    assert {"the", "of", "write", "ode"} <= set(vocabulary)
    assert not {"[PAD]", "[unused3]", "[more3]"} & set(vocabulary)
    assert len(vocabulary) <= 70


def test_what_is_seen_twice_goes_before_what_is_common(folder: Path) -> None:
    signs = 1 + 29 + 26
    vocabulary = trim_vocabulary(folder, ["zebra zebra", "ode"], signs + 2, 4)
    assert {"zebra", "the"} <= set(vocabulary.tokenizer.get_vocab())
    assert "of" not in vocabulary.tokenizer.get_vocab()


def test_words_fall_into_pieces_as_they_did_before(folder: Path) -> None:
    vocabulary = trim_vocabulary(folder, [], 1000, 4)
    before = Tokenizer.from_file(str(folder / "tokenizer.json"))
    before.no_truncation()
    before.no_padding()
    for text in ("Writing the ZEBRA's poems?", "oded zebraing"):
        assert vocabulary.tokenizer.encode(text).tokens == before.encode(text).tokens


def test_vectors_of_full_width_keep_every_angle(folder: Path, table: NDArray[np.float32]) -> None:
    vocabulary = trim_vocabulary(folder, [], 1000, WIDTH)
    order = vocabulary.tokenizer.get_vocab()
    kept = sorted(order, key=order.__getitem__)
    own = table[[PIECES.index(piece) for piece in kept]].astype(np.float64)
    own -= own.mean(0)
    products, expected = vocabulary.vectors @ vocabulary.vectors.T, own @ own.T
    np.testing.assert_allclose(products / products[0, 0], expected / expected[0, 0], atol=1e-4)
    assert np.mean(vocabulary.vectors**2) == pytest.approx(1.0, abs=1e-4)


def test_fewer_dimensions_are_the_main_ones(folder: Path) -> None:
    whole = trim_vocabulary(folder, [], 1000, WIDTH).vectors
    spread = whole.astype(np.float64).var(0)
    assert list(spread) == sorted(spread, reverse=True)
    fewer = trim_vocabulary(folder, [], 1000, 3).vectors
    ratio = fewer / whole[:, :3]
    np.testing.assert_allclose(np.abs(ratio), np.abs(ratio[0, 0]), rtol=1e-3)


def test_common_words_are_plain_words_and_nothing_else(folder: Path) -> None:
    assert common_words(folder) == {"the", "of", "write", "zebra", "poem", "ode"}
