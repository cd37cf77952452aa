"""The process in which ``pointsman-classifier train`` learns: see ``environment``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from pointsman_classifier.errors import ClassifierError
from pointsman_classifier.training.prompts import read_prompts
from pointsman_classifier.training.recipe import Recipe, read_corpus, train


def main() -> int:
    """Reads the prompts and trains; progress goes to standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--public", type=Path)
    parser.add_argument("--add", type=Path, action="append", default=[])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        more = [prompt for path in options.add for prompt in read_prompts(path)]
        corpus = read_corpus(options.data, options.public, more, options.seed)
    except ClassifierError as error:
        _tell(f"error: {error}")
        return 1
    train(corpus, Recipe(seed=options.seed), options.out, _tell)
    return 0


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
