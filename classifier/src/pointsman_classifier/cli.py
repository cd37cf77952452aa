"""``pointsman-classifier``: train, build, adapt, evaluate, audit and bench the model."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pointsman_classifier.classifier import Classifier
from pointsman_classifier.errors import ClassifierError, DataError
from pointsman_classifier.model_file import HEADS

_PACKAGE = Path(__file__).parent
_MODEL = _PACKAGE / "model"
_DATA = _PACKAGE.parent.parent / "data"
_RUN = Path("classifier-run")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0, or 1 after an error that is said in a line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    try:
        return int(options.command(options))
    except (ClassifierError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        print(
            "error: this command writes ONNX graphs and needs the package onnx. "
            'Install it with: pip install "pointsman-classifier[train]"',
            file=sys.stderr,
        )
        return 1
    except BrokenPipeError:
        # whoever read our output has seen enough; what Python still holds goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pointsman-classifier", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="learn from labelled prompts; some 15 minutes")
    train.add_argument("--data", type=Path, default=_DATA, help="folder with train/ and test/")
    train.add_argument("--public", type=Path, help="folder of public collections, NAME.jsonl.gz")
    train.add_argument(
        "--add", type=Path, action="append", default=[], help="more labelled prompts, JSON lines"
    )
    train.add_argument("--out", type=Path, default=_RUN, help="folder for what is learned")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    train.set_defaults(command=_train)

    build = commands.add_parser("build", help="make a model folder of what was learned")
    build.add_argument("run", type=Path, nargs="?", default=_RUN, help="what `train` wrote")
    build.add_argument("--data", type=Path, default=_DATA, help="folder with test/")
    build.add_argument("--out", type=Path, default=_MODEL, help="the model folder")
    build.add_argument(
        "--large", action="store_true", help="the teacher itself: better, and forty times slower"
    )
    build.set_defaults(command=_build)

    adapt = commands.add_parser("adapt", help="fit a model to your own labels; seconds")
    adapt.add_argument("file", type=Path, nargs="+", help="your labelled prompts, JSON lines")
    adapt.add_argument("--model", type=Path, default=_MODEL, help="the model to start from")
    adapt.add_argument("--out", type=Path, required=True, help="the model folder to write")
    adapt.set_defaults(command=_adapt)

    evaluate = commands.add_parser("evaluate", help="measure a model on labelled prompts")
    evaluate.add_argument("--model", type=Path, default=_MODEL)
    evaluate.add_argument(
        "--on", type=Path, action="append", help="a file or folder of labelled prompts"
    )
    evaluate.add_argument("--public", type=Path, help="measure on the collections kept unseen")
    evaluate.add_argument("--data", type=Path, default=_DATA, help="folder with test/")
    evaluate.add_argument("--html", type=Path, help="write the figures as a page, too")
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    evaluate.set_defaults(command=_evaluate)

    audit = commands.add_parser("audit", help="agreement, near-duplicates and gaps of the data")
    audit.add_argument("--data", type=Path, default=_DATA)
    audit.add_argument("--json", action="store_true", help="print JSON")
    audit.set_defaults(command=_audit)

    bench = commands.add_parser("bench", help="measure how long reading takes")
    bench.add_argument("--model", type=Path, default=_MODEL)
    bench.add_argument("--data", type=Path, default=_DATA)
    bench.add_argument("--rounds", type=int, default=3000, help="readings a length")
    bench.add_argument("--json", action="store_true", help="print JSON")
    bench.set_defaults(command=_bench)
    return parser


def _train(options: argparse.Namespace) -> int:
    from pointsman_classifier.training.environment import run_in_environment
    from pointsman_classifier.training.prompts import read_folder, read_prompts

    # What is wrong with a file is better said now than in a minute by another process.
    if not read_folder(options.data / "train"):
        raise DataError(
            options.data / "train", None, "there are no prompts, *.jsonl, to learn from"
        )
    for path in options.add:
        read_prompts(path)
    given = ["--data", options.data, "--out", options.out, "--seed", options.seed]
    given += ["--threads", options.threads]
    if options.public:
        given += ["--public", options.public]
    for path in options.add:
        given += ["--add", path]
    status = run_in_environment(
        "pointsman_classifier.training.run", list(map(str, given)), options.threads, _tell
    )
    if status == 0:
        _tell(f"done; now: pointsman-classifier build {options.out}")
    return status


def _build(options: argparse.Namespace) -> int:
    from pointsman_classifier.training.build import build
    from pointsman_classifier.training.prompts import read_folder

    tests = read_folder(options.data / "test")
    if not tests:
        raise DataError(options.data / "test", None, "there are no prompts to calibrate on")
    manifest = build(options.run, options.out, tests, large=options.large)
    _print_heads(manifest["metrics"]["test"])
    _tell(f"wrote {options.out}")
    return 0


def _adapt(options: argparse.Namespace) -> int:
    from pointsman_classifier.training.adaptation import adapt
    from pointsman_classifier.training.prompts import read_prompts

    prompts = [prompt for path in options.file for prompt in read_prompts(path)]
    gains = adapt(options.model, prompts, options.out, _tell, options.file[0])
    _print_table(
        ("head", "labels", "right before", "right after"),
        (
            (head, gain.prompts, f"{gain.accuracy_before:.1%}", f"{gain.accuracy_after:.1%}")
            for head, gain in gains.items()
        ),
    )
    print("Cross-validated: each fifth of your prompts read by a model fitted to the others.")
    _tell(f"wrote {options.out}; load it with Classifier.load(Path({str(options.out)!r}))")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from pointsman_classifier.training import public
    from pointsman_classifier.training.evaluation import evaluate
    from pointsman_classifier.training.prompts import read_folder, read_prompts
    from pointsman_classifier.training.report import draw

    classifier = Classifier.load(options.model)
    prompts = []
    for path in options.on or ([] if options.public else [options.data / "test"]):
        prompts += read_folder(path) if path.is_dir() else read_prompts(path)
    if options.public:
        labels = options.data / "public" / "unseen.jsonl"
        prompts += public.read_labelled(options.public, labels)
    if not prompts:
        raise DataError(options.data, None, "there are no labelled prompts to measure on")
    figures = evaluate(classifier, prompts)
    if options.html:
        options.html.write_text(draw(figures), "utf-8")
    if options.json:
        print(json.dumps(figures, indent=1))
        return 0
    _print_heads(figures)
    for group in ("by_style", "by_lang"):
        print(f"\nmacro-F1 {group.replace('_', ' ')}")
        _print_table(
            ("", "prompts", *HEADS),
            (
                (
                    name,
                    held["prompts"],
                    *(f"{held[h]['macro_f1']:.2f}" if h in held else "–" for h in HEADS),
                )
                for name, held in figures[group].items()
            ),
        )
    if options.html:
        _tell(f"wrote {options.html}")
    return 0


def _audit(options: argparse.Namespace) -> int:
    from pointsman_classifier.training import audit
    from pointsman_classifier.training.prompts import read_folder

    prompts = read_folder(options.data / "train") + read_folder(options.data / "test")
    if not prompts:
        raise DataError(options.data, None, "there are no prompts to audit")
    agreement = audit.measure_agreement(prompts)
    near = audit.near_duplicates([prompt.text for prompt in prompts])
    empty = audit.empty_cells(prompts)
    if options.json:
        print(
            json.dumps(
                {
                    "prompts": len(prompts),
                    "agreement": {
                        name: {
                            "prompts": held.prompts,
                            "share": round(held.share, 3),
                            "kappa": round(held.kappa, 3),
                        }
                        for name, held in agreement.items()
                    },
                    "near_duplicates": [
                        [prompts[a].id, prompts[b].id, round(likeness, 2)]
                        for a, b, likeness in near
                    ],
                    "empty_cells": empty,
                },
                indent=1,
            )
        )
        return 0
    foreign = sum(prompt.lang != "en" for prompt in prompts)
    print(f"{len(prompts):,} prompts, {foreign / len(prompts):.0%} in other languages than English")
    _print_table(
        ("two annotators", "prompts", "agree", "kappa"),
        (
            (name, held.prompts, f"{held.share:.1%}", f"{held.kappa:.2f}")
            for name, held in agreement.items()
        ),
    )
    print(f"near-duplicates (likeness {audit.NEAR} and more): {len(near)} pairs")
    for a, b, likeness in near[:10]:
        print(f"  {likeness:.2f} {prompts[a].id} {prompts[b].id}")
    print(f"empty cells of task type x complexity x domain: {len(empty)}")
    for cell in empty[:20]:
        print("  " + " / ".join(cell))
    return 0


def _bench(options: argparse.Namespace) -> int:
    from pointsman_classifier.training.prompts import read_folder
    from pointsman_classifier.training.timing import measure_times

    texts = [prompt.text for prompt in read_folder(options.data / "test")]
    texts += [prompt.text for prompt in read_folder(options.data / "train")]
    if not texts:
        raise DataError(options.data, None, "there are no prompts to read")
    times = measure_times(Classifier.load(options.model), texts, options.rounds)
    if options.json:
        print(json.dumps(times, indent=1))
        return 0
    _print_table(
        ("tokens", "median ms", "p99 ms"),
        ((name, f"{held['p50_ms']:.3f}", f"{held['p99_ms']:.3f}") for name, held in times.items()),
    )
    return 0


def _print_heads(figures: dict[str, Any]) -> None:
    rows = []
    for head in HEADS:
        held = figures["heads"][head]
        if held["prompts"]:
            cells = (held["prompts"], held["accuracy"], held["macro_f1"], held["ece"])
            rows.append((head, *cells))
    print(f"{figures['model']} on {figures['prompts']:,} prompts")
    _print_table(("head", "prompts", "accuracy", "macro-F1", "ECE"), rows)
    joint, rank = figures["joint"], figures["complexity_rank"]
    if joint["prompts"]:
        print(f"task type, complexity and domain all right: {joint['accuracy']:.1%}")
    if rank["prompts"]:
        print(
            f"complexity score: Spearman {rank['spearman']} "
            f"(length alone {rank['spearman_of_log_length']})"
        )


def _print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    lines = [tuple(map(str, row)) for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join(cells))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
