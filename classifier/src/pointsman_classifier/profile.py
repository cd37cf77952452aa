"""What the classifier hands back: one frozen profile of what a prompt asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """What one head of the network says.

    Attributes:
        value: the most probable label.
        confidence: calibrated probability that ``value`` is right, in [0, 1].
        scores: every label with its calibrated probability, falling; they sum to 1.
        sure: whether ``confidence`` reaches the head's threshold, above which nine readings in
            ten were right on prompts of authors whom training never saw. Who would rather have no
            reading than a wrong one passes over those that are not.
    """

    value: str
    confidence: float
    scores: tuple[tuple[str, float], ...]
    sure: bool = False


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
        complexity_score: the expected complexity on a scale from 0, low, over 0.5, medium, to 1,
            high.
        multi_step: calibrated probability that the task takes stages that depend on each other.
        output_tokens: about how many tokens a good answer has: the median of what is expected.
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
    complexity_score: float
    multi_step: float
    output_tokens: int
    tokens: int
    truncated: bool
    duration_s: float
