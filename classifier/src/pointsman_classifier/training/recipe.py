"""The whole training, from labelled prompts to a folder that holds what was learned.

What is learned goes into a run folder: see :mod:`pointsman_classifier.training.run_folder`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from pointsman_classifier.lexicon import Lexicon
from pointsman_classifier.model_file import HEADS
from pointsman_classifier.training import mixing, public, student, teacher
from pointsman_classifier.training.labels import CLASSES, SLICES
from pointsman_classifier.training.lexicon_source import read_lexicon
from pointsman_classifier.training.metrics import softmax
from pointsman_classifier.training.minilm import model_folder
from pointsman_classifier.training.prompts import Prompt, Targets, read_folder, targets_of
from pointsman_classifier.training.run_folder import (
    LEXICON,
    RUN,
    STUDENT,
    TEACHER,
    TEACHER_TOKENIZER,
    TOKENIZER,
)
from pointsman_classifier.training.view import WINDOW, Views, in_english, look_at
from pointsman_classifier.training.vocabulary import Vocabulary, common_words, trim_vocabulary

DOCUMENT_WEIGHTS: Final = {
    "task_type": 1.0,
    "complexity": 0.0,
    "urgency": 1.0,
    "domain": 0.5,
    "tone": 1.0,
}
"""How much a document with a prompt counts in each head: it may be harder than the prompt alone,
and its words may be of another field."""

Floats = NDArray[np.float32]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what comes out, but for the prompts.

    Attributes:
        pieces: size of the student's vocabulary.
        mixed: how many texts are made of the prompts.
        bags: how many handfuls of like words; they teach the domain alone.
        documents: how many prompts are put before or after a document.
        repeats: how often a prompt counts against a text that only the teacher labelled.
        trust: how much of a prompt's target is its annotators'; the rest is the teacher's.
        seed: of everything random.
        teacher, student: see there.
    """

    pieces: int = 13000
    mixed: int = 10000
    bags: int = 6000
    documents: int = 2500
    repeats: int = 3
    trust: float = 0.9
    seed: int = 0
    teacher: teacher.TeacherRecipe = field(default_factory=teacher.TeacherRecipe)
    student: student.StudentRecipe = field(default_factory=student.StudentRecipe)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is learned from.

    Attributes:
        prompts: with labels: the project's own, those of public collections, the user's.
        texts: without labels, of public collections.
        lexicon: the folder of the lexicon's lists.
        added: the styles of the prompts that are the user's.
    """

    prompts: list[Prompt]
    texts: list[str]
    lexicon: Path
    added: list[str]


def read_corpus(
    data: Path, public_folder: Path | None, more: Sequence[Prompt], seed: int
) -> Corpus:
    """The prompts under ``data/train`` and what ``public_folder`` adds.

    Nothing that is measured on is learned from: texts that also stand under ``data/test``, or in a
    collection that is kept unseen, are left out.

    Raises:
        DataError: a file cannot be read, or a line is wrong.
    """
    prompts = [*read_folder(data / "train"), *more]
    texts: list[str] = []
    kept_apart = [prompt.text for prompt in read_folder(data / "test")]
    if public_folder is not None:
        prompts += public.read_labelled(public_folder, data / "public" / "train.jsonl")
        prompts += public.read_fields(public_folder, seed)
        texts = public.read_texts(public_folder, seed)
        kept_apart += public.read_unseen_texts(public_folder)
    taken = set(public.without([prompt.text for prompt in prompts], kept_apart))
    return Corpus(
        prompts=[prompt for prompt in prompts if prompt.text in taken],
        texts=public.without(texts, kept_apart),
        lexicon=data / "lexicon",
        added=sorted({prompt.style for prompt in more}),
    )


def train(corpus: Corpus, recipe: Recipe, folder: Path, tell: Tell) -> None:
    """Trains teacher and student and writes the run folder. Takes some fifteen minutes."""
    torch.use_deterministic_algorithms(True)
    folder.mkdir(parents=True, exist_ok=True)
    minilm = model_folder()
    tokenizer = Tokenizer.from_file(str(minilm / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    definition = read_lexicon(corpus.lexicon, common_words(minilm))
    (folder / LEXICON).write_text(definition, "utf-8")
    lexicon = Lexicon.from_json(definition)
    targets = targets_of(corpus.prompts)
    own = [prompt.text for prompt in corpus.prompts]
    tell(f"teacher: learns from {len(own):,} prompts")
    ids = teacher.read_ids(own, tokenizer, lexicon, recipe.teacher)
    taught = teacher.train(minilm, ids, targets, recipe.teacher, recipe.seed, tell)
    _save(folder / TEACHER, taught.state_dict())
    _save_tokenizer(folder / TEACHER_TOKENIZER, tokenizer)

    texts = [*corpus.texts, *mixing.mix(own, recipe.mixed, recipe.seed), *own]
    english = in_english(texts, tokenizer, lexicon, WINDOW)
    vocabulary = trim_vocabulary(minilm, english, recipe.pieces, recipe.student.dimensions)
    texts = [*_bags(vocabulary, recipe), *texts]
    tell(f"teacher: reads {len(texts):,} texts to the student")
    said = teacher.predict(taught, teacher.read_ids(texts, tokenizer, lexicon, recipe.teacher))
    documents = mixing.documents(own, recipe.documents, recipe.seed)
    views = look_at([*texts, *(text for text, _ in documents)], vocabulary.tokenizer, lexicon)
    learned = student.teach(
        lesson_of(views, said, targets, [row for _, row in documents], recipe),
        vocabulary.vectors,
        views.features[len(texts) - len(own) : len(texts)],
        recipe.student,
        recipe.seed,
        tell,
    )
    _save(folder / STUDENT, learned.state_dict())
    _save_tokenizer(folder / TOKENIZER, vocabulary.tokenizer)
    described = json.dumps(_describe(corpus, recipe), indent=1)
    (folder / RUN).write_text(described + "\n", "utf-8")


def lesson_of(
    views: Views, said: Floats, targets: Targets, asks: list[int], recipe: Recipe
) -> student.Lesson:
    """What the student shall say: of prompts mostly what annotators do, of texts the teacher.

    Of a document with a prompt it shall say what is to be said of the prompt.

    Args:
        views: of all texts: bags first, then texts, prompts with labels, documents.
        said: the teacher's output rows of all but the documents.
        targets: the labels of the prompts.
        asks: per document the index of its prompt among the prompts.
        recipe: see there.
    """
    prompts, read = len(targets.steps), len(said)
    shares = np.zeros((read, CLASSES), np.float32)
    for where in SLICES.values():
        shares[:, where] = softmax(said[:, where])
        given = targets.shares[:, where]
        labelled = given.sum(1) > 0
        mine = shares[-prompts:, where]
        mine[labelled] += recipe.trust * (given[labelled] - mine[labelled])
    steps = 1 / (1 + np.exp(-said[:, CLASSES]))
    steps[-prompts:] = np.where(np.isnan(targets.steps), steps[-prompts:], targets.steps)
    length = said[:, CLASSES + 1].copy()
    length[-prompts:] = np.where(np.isnan(targets.length), length[-prompts:], targets.length)
    steps[: recipe.bags] = length[: recipe.bags] = np.nan
    weights = student.balance(shares)
    weights[: recipe.bags, [head != "domain" for head in HEADS]] = 0
    first = read - prompts
    again = np.tile(np.arange(first, read), recipe.repeats - 1)
    shown = np.concatenate([np.arange(read), again, np.arange(read, read + len(asks))])
    meant = np.concatenate([np.arange(read), again, first + np.array(asks, np.int64)])
    weights = weights[meant]
    weights[len(meant) - len(asks) :] *= [DOCUMENT_WEIGHTS[head] for head in HEADS]
    return student.Lesson(
        ids=[views.ids[row] for row in shown],
        features=views.features[shown],
        shares=shares[meant],
        steps=steps[meant].astype(np.float32),
        length=length[meant],
        weights=weights,
    )


def _bags(vocabulary: Vocabulary, recipe: Recipe) -> list[str]:
    ids = vocabulary.tokenizer.get_vocab()
    words = sorted(word for word in ids if word.isascii() and word.isalpha() and len(word) > 2)
    vectors = vocabulary.vectors[[ids[word] for word in words]]
    return mixing.bags(words, vectors, recipe.bags, recipe.seed)


def _save(path: Path, weights: dict[str, torch.Tensor]) -> None:
    # torch allows no dots in some names, numpy's archives no slashes in any
    np.savez(path, **{name.replace("/", "."): value.numpy() for name, value in weights.items()})


def _save_tokenizer(path: Path, tokenizer: Tokenizer) -> None:
    """Without the marks of beginning and end: whoever needs them sets them."""
    definition = json.loads(tokenizer.to_str()) | {"post_processor": None}
    compact = json.dumps(definition, ensure_ascii=False, separators=(",", ":"))
    path.write_text(compact, "utf-8")


def _describe(corpus: Corpus, recipe: Recipe) -> dict[str, Any]:
    return {
        "recipe": asdict(recipe),
        "prompts": dict(sorted(Counter(prompt.style for prompt in corpus.prompts).items())),
        "languages": dict(Counter(prompt.lang for prompt in corpus.prompts).most_common()),
        "added": corpus.added,
        "public_texts": len(corpus.texts),
        "torch": torch.__version__,
    }
