"""A model is fitted to somebody's own labels as far as these say something, and no further."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pointsman_classifier import Classifier, ModelFileError
from pointsman_classifier.errors import DataError
from pointsman_classifier.training import adaptation
from pointsman_classifier.training.adaptation import LEAST_PROMPTS, STRENGTHS, HeadGain, adapt
from pointsman_classifier.training.build import write_model
from pointsman_classifier.training.export import export_student
from pointsman_classifier.training.labels import LABELS, SLICES, Label
from pointsman_classifier.training.prompts import Prompt
from small_networks import student_weights
from tokenizers import Tokenizer

FISH = ("herring", "trout", "salmon", "carp")
CARS = ("lorry", "van", "tram", "ferry")
PLAIN = ("the", "a", "of", "to", "is", "what", "why", "how", "write", "me", "please", "in", "it")


def quiet(line: str) -> None:
    """Progress is nobody's business here."""


def prompt(text: str, *labels: Label) -> Prompt:
    return Prompt("", text, "own", "en", labels)


def about(rng: random.Random, topic: Sequence[str]) -> str:
    words = rng.choices(PLAIN, k=7) + rng.choices(topic, k=3)
    rng.shuffle(words)
    return " ".join(words)


def by_topic(count: int, seed: int, *heads: str) -> list[Prompt]:
    """Prompts whose labels go by whether they are of fish or of cars, in no regular order."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        topic = rng.choice([FISH, CARS])
        label = Label({head: LABELS[head][1 if topic is FISH else 2] for head in heads})
        made.append(prompt(about(rng, topic), label))
    return made


def share_right(classifier: Classifier, prompts: Sequence[Prompt], head: str) -> float:
    profiles = [classifier.classify(prompt.text) for prompt in prompts]
    pairs = zip(profiles, prompts, strict=True)
    return float(np.mean([getattr(read, head).value == p.agreed(head) for read, p in pairs]))


def rows_of(classifier: Classifier, prompts: Sequence[Prompt]) -> np.ndarray[Any, Any]:
    return np.stack([classifier.run(classifier.view(p.text).inputs, "outputs") for p in prompts])


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer of a hundred inputs needs fewer steps than one of a thousand."""
    monkeypatch.setattr(adaptation, "_STEPS", 80)


@pytest.fixture(scope="module")
def held_out() -> list[Prompt]:
    return by_topic(200, 99, "tone", "domain")


@pytest.fixture(scope="module")
def adapted(
    small_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, HeadGain]]:
    """The small model, of which tone was fitted to three hundred labels."""
    out = tmp_path_factory.mktemp("adapted") / "model"
    return out, adapt(small_model, by_topic(300, 1, "tone"), out, quiet)


def test_a_convention_is_learned(
    small_model: Path, adapted: tuple[Path, dict[str, HeadGain]], held_out: list[Prompt]
) -> None:
    before = share_right(Classifier.load(small_model), held_out, "tone")
    after = share_right(Classifier.load(adapted[0]), held_out, "tone")
    assert before < 0.7
    assert after > 0.9


def test_the_gain_that_is_claimed_is_the_one_on_prompts_left_out(
    small_model: Path, adapted: tuple[Path, dict[str, HeadGain]], held_out: list[Prompt]
) -> None:
    (gain,) = adapted[1].values()
    assert set(adapted[1]) == {"tone"}
    assert gain.prompts == 300
    assert gain.strength in STRENGTHS
    before = share_right(Classifier.load(small_model), by_topic(300, 1, "tone"), "tone")
    assert gain.accuracy_before == pytest.approx(before, abs=1e-3)
    after = share_right(Classifier.load(adapted[0]), held_out, "tone")
    assert gain.accuracy_after == pytest.approx(after, abs=0.05)


