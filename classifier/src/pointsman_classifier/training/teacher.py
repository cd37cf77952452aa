"""The teacher: MiniLM, fine-tuned on the labels.

It is also the larger tier: some forty times slower than the student and a few points better.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import dropout

from pointsman_classifier.excerpt import cut_tokens
from pointsman_classifier.lexicon import Lexicon
from pointsman_classifier.training.export import END, START
from pointsman_classifier.training.labels import OUTPUTS
from pointsman_classifier.training.minilm import WIDTH, MiniLM
from pointsman_classifier.training.prompts import Targets
from pointsman_classifier.training.student import (
    Lesson,
    balance,
    batches_by_length,
    loss_of,
    pad,
)
from pointsman_classifier.training.view import in_english, teacher_window

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TeacherRecipe:
    """How the teacher is fine-tuned.

    Attributes:
        head_pieces, tail_pieces: how much of a text it reads.
        epochs: how often every prompt is seen.
        batch_size: prompts a step.
        rate: the step size of AdamW at its greatest, for what MiniLM brings.
        output_rate: the same for the new output layer.
        drop: share of the units left out at each step.
    """

    head_pieces: int = 72
    tail_pieces: int = 40
    epochs: int = 2
    batch_size: int = 24
    rate: float = 8e-5
    output_rate: float = 2e-3
    drop: float = 0.1


class Teacher(nn.Module):
    """MiniLM with an output layer over the mean and the first of its states."""

    def __init__(self, folder: Path, recipe: TeacherRecipe) -> None:
        """Starts from MiniLM's weights in ``folder``."""
        super().__init__()
        self.body = MiniLM(folder, recipe.drop)
        self.output = nn.Linear(2 * WIDTH, OUTPUTS)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)
        self.drop = recipe.drop

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The output row of each text, float32 of shape (batch, OUTPUTS)."""
        states = self.body(ids, mask)
        keep = mask.unsqueeze(-1)
        mean = (states * keep).sum(1) / keep.sum(1)
        pooled = torch.cat([mean, states[:, 0]], 1)
        return self.output(dropout(pooled, self.drop, self.training))


def read_ids(
    texts: list[str], tokenizer: Tokenizer, lexicon: Lexicon, recipe: TeacherRecipe
) -> list[list[int]]:
    """The ids that the teacher reads of each text."""
    window = teacher_window(recipe.head_pieces, recipe.tail_pieces)
    english = in_english(texts, tokenizer, lexicon, window)
    encodings = tokenizer.encode_batch(english, add_special_tokens=False)
    cut = [cut_tokens(encoding.ids, window) for encoding in encodings]
    return [[START, *ids, END] for ids in cut]


def train(
    folder: Path,
    ids: list[list[int]],
    targets: Targets,
    recipe: TeacherRecipe,
    seed: int,
    tell: Callable[[str], None],
) -> Teacher:
    """A teacher fine-tuned on prompts. Deterministic for a seed, on one kind of machine.

    MiniLM's word vectors stay as they are: few prompts hold any one word, and half the time would
    go into moving them.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    teacher = Teacher(folder, recipe)
    teacher.body.freeze_words()
    lesson = Lesson(
        ids=ids,
        features=np.zeros((len(ids), 0), np.float32),
        shares=targets.shares,
        steps=targets.steps,
        length=targets.length,
        weights=balance(targets.shares),
    )
    body = [p for p in teacher.body.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": body, "lr": recipe.rate},
            {"params": list(teacher.output.parameters()), "lr": recipe.output_rate},
        ],
        weight_decay=0.01,
        fused=True,
    )
    steps = recipe.epochs * math.ceil(len(ids) / recipe.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / (0.1 * steps), max(0.0, (steps - step) / (0.9 * steps))),
    )
    for epoch in range(recipe.epochs):
        started, total = time.monotonic(), 0.0
        teacher.train()
        batches = batches_by_length(ids, recipe.batch_size, rng)
        for rows in batches:
            loss = loss_of(teacher(*pad([ids[row] for row in rows])), lesson, rows)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.monotonic() - started
        mean = total / len(batches)
        tell(f"teacher: epoch {epoch + 1} of {recipe.epochs}, loss {mean:.3f}, {seconds:.0f} s")
    return teacher.eval()


def predict(teacher: Teacher, ids: list[list[int]], batch_size: int = 32) -> Floats:
    """The output rows of texts, float32 of shape (texts, OUTPUTS)."""
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    rows = np.zeros((len(ids), OUTPUTS), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            rows[chosen] = teacher(*pad([ids[row] for row in chosen])).numpy()
    return rows
