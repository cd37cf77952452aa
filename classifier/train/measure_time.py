"""Measures how long one prompt takes, by length, with the committed model.

Usage: python measure_time.py [--rounds N]; needs only the package's own dependencies.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from data import read_original
from pointsman_classifier import Classifier

_DATA = Path(__file__).parent.parent / "data" / "original"
_BUCKETS = {"16": (12, 20), "64": (56, 72), "128": (116, 140)}
_LONG_CHARS = {"512": 2_500, "200,000": 1_000_000}


def main() -> None:
    """Prints the median and the 99th percentile in milliseconds, per number of tokens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    rounds = parser.parse_args().rounds
    classifier = Classifier.load()
    texts = [prompt.text for prompt in read_original(_DATA)]
    for name, (least, most) in _BUCKETS.items():
        chosen = [text for text in texts if least <= classifier.classify(text).tokens <= most]
        _report(name, classifier, chosen, rounds)
    prose = " ".join(texts)
    for name, chars in _LONG_CHARS.items():
        _report(name, classifier, [(prose * (chars // len(prose) + 1))[:chars]], rounds)


def _report(name: str, classifier: Classifier, texts: list[str], rounds: int) -> None:
    taken = []
    for number in range(rounds):
        text = texts[number % len(texts)]
        started = time.perf_counter()
        classifier.classify(text)
        taken.append((time.perf_counter() - started) * 1e3)
    taken.sort()
    median, late = taken[rounds // 2], taken[int(rounds * 0.99)]
    print(f"{name:>8} tokens: median {median:.2f} ms, p99 {late:.2f} ms")


if __name__ == "__main__":
    main()