def test_only_the_labelled_heads_move(
    small_model: Path, adapted: tuple[Path, dict[str, HeadGain]], held_out: list[Prompt]
) -> None:
    before = rows_of(Classifier.load(small_model), held_out)
    after = rows_of(Classifier.load(adapted[0]), held_out)
    moved = np.abs(after - before).max(0)
    assert moved[SLICES["tone"]].min() > 0.1
    others = np.delete(moved, np.arange(SLICES["tone"].start, SLICES["tone"].stop))
    assert others.max() < 1e-5


def test_each_head_moves_by_its_own_labels(
    small_model: Path, held_out: list[Prompt], tmp_path: Path
) -> None:
    own = by_topic(150, 2, "tone") + by_topic(150, 3, "domain")
    gains = adapt(small_model, own, tmp_path / "both", quiet)
    assert {head: gain.prompts for head, gain in gains.items()} == {"tone": 150, "domain": 150}
    both = Classifier.load(tmp_path / "both")
    for head in ("tone", "domain"):
        assert share_right(both, held_out, head) > 0.85


def test_a_head_with_too_few_labels_stays_as_it_is(small_model: Path, tmp_path: Path) -> None:
    own = by_topic(40, 4, "tone") + by_topic(LEAST_PROMPTS - 1, 5, "domain")
    assert set(adapt(small_model, own, tmp_path, quiet)) == {"tone"}


@pytest.mark.parametrize("count", [0, LEAST_PROMPTS - 1])
def test_too_few_labels_for_any_head_are_refused(
    small_model: Path, tmp_path: Path, count: int
) -> None:
    with pytest.raises(DataError, match="no head has 20 labels; label more of them"):
        adapt(small_model, by_topic(count, 6, "tone", "domain"), tmp_path / "none", quiet)
    assert not (tmp_path / "none").exists()


def test_labels_in_a_regular_order_are_learned_as_well(
    small_model: Path, held_out: list[Prompt], tmp_path: Path
) -> None:
    """A file that goes round its labels must not put one label's prompts all into one fold."""
    rng = random.Random(7)
    names = LABELS["task_type"]
    topics = [FISH, CARS, PLAIN[:4], PLAIN[4:8], PLAIN[8:12]]
    own = [
        prompt(about(rng, topics[n % 5]), Label({"task_type": names[n % 5]})) for n in range(300)
    ]
    gain = adapt(small_model, own, tmp_path, quiet)["task_type"]
    assert gain.strength is not None
    assert gain.accuracy_after > gain.accuracy_before + 0.2


