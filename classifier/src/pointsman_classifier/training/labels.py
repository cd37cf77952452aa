"""The labels a prompt may carry, and their places in the network's output row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pointsman_classifier.model_file import HEADS

LABELS: Final[dict[str, tuple[str, ...]]] = {
    "task_type": ("simple_qa", "long_form", "code", "analysis", "multi_step"),
    "complexity": ("low", "medium", "high"),
    "urgency": ("low", "normal", "high"),
    "domain": (
        "code",
        "math",
        "science",
        "medical",
        "legal",
        "finance",
        "humanities",
        "general",
    ),
    "tone": ("neutral", "formal", "casual", "frustrated"),
}
"""Head -> its labels, in the order of the network's output."""

STEPS: Final = "multi_step"
LENGTH: Final = "output_tokens"
FIELDS: Final = (*LABELS, STEPS, LENGTH)
"""Everything that may be said of a prompt."""

_MOST_TOKENS: Final = 1_000_000


def _slices() -> dict[str, slice]:
    slices, start = {}, 0
    for head in HEADS:
        slices[head] = slice(start, start + len(LABELS[head]))
        start += len(LABELS[head])
    return slices


SLICES: Final = _slices()
"""Where each head's logits lie in the output row."""

WEIGHTS: Final = {"task_type": 1.0, "complexity": 1.0, "urgency": 1.0, "domain": 1.5, "tone": 1.0}
"""How much a head counts in what is learned: most labels, and most to know, has the domain."""

CLASSES: Final = sum(len(labels) for labels in LABELS.values())
"""How many logits the heads have together."""

OUTPUTS: Final = CLASSES + 2
"""Width of the output row: the heads' logits, the log-odds of several steps, log2 of the length."""


@dataclass(frozen=True, slots=True)
class Label:
    """What one annotator says of one prompt; what is absent was not said.

    Attributes:
        heads: head -> label.
        multi_step: whether fulfilling it takes stages that depend on each other.
        output_tokens: about how many tokens a good answer has.
    """

    heads: Mapping[str, str]
    multi_step: bool | None = None
    output_tokens: float | None = None

    def log2_tokens(self) -> float | None:
        """The binary logarithm of the answer's length, of which the network learns."""
        return None if self.output_tokens is None else math.log2(max(self.output_tokens, 1.0))


class LabelError(ValueError):
    """A label that is none.

    Attributes:
        field: the field at fault.
        cause: what is wrong with it, in one clause.
    """

    def __init__(self, field: str, cause: str) -> None:
        super().__init__(f"{field}: {cause}")
        self.field = field
        self.cause = cause


def parse_label(fields: Mapping[str, Any]) -> Label:
    """The label in a JSON object; fields that are none of :data:`FIELDS` are passed over.

    Raises:
        LabelError: a field has a value that it cannot have.
    """
    heads = {}
    for head, allowed in LABELS.items():
        value = fields.get(head)
        if value is None:
            continue
        if value not in allowed:
            raise LabelError(head, f"{value!r} is not one of {', '.join(allowed)}")
        heads[head] = value
    steps, tokens = fields.get(STEPS), fields.get(LENGTH)
    if steps is not None and not isinstance(steps, bool):
        raise LabelError(STEPS, f"{steps!r} is neither true nor false")
    if tokens is not None and (
        isinstance(tokens, bool)
        or not isinstance(tokens, int | float)
        or not 0 < tokens <= _MOST_TOKENS
    ):
        raise LabelError(LENGTH, f"{tokens!r} is not a number above 0 and up to {_MOST_TOKENS}")
    return Label(heads, steps, tokens)
