"""The command line: figures on standard output, errors on the other, and a status for either."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pointsman_classifier import Classifier
from pointsman_classifier.cli import main
from pointsman_classifier.model_file import HEADS
from pointsman_classifier.training.evaluation import evaluate
from pointsman_classifier.training.prompts import Prompt
from pointsman_classifier.training.public import text_key

Captured = pytest.CaptureFixture[str]


def as_row(prompt: Prompt) -> dict[str, Any]:
    labels = [
        {
            **label.heads,
            "multi_step": label.multi_step,
            "output_tokens": label.output_tokens,
        }
        for label in prompt.labels
    ]
    return {
        "id": prompt.id,
        "style": prompt.style,
        "lang": prompt.lang,
        "text": prompt.text,
        "labels": labels,
    }


def write(path: Path, rows: Sequence[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="module")
def data(some_prompts: Sequence[Prompt], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of 180 prompts of three styles, which serve as training and test alike."""
    folder = tmp_path_factory.mktemp("data")
    rows = [as_row(prompt) for prompt in some_prompts]
    write(folder / "test" / "all.jsonl", rows[::2])
    write(folder / "train" / "all.jsonl", rows[1::2])
    return folder


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_evaluate_prints_what_evaluation_measures(
    small_model: Path, data: Path, some_prompts: Sequence[Prompt], capsys: Captured
) -> None:
    assert run("evaluate", "--model", small_model, "--data", data, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    figures = evaluate(Classifier.load(small_model), some_prompts[::2])
    assert printed == json.loads(json.dumps(figures))


def test_evaluate_prints_tables(small_model: Path, data: Path, capsys: Captured) -> None:
    assert run("evaluate", "--model", small_model, "--data", data, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert run("evaluate", "--model", small_model, "--data", data) == 0
    printed = capsys.readouterr()
    lines = [line.split() for line in printed.out.splitlines()]
    assert lines[0] == [figures["model"], "on", "90", "prompts"]
    for head in HEADS:
        held = figures["heads"][head]
        cells = [held[name] for name in ("prompts", "accuracy", "macro_f1", "ece")]
        assert [head, *map(str, cells)] in lines
    for style, held in figures["by_style"].items():
        scores = [f"{held[head]['macro_f1']:.2f}" for head in HEADS]
        assert [style, str(held["prompts"]), *scores] in lines
    assert printed.err == ""


def test_evaluate_writes_a_page(
    small_model: Path, data: Path, tmp_path: Path, capsys: Captured
) -> None:
    page = tmp_path / "page.html"
    assert run("evaluate", "--model", small_model, "--data", data, "--html", page) == 0
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert f"wrote {page}" in capsys.readouterr().err


def test_evaluate_on_files_and_folders(
    small_model: Path, data: Path, tmp_path: Path, capsys: Captured
) -> None:
    own = write(tmp_path / "own.jsonl", [{"text": "hello", "tone": "casual"}] * 4)
    chosen = ["--on", own, "--on", data / "test"]
    assert run("evaluate", "--model", small_model, "--json", *chosen) == 0
    assert json.loads(capsys.readouterr().out)["prompts"] == 94


def test_evaluate_on_labels_of_one_head_alone(
    small_model: Path, tmp_path: Path, capsys: Captured
) -> None:
    rows = [{"text": f"hello {n}", "tone": "casual"} for n in range(20)]
    own = write(tmp_path / "own.jsonl", rows)
    assert run("evaluate", "--model", small_model, "--on", own) == 0
    first = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line]
    assert "tone" in first
    assert "domain" not in first


def test_evaluate_on_collections_kept_unseen(
    small_model: Path, tmp_path: Path, capsys: Captured
) -> None:
    texts = [f"question {n}" for n in range(3)]
    public, data = tmp_path / "public", tmp_path / "data"
    public.mkdir()
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (public / "mt_bench.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    write(
        data / "public" / "unseen.jsonl",
        [
            {"source": "mt_bench", "sha256": text_key(text), "labels": [{"tone": "casual"}]}
            for text in texts[:2]
        ],
    )
    chosen = ["--model", small_model, "--data", data, "--public", public]
    assert run("evaluate", "--json", *chosen) == 0
    assert json.loads(capsys.readouterr().out)["prompts"] == 2


def test_audit_says_what_the_data_is_worth(data: Path, capsys: Captured) -> None:
    assert run("audit", "--data", data, "--json") == 0
    audited = json.loads(capsys.readouterr().out)
    assert audited["prompts"] == 180
    assert set(audited["agreement"]) == {*HEADS, "multi_step"}
    assert all(0 < held["kappa"] <= 1 for held in audited["agreement"].values())
    assert audited["near_duplicates"] == []
    assert run("audit", "--data", data) == 0
    printed = capsys.readouterr().out
    assert "180 prompts" in printed
    kappa = audited["agreement"]["tone"]["kappa"]
    assert f"{kappa:.2f}" in next(ln for ln in printed.splitlines() if ln.startswith("tone"))
    assert f"complexity x domain: {len(audited['empty_cells'])}" in printed


def test_audit_names_what_is_nearly_the_same(tmp_path: Path, capsys: Captured) -> None:
    rows = [
        {"id": "a", "text": "write me a poem about the sea"},
        {"id": "b", "text": "Write me a poem about the SEA"},
        {"id": "c", "text": "why is the sky so blue"},
    ]
    write(tmp_path / "train" / "x.jsonl", rows)
    assert run("audit", "--data", tmp_path) == 0
    assert "1.00 a b" in capsys.readouterr().out


def test_bench_measures_every_length(small_model: Path, data: Path, capsys: Captured) -> None:
    chosen = ["--model", small_model, "--data", data, "--rounds", 2]
    assert run("bench", *chosen, "--json") == 0
    times = json.loads(capsys.readouterr().out)
    assert {"512", "20,000", "200,000"} <= set(times)
    assert all(0 < held["p50_ms"] <= held["p99_ms"] for held in times.values())
    assert run("bench", *chosen) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["tokens", "median", "ms", "p99", "ms"]
    assert [line[0] for line in lines[1:]] == list(times)


def test_build_makes_a_model(small_run: Path, data: Path, tmp_path: Path, capsys: Captured) -> None:
    assert run("build", small_run, "--data", data, "--out", tmp_path / "model") == 0
    model = Classifier.load(tmp_path / "model")
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{model.version} on 90 prompts")
    assert f"wrote {tmp_path / 'model'}" in printed.err


def test_build_makes_the_larger_tier(small_run: Path, data: Path, tmp_path: Path) -> None:
    assert run("build", small_run, "--data", data, "--out", tmp_path, "--large") == 0
    assert Classifier.load(tmp_path).version.startswith("pointsman-2-large@")


def test_adapt_fits_a_model_to_labels(
    small_model: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pointsman_classifier.training.adaptation._STEPS", 80)
    rng = random.Random(0)
    rows = [
        {"text": f"please {rng.choice(['the trout', 'a van'])} {word} it", "tone": tone}
        for word, tone in [("write", "formal"), ("carp", "casual")] * 60
    ]
    one = write(tmp_path / "one.jsonl", rows[:60])
    two = write(tmp_path / "two.jsonl", rows[60:])
    out = tmp_path / "model"
    assert run("adapt", one, two, "--model", small_model, "--out", out) == 0
    printed = capsys.readouterr()
    table = [line.split() for line in printed.out.splitlines()]
    assert table[0] == ["head", "labels", "right", "before", "right", "after"]
    assert table[1][:2] == ["tone", "120"]
    before, after = (float(cell.rstrip("%")) for cell in table[1][2:])
    assert after > max(before, 90)
    assert "reading 120 prompts" in printed.err
    assert Classifier.load(out).classify("please write it").tone.value == "formal"


FAULTY = [
    ("{", "it is not valid JSON"),
    ('{"text": "a", "tone": "rude"}', "tone: 'rude' is not one of"),
    ('{"text": ""}', "text: it is missing"),
]


@pytest.mark.parametrize(("line", "cause"), FAULTY)
@pytest.mark.parametrize("command", ["evaluate", "audit", "bench", "adapt", "train", "build"])
def test_a_wrong_line_is_named_on_standard_error(
    small_run: Path,
    small_model: Path,
    tmp_path: Path,
    capsys: Captured,
    command: str,
    line: str,
    cause: str,
) -> None:
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "all.jsonl").write_text('{"text": "good"}\n' + line + "\n", "utf-8")
    faulty = tmp_path / "train" / "all.jsonl"
    arguments = {
        "evaluate": ["--model", small_model, "--on", faulty],
        "audit": ["--data", tmp_path],
        "bench": ["--model", small_model, "--data", tmp_path],
        "adapt": [faulty, "--model", small_model, "--out", tmp_path / "out"],
        "train": ["--data", tmp_path, "--out", tmp_path / "out"],
        "build": [small_run, "--data", tmp_path, "--out", tmp_path / "out"],
    }[command]
    assert run(command, *arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"all.jsonl:2: {cause}" in printed.err
    assert printed.err.startswith("error: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["evaluate"], "there are no labelled prompts to measure on"),
        (["audit"], "there are no prompts to audit"),
        (["bench"], "there are no prompts to read"),
        (["train"], "there are no prompts, *.jsonl, to learn from"),
        (["build"], "there are no prompts to calibrate on"),
    ],
)
def test_an_empty_data_folder_is_said_to_be_empty(
    tmp_path: Path, capsys: Captured, arguments: list[str], cause: str
) -> None:
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
    assert run(*arguments, "--data", tmp_path) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert str(tmp_path) in printed.err
    assert cause in printed.err


def test_train_reads_what_is_added_before_it_makes_an_environment(
    data: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    missing = tmp_path / "missing.jsonl"
    assert run("train", "--data", data, "--add", missing) == 1
    assert f"error: {missing}: it cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_train_hands_everything_to_the_process_that_learns(
    data: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[str]] = []

    def take(module: str, arguments: list[str], threads: int, tell: object) -> int:
        given.append([module, *arguments, f"threads {threads}"])
        return status

    monkeypatch.setattr("pointsman_classifier.training.environment.run_in_environment", take)
    more = write(tmp_path / "more.jsonl", [{"text": "hi", "tone": "casual"}])
    chosen = ["--data", data, "--out", tmp_path / "run", "--seed", 4, "--threads", 3]
    status = 0
    assert run("train", *chosen, "--add", more, "--public", tmp_path) == 0
    assert "pointsman-classifier build" in capsys.readouterr().err
    status = 3
    assert run("train", *chosen) == 3
    assert "build" not in capsys.readouterr().err
    first, second = given
    assert first[0] == "pointsman_classifier.training.run"
    assert first[1:5] == ["--data", str(data), "--out", str(tmp_path / "run")]
    assert first[5:9] == ["--seed", "4", "--threads", "3"]
    assert first[9:] == ["--public", str(tmp_path), "--add", str(more), "threads 3"]
    assert "--public" not in second


def test_a_folder_without_a_model_is_named(tmp_path: Path, data: Path, capsys: Captured) -> None:
    assert run("evaluate", "--model", tmp_path, "--data", data) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: cannot load the classifier's manifest.json")
    assert str(tmp_path / "manifest.json") in message


def test_a_run_that_is_none_is_named(tmp_path: Path, data: Path, capsys: Captured) -> None:
    assert run("build", tmp_path, "--data", data, "--out", tmp_path / "out") == 1
    assert "it is not a finished run of `pointsman-classifier train`" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_an_error_and_no_traceback(
    small_model: Path, data: Path, tmp_path: Path, capsys: Captured
) -> None:
    page = tmp_path / "missing" / "page.html"
    assert run("evaluate", "--model", small_model, "--data", data, "--html", page) == 1
    assert str(page) in capsys.readouterr().err


def test_an_unknown_command_is_refused(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        run("guess")
    assert caught.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


WITHOUT_ONNX = (
    "import sys\n"
    "sys.modules['onnx'] = None\n"
    "from pointsman_classifier.cli import main\n"
    "sys.exit(main(sys.argv[1:]))\n"
)


def run_without_onnx(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_ONNX, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_measuring_needs_no_onnx(small_model: Path, data: Path) -> None:
    done = run_without_onnx("evaluate", "--model", small_model, "--data", data, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["prompts"] == 90


def test_what_writes_graphs_says_that_onnx_is_missing(small_model: Path, tmp_path: Path) -> None:
    own = write(tmp_path / "own.jsonl", [{"text": "hi", "tone": "casual"}])
    out = tmp_path / "out"
    done = run_without_onnx("adapt", own, "--model", small_model, "--out", out)
    assert done.returncode == 1
    assert 'pip install "pointsman-classifier[train]"' in done.stderr
    assert "Traceback" not in done.stderr