def test_labels_that_a_confident_model_gives_itself_change_hardly_a_reading(
    small_model: Path, held_out: list[Prompt], tmp_path: Path
) -> None:
    sure = Path(shutil.copytree(small_model, tmp_path / "sure"))
    manifest = json.loads((sure / "manifest.json").read_text("utf-8"))
    manifest["calibration"]["temperature"]["urgency"] = 0.2
    (sure / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    small = Classifier.load(sure)
    own = [
        prompt(p.text, Label({"urgency": small.classify(p.text).urgency.value})) for p in held_out
    ]
    gain = adapt(sure, own, tmp_path / "out", quiet)["urgency"]
    assert gain.accuracy_before == 1.0
    assert gain.accuracy_after >= 0.95
    assert share_right(Classifier.load(tmp_path / "out"), own, "urgency") >= 0.97


def test_labels_by_lot_teach_nothing_but_doubt(
    small_model: Path, held_out: list[Prompt], tmp_path: Path
) -> None:
    rng = random.Random(8)
    own = [
        prompt(p.text, Label({"tone": rng.choice(LABELS["tone"])}))
        for p in by_topic(300, 9, "tone")
    ]
    gain = adapt(small_model, own, tmp_path, quiet)["tone"]
    assert gain.accuracy_after < 0.35

    def mean_confidence(folder: Path) -> float:
        model = Classifier.load(folder)
        return float(np.mean([model.classify(p.text).tone.confidence for p in held_out]))

    assert mean_confidence(tmp_path) < mean_confidence(small_model) + 0.01
    assert mean_confidence(tmp_path) < 0.4


@pytest.fixture(scope="module")
def undecided(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that already gives every tone the same probability, as labels by lot deserve."""
    out = tmp_path_factory.mktemp("undecided") / "model"
    tokenizer = (small_model / "tokenizer.json").read_text("utf-8")
    weights = student_weights(5, Tokenizer.from_str(tokenizer).get_vocab_size())
    for name, columns in (
        ("output.weight", weights["output.weight"].T),
        ("output.bias", weights["output.bias"]),
        ("word_votes", weights["word_votes"]),
        ("pair_votes", weights["pair_votes"]),
    ):
        assert np.shares_memory(columns, weights[name])
        columns[..., SLICES["tone"]] = 0
    manifest = json.loads((small_model / "manifest.json").read_text("utf-8"))
    lexicon = (small_model / "lexicon.json").read_text("utf-8")
    write_model(out, export_student(weights, quantized=True), tokenizer, lexicon, manifest)
    return out


@pytest.mark.parametrize("seed", range(2))
def test_labels_by_lot_hardly_move_what_gave_no_label_precedence(
    undecided: Path, held_out: list[Prompt], tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    own = [
        prompt(p.text, Label({"tone": rng.choice(LABELS["tone"])}))
        for p in by_topic(400, 20 + seed, "tone")
    ]
    gain = adapt(undecided, own, tmp_path, quiet)["tone"]
    assert gain.strength in (None, *STRENGTHS[:2])
    moved = rows_of(Classifier.load(tmp_path), held_out) - rows_of(
        Classifier.load(undecided), held_out
    )
    assert np.abs(moved[:, SLICES["tone"]]).mean() < 0.25


def test_the_manifest_says_where_the_model_came_from(
    small_model: Path, adapted: tuple[Path, dict[str, HeadGain]]
) -> None:
    out, gains = adapted
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    original = Classifier.load(small_model)
    assert manifest["adapted"]["from"] == original.version
    gain = gains["tone"]
    assert manifest["adapted"]["heads"] == {
        "tone": {
            "prompts": gain.prompts,
            "strength": gain.strength,
            "accuracy_before": gain.accuracy_before,
            "accuracy_after": gain.accuracy_after,
        }
    }
    assert manifest["name"] == "pointsman-2-own"
    loaded = Classifier.load(out)
    assert loaded.version.startswith("pointsman-2-own@")
    assert loaded.version.split("@")[1] != original.version.split("@")[1]
    assert dict(loaded.labels) == dict(original.labels)


def test_an_adapted_model_can_be_adapted_again(
    adapted: tuple[Path, dict[str, HeadGain]], held_out: list[Prompt], tmp_path: Path
) -> None:
    adapt(adapted[0], by_topic(200, 11, "domain"), tmp_path, quiet)
    twice = Classifier.load(tmp_path)
    assert twice.version.startswith("pointsman-2-own@")
    for head in ("tone", "domain"):
        assert share_right(twice, held_out, head) > 0.85


def test_a_model_can_be_adapted_where_it_lies(
    small_model: Path, held_out: list[Prompt], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(small_model, tmp_path / "model"))
    adapt(folder, by_topic(100, 12, "tone"), folder, quiet)
    assert share_right(Classifier.load(folder), held_out, "tone") > 0.8


def test_the_same_labels_give_the_same_model(small_model: Path, tmp_path: Path) -> None:
    own = by_topic(60, 13, "tone")
    for name in ("one", "two"):
        adapt(small_model, own, tmp_path / name, quiet)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="there is no such file"):
        adapt(tmp_path, by_topic(30, 14, "tone"), tmp_path / "out", quiet)


def test_progress_is_told_by_head(small_model: Path, tmp_path: Path) -> None:
    told: list[str] = []
    adapt(small_model, by_topic(30, 15, "domain", "urgency"), tmp_path, told.append)
    assert told == ["reading 30 prompts", "fitting urgency", "fitting domain"]
