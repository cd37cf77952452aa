"""A classifier double, and what it reads."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from pointsman_classifier import Profile, Reading

HEADS = ("task_type", "complexity", "urgency", "domain", "tone")


def raw_profile(*, sure: str = "", tokens: int = 12, duration_s: float = 0.001) -> Profile:
    """What the classifier hands back, sure of one head or of none."""

    def reading(head: str, value: str) -> Reading:
        return Reading(value, 0.8, ((value, 0.8), ("other", 0.2)), sure=head == sure)

    return Profile(
        task_type=reading("task_type", "code"),
        complexity=reading("complexity", "high"),
        urgency=reading("urgency", "low"),
        domain=reading("domain", "law"),
        tone=reading("tone", "casual"),
        confidence=0.7,
        complexity_score=0.9,
        multi_step=0.3,
        output_tokens=321,
        tokens=tokens,
        truncated=True,
        duration_s=duration_s,
    )


class GatedClassifier:
    """Reads one text whenever it is let to, and keeps a book of what it read, and where.

    A text that contains "broken" breaks it.
    """

    version = "gated"
    labels: Mapping[str, tuple[str, ...]] = dict.fromkeys(HEADS, ("one",))

    def __init__(self, *, open_: bool = True) -> None:
        self.read: list[str] = []
        self.threads: set[int] = set()
        self.busy = threading.Event()
        self.tokens: int | None = None
        self._gate = threading.Semaphore(0)
        self._open = open_

    def let(self, readings: int = 1) -> None:
        """Let so many readings happen."""
        self._gate.release(readings)

    def classify(self, text: str) -> Profile:
        """Read a text."""
        self.threads.add(threading.get_ident())
        self.busy.set()
        if not self._open and not self._gate.acquire(timeout=10):
            raise AssertionError("nobody let it read")
        self.busy.clear()
        self.read.append(text)
        if "broken" in text:
            raise ValueError("it broke")
        return raw_profile(tokens=len(text) if self.tokens is None else self.tokens)
