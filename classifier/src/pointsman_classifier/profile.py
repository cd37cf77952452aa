"""What the classifier hands back: one frozen profile of five readings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """What one head of the network says.

    Attributes:
        value: the most probable label.
        confidence: calibrated probability that ``value`` is right, in [0, 1].
        scores: every label with its calibrated probability, falling; they sum to 1.
    """

    value: str
    confidence: float
    scores: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """What a prompt asks for.

    Attributes:
        task_type: simple_qa, long_form, code, analysis or multi_step.
        complexity: low, medium or high: how strong a model a good answer needs.
        urgency: low, normal or high.
        domain: code, math, science, medical, legal, finance, humanities or general.
        tone: neutral, formal, casual or frustrated: the writer's register.
        confidence: calibrated probability that task type, complexity and domain are all right.
        tokens: estimate of the whole text's tokens, in pieces of the classifier's own WordPiece
            vocabulary; extrapolated by length where only the head and the tail were read.
        truncated: whether part of the text was left unread.
        duration_s: seconds spent on tokenizing and inference.
    """

    task_type: Reading
    complexity: Reading
    urgency: Reading
    domain: Reading
    tone: Reading
    confidence: float
    tokens: int
    truncated: bool
    duration_s: float
