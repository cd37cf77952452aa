"""A model folder is made of a run folder, whole, repeatably, and with figures that are true."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from pointsman_classifier import Classifier
from pointsman_classifier.errors import DataError
from pointsman_classifier.features import FEATURE_NAMES
from pointsman_classifier.model_file import HEADS, JOINT_HEADS, read_model
from pointsman_classifier.training import calibration, metrics
from pointsman_classifier.training.build import build, output_rows
from pointsman_classifier.training.evaluation import agreement, evaluate
from pointsman_classifier.training.labels import LABELS, SLICES, Label
from pointsman_classifier.training.prompts import Prompt
from pointsman_classifier.training.run_folder import read_run
from small_networks import TEACHER_HEAD_PIECES, TEACHER_TAIL_PIECES, write_run

LISTED = {"lexicon.json", "model.onnx", "tokenizer.json"}
FILES = {"README.md", "manifest.json", *LISTED}


@pytest.fixture(scope="module")
def manifest(small_model: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads((small_model / "manifest.json").read_text("utf-8"))
    return held


@pytest.fixture(scope="module")
def small(small_model: Path) -> Classifier:
    return Classifier.load(small_model)


@pytest.fixture(scope="module")
def rows(small: Classifier, some_prompts: Sequence[Prompt]) -> np.ndarray[Any, Any]:
    return output_rows(small, [prompt.text for prompt in some_prompts])


def test_the_folder_holds_the_files_of_the_hashes_that_the_manifest_gives(
    small_model: Path, manifest: dict[str, Any]
) -> None:
    assert {path.name for path in small_model.iterdir()} == FILES
    assert set(manifest["files"]) == LISTED
    for name, entry in manifest["files"].items():
        content = (small_model / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_the_manifest_says_everything_that_reading_takes(manifest: dict[str, Any]) -> None:
    assert manifest["name"] == "pointsman-2"
    assert manifest["format"] == 2
    assert manifest["labels"] == {head: list(LABELS[head]) for head in HEADS}
    assert manifest["features"] == list(FEATURE_NAMES)
    assert set(manifest["window"]) == {"head_chars", "tail_chars", "head_tokens", "tail_tokens"}
    held = manifest["calibration"]
    assert set(held["temperature"]) == set(held["sure"]) == set(HEADS)
    assert set(held["joint"]["weights"]) == set(JOINT_HEADS)
    assert held["method"]
    assert manifest["training"]["prompts"] == {"desk": 260, "banking77": 60}


def test_what_is_read_back_is_what_was_written(
    small_model: Path, small: Classifier, manifest: dict[str, Any]
) -> None:
    model = read_model(small_model)
    digest = manifest["files"]["model.onnx"]["sha256"]
    assert small.version == model.version == f"pointsman-2@{digest[:8]}"
    assert dict(small.labels) == LABELS
    temperature = manifest["calibration"]["temperature"]
    assert model.calibration.temperatures == tuple(temperature[head] for head in HEADS)


def test_a_model_reads_words_as_the_lexicon_of_its_run_does(small: Classifier) -> None:
    def ids(text: str) -> list[int]:
        held: list[int] = small.view(text).inputs["ids"][0].tolist()
        return held

    assert ids("Bitte schreibe: Forelle 船") == ids("please write me: trout ferry")
    assert ids("bitten") != ids("please")


def test_calibration_is_the_one_that_fits_the_prompts(
    manifest: dict[str, Any], rows: np.ndarray[Any, Any], some_prompts: Sequence[Prompt]
) -> None:
    assert manifest["calibration"] == calibration.fit(rows, some_prompts).as_manifest()


def test_what_serves_computes_what_calibration_fitted(
    small: Classifier, rows: np.ndarray[Any, Any], some_prompts: Sequence[Prompt]
) -> None:
    """Two pieces of code turn the row into probabilities: they must not drift apart."""
    fitted = calibration.fit(rows, some_prompts)
    profiles = [small.classify(prompt.text) for prompt in some_prompts]
    for head in HEADS:
        expected = calibration.confidences(rows, fitted.temperatures, head)
        np.testing.assert_allclose(
            [getattr(p, head).confidence for p in profiles], expected, rtol=1e-5
        )
        best = rows[:, SLICES[head]].argmax(1)
        assert [getattr(p, head).value for p in profiles] == [LABELS[head][i] for i in best]
        assert [getattr(p, head).sure for p in profiles] == (expected >= fitted.sure[head]).tolist()
    joint = calibration.joint_confidences(rows, fitted)
    np.testing.assert_allclose([p.confidence for p in profiles], joint, rtol=1e-5)
    odds = fitted.step_weight * rows[:, -2].astype(float) + fitted.step_bias
    np.testing.assert_allclose([p.multi_step for p in profiles], 1 / (1 + np.exp(-odds)), rtol=1e-5)


def test_the_figures_are_those_of_the_model_as_it_lies_there(
    small: Classifier, manifest: dict[str, Any], some_prompts: Sequence[Prompt]
) -> None:
    figures = evaluate(small, some_prompts)
    del figures["wrong"]
    assert manifest["metrics"]["test"] == json.loads(json.dumps(figures))


def test_errors_of_calibration_are_measured_on_styles_that_it_was_not_fitted_on(
    manifest: dict[str, Any], rows: np.ndarray[Any, Any], some_prompts: Sequence[Prompt]
) -> None:
    styles = np.array([prompt.style for prompt in some_prompts])
    gold = calibration.gold_of(some_prompts, "tone")
    confidence = np.zeros(len(rows))
    for style in set(styles.tolist()):
        others = [prompt for prompt in some_prompts if prompt.style != style]
        fitted = calibration.fit(rows[styles != style], others)
        held = styles == style
        confidence[held] = calibration.confidences(rows[held], fitted.temperatures, "tone")
    known = gold >= 0
    right = rows[:, SLICES["tone"]].argmax(1) == gold
    expected = metrics.calibration_error(confidence[known], right[known])
    errors = manifest["metrics"]["cross_fitted_ece"]
    assert set(errors) == {*HEADS, "joint"}
    assert errors["tone"] == pytest.approx(expected, abs=6e-4)


def test_int8_is_compared_to_float32(manifest: dict[str, Any]) -> None:
    same = manifest["metrics"]["int8_agrees_with_float32"]
    assert set(same) == set(HEADS)
    assert all(0.9 <= share <= 1 for share in same.values())


def test_the_graph_is_of_int8(small_model: Path) -> None:
    graph = onnx.load_model_from_string((small_model / "model.onnx").read_bytes()).graph
    numbers: Counter[int] = Counter()
    for tensor in graph.initializer:
        numbers[tensor.data_type] += math.prod(tensor.dims)
    assert numbers[onnx.TensorProto.INT8] > 4 * numbers[onnx.TensorProto.FLOAT]


def test_the_same_run_gives_the_same_bytes(
    small_run: Path, small_model: Path, some_prompts: Sequence[Prompt], tmp_path: Path
) -> None:
    build(small_run, tmp_path / "again", some_prompts)
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (small_model / name).read_bytes(), name


def test_what_is_returned_is_what_is_written(
    small_run: Path, some_prompts: Sequence[Prompt], tmp_path: Path
) -> None:
    returned = build(small_run, tmp_path, some_prompts)
    assert json.loads((tmp_path / "manifest.json").read_text("utf-8")) == returned


def test_another_run_is_another_version(
    small: Classifier, some_prompts: Sequence[Prompt], tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", {"desk": 1}, seed=6)
    build(run, tmp_path / "model", some_prompts)
    other = Classifier.load(tmp_path / "model")
    assert other.version != small.version
    same = agreement(small, other, some_prompts)
    assert all(share < 0.9 for share in same.values())
    assert agreement(small, small, some_prompts) == dict.fromkeys(HEADS, 1.0)


def test_the_larger_tier_is_the_teacher_with_its_own_window(
    small_run: Path, some_prompts: Sequence[Prompt], tmp_path: Path
) -> None:
    manifest = build(small_run, tmp_path, some_prompts, large=True)
    assert manifest["name"] == "pointsman-2-large"
    assert manifest["window"]["head_tokens"] == TEACHER_HEAD_PIECES
    assert manifest["window"]["tail_tokens"] == TEACHER_TAIL_PIECES
    large = Classifier.load(tmp_path)
    inputs = large.view("word " * 1000).inputs
    assert inputs["ids"].shape == (1, TEACHER_HEAD_PIECES + TEACHER_TAIL_PIECES)
    assert large.classify("Why is the sky blue?").task_type.value in LABELS["task_type"]
    # The features are no input of BERT's.
    inputs["features"] = inputs["features"] * 0
    np.testing.assert_array_equal(
        large.run(inputs, "outputs"),
        large.run(large.view("word " * 1000).inputs, "outputs"),
    )


def test_prompts_of_one_style_give_no_cross_fitted_errors(
    small_run: Path, some_prompts: Sequence[Prompt], tmp_path: Path
) -> None:
    own = [prompt for prompt in some_prompts if prompt.style == "helpdesk"]
    manifest = build(small_run, tmp_path, own)
    assert manifest["metrics"]["cross_fitted_ece"] == {}
    assert "(ECE of that confidence –)" in (tmp_path / "README.md").read_text("utf-8")


@pytest.fixture
def half_run(small_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_run, tmp_path / "half"))


@pytest.mark.parametrize(
    ("name", "large"),
    [
        ("run.json", False),
        ("student.npz", False),
        ("tokenizer.json", False),
        ("lexicon.json", False),
        ("teacher.npz", True),
        ("teacher-tokenizer.json", True),
    ],
)
def test_a_run_without_a_file_is_not_finished(half_run: Path, name: str, large: bool) -> None:
    (half_run / name).unlink()
    with pytest.raises(DataError, match=f"it is not a finished run of .*{name}") as caught:
        build(half_run, half_run / "model", [], large)
    assert caught.value.path == half_run
    assert not (half_run / "model").exists()


@pytest.mark.parametrize("kept", [0, 3, 5000])
def test_weights_that_were_cut_off_are_not_finished(half_run: Path, kept: int) -> None:
    content = (half_run / "student.npz").read_bytes()
    (half_run / "student.npz").write_bytes(content[:kept])
    with pytest.raises(DataError, match="it is not a finished run"):
        read_run(half_run, large=False)


def test_a_run_that_is_described_by_no_json_is_not_finished(half_run: Path) -> None:
    (half_run / "run.json").write_text("{", "utf-8")
    with pytest.raises(DataError, match="it is not a finished run"):
        read_run(half_run, large=False)


def test_the_student_of_a_run_without_a_teacher_can_be_built(
    half_run: Path, small_model: Path, some_prompts: Sequence[Prompt], tmp_path: Path
) -> None:
    (half_run / "teacher.npz").unlink()
    build(half_run, tmp_path / "model", some_prompts)
    built = (tmp_path / "model" / "model.onnx").read_bytes()
    assert built == (small_model / "model.onnx").read_bytes()


def test_tests_without_a_label_for_some_head_are_refused(tmp_path: Path) -> None:
    prompts = [Prompt("1", "hello", "x", "en", (Label({"domain": "legal"}),))]
    with pytest.raises(DataError, match="task_type: no test prompt has a label"):
        build(write_run(tmp_path / "run", {"desk": 1}), tmp_path / "model", prompts)
