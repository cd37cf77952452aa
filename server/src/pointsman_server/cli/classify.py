"""`pointsman classify`: what a prompt asks for, read in this process."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer
from pointsman_classifier import Classifier, Profile, Reading
from rich.progress import Progress

from pointsman_server.cli.answers import estimates
from pointsman_server.cli.failures import UsageError
from pointsman_server.cli.options import Json, Prompt, prompt_text
from pointsman_server.cli.terminal import bar, err, millis, out, print_json, table

HEADS = ("task_type", "complexity", "urgency", "domain", "tone")


def classify(
    prompt: Prompt = None,
    input_file: Annotated[
        Path | None,
        typer.Option("--input", "-i", help='JSON lines with "id" and "text"; - is standard input.'),
    ] = None,
    output_file: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write JSON lines; - is standard output."),
    ] = None,
    json_output: Json = False,
) -> None:
    """Say what a prompt asks for. Calls no model and needs no server."""
    if input_file is not None:
        if prompt:
            raise UsageError("give either a prompt or --input, not both")
        _classify_file(input_file, output_file or Path("-"))
        return
    if output_file is not None:
        raise UsageError("--output goes with --input")
    text = prompt_text(prompt)
    profile = Classifier.load().classify(text)
    if json_output:
        print_json(as_record(profile))
        return
    console = out()
    shown = table("", "reading", "confidence", "", "", "runner-up", right=("confidence",))
    for head in HEADS:
        reading: Reading = getattr(profile, head)
        second, score = reading.scores[1]
        shown.add_row(
            head.replace("_", " "),
            reading.value,
            f"{reading.confidence:.0%}",
            bar(reading.confidence),
            "sure" if reading.sure else "",
            f"{second} {score:.0%}",
        )
    console.print(shown)
    likely = estimates(profile.complexity_score, profile.multi_step, profile.output_tokens)
    console.print(likely)
    console.print(
        f"confidence {profile.confidence:.2f} · prompt of about {profile.tokens} tokens"
        f"{' (head and tail read)' if profile.truncated else ''} · {millis(profile.duration_s)}",
        style="dim",
    )


def as_record(profile: Profile) -> dict[str, object]:
    """A profile as a JSON object.

    A value and its confidence for each head, the names of the heads that are sure, the joint
    confidence, and the numbers that are expected.
    """
    record: dict[str, object] = {}
    for head in HEADS:
        reading: Reading = getattr(profile, head)
        record[head] = {"value": reading.value, "confidence": round(reading.confidence, 6)}
    record["confidence"] = round(profile.confidence, 6)
    record["sure"] = [head for head in HEADS if getattr(profile, head).sure]
    record["complexity_score"] = round(profile.complexity_score, 6)
    record["multi_step"] = round(profile.multi_step, 6)
    record["output_tokens"] = profile.output_tokens
    return record


def _classify_file(source: Path, target: Path) -> None:
    classifier = Classifier.load()
    with (
        _opened(source) as lines,
        _replaced(target) as output,
        Progress(console=err(), transient=True, disable=not sys.stderr.isatty()) as progress,
    ):
        task = progress.add_task("classifying", total=None)
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            entry = _entry(f"{source}:{number}", line)
            record = {"id": entry["id"], **as_record(classifier.classify(entry["text"]))}
            output.write(json.dumps(record, ensure_ascii=False) + "\n")
            progress.advance(task)


def _entry(place: str, line: str) -> dict[str, str]:
    """One line of input.

    Raises:
        UsageError: it is not an object with an id and a text; says which line.
    """
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{place}: is not JSON ({error})") from None
    if not isinstance(entry, dict):
        raise UsageError(f'{place}: is not an object; write {{"id": ..., "text": ...}}')
    if not isinstance(entry.get("id"), (str, int)):
        raise UsageError(f'{place}: needs an "id", a string or a number')
    if not isinstance(entry.get("text"), str):
        raise UsageError(f'{place}: needs a "text", a string')
    return entry


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    if str(path) == "-":
        yield sys.stdin
        return
    try:
        file = path.open(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        yield file


@contextmanager
def _replaced(path: Path) -> Iterator[TextIO]:
    """Write beside ``path`` and move into place at the end, so that it is whole or not there."""
    if str(path) == "-":
        yield sys.stdout
        return
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
