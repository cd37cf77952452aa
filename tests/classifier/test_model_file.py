"""The committed model is what its manifest says; any other is refused, and the error says why."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from pointsman_classifier import Classifier, ModelFileError
from pointsman_classifier.features import FEATURE_NAMES
from pointsman_classifier.model_file import HEADS
from pointsman_classifier.training.card import write_card
from pointsman_classifier.training.public import UNSEEN_SOURCES
from pointsman_classifier.training.view import WINDOW

MOST_BYTES = 5_000_000


@pytest.fixture
def copy(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "model"))


def read_manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return manifest


def edit_manifest(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    manifest = read_manifest(folder)
    edit(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_the_manifest_lists_the_files_as_they_are(model_folder: Path) -> None:
    files = read_manifest(model_folder)["files"]
    assert set(files) == {"lexicon.json", "model.onnx", "tokenizer.json"}
    # The card is made of the manifest and read by nobody but people.
    listed = {*files, "manifest.json", "README.md"}
    assert {path.name for path in model_folder.iterdir()} == listed
    for name, entry in files.items():
        content = (model_folder / name).read_bytes()
        assert entry == {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
        }


def test_the_model_is_small(model_folder: Path) -> None:
    assert sum(path.stat().st_size for path in model_folder.iterdir()) <= MOST_BYTES


def test_the_card_is_the_one_of_this_manifest(model_folder: Path, tmp_path: Path) -> None:
    write_card(tmp_path / "card.md", read_manifest(model_folder))
    assert (model_folder / "README.md").read_bytes() == (tmp_path / "card.md").read_bytes()


def test_the_manifest_says_what_was_learned_from_and_how_good_the_model_is(
    model_folder: Path, data_folder: Path
) -> None:
    manifest = read_manifest(model_folder)
    training, held = manifest["training"], manifest["metrics"]
    styles = {path.stem for path in (data_folder / "train").glob("*.jsonl")}
    tested = {path.stem for path in (data_folder / "test").glob("*.jsonl")}
    assert styles <= set(training["prompts"])
    assert not tested & set(training["prompts"])
    assert not set(UNSEEN_SOURCES) & set(training["prompts"])
    assert sum(training["languages"].values()) == sum(training["prompts"].values())
    assert set(held["test"]["by_style"]) == tested
    for head in HEADS:
        assert 0.5 < held["test"]["heads"][head]["macro_f1"] < 1
        assert held["int8_agrees_with_float32"][head] >= 0.98
        assert 0 < held["cross_fitted_ece"][head] < 0.1
    assert 0 < held["cross_fitted_ece"]["joint"] < 0.1


def test_the_model_reads_with_the_features_of_this_package(model_folder: Path) -> None:
    """Weights that were fitted to other features, or to others in another order, read nonsense."""
    manifest = read_manifest(model_folder)
    assert manifest["features"] == list(FEATURE_NAMES)
    assert manifest["window"] == asdict(WINDOW)


def test_a_copy_elsewhere_loads(copy: Path, classifier: Classifier) -> None:
    assert Classifier.load(copy).version == classifier.version


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "lexicon.json", "manifest.json"])
def test_a_missing_file_is_named_with_a_remedy(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ModelFileError) as caught:
        Classifier.load(copy)
    assert caught.value.path == copy / name
    assert caught.value.cause == "there is no such file"
    assert "Reinstall" in caught.value.mend
    assert name in str(caught.value)
    assert caught.value.cause in str(caught.value)
    assert caught.value.mend in str(caught.value)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "lexicon.json"])
def test_one_flipped_bit_is_noticed(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelFileError, match="sha256") as caught:
        Classifier.load(copy)
    assert caught.value.path == copy / name


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_is_no_model_is_refused_even_if_the_manifest_vouches_for_it(
    copy: Path, name: str
) -> None:
    (copy / name).write_bytes(b"nonsense")
    digest = hashlib.sha256(b"nonsense").hexdigest()
    edit_manifest(copy, lambda manifest: manifest["files"][name].update(sha256=digest))
    with pytest.raises(ModelFileError, match="refuses it"):
        Classifier.load(copy)


@pytest.mark.parametrize("content", ["nonsense", "[]", "{}", '{"words": 1}', "null"])
def test_a_lexicon_that_is_none_is_refused_even_if_the_manifest_vouches_for_it(
    copy: Path, content: str
) -> None:
    (copy / "lexicon.json").write_text(content, "utf-8")
    digest = hashlib.sha256(content.encode()).hexdigest()
    edit_manifest(copy, lambda manifest: manifest["files"]["lexicon.json"].update(sha256=digest))
    with pytest.raises(ModelFileError, match="it is no lexicon") as caught:
        Classifier.load(copy)
    assert caught.value.path == copy / "lexicon.json"


def test_the_card_is_not_needed(copy: Path, classifier: Classifier) -> None:
    (copy / "README.md").unlink()
    assert Classifier.load(copy).version == classifier.version


def test_a_manifest_that_is_not_json_is_refused(copy: Path) -> None:
    (copy / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelFileError, match="not valid JSON"):
        Classifier.load(copy)


@pytest.mark.parametrize("content", ["[]", "3", "null", "{}"])
def test_a_manifest_of_the_wrong_shape_is_refused(copy: Path, content: str) -> None:
    (copy / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelFileError, match="missing or of the wrong kind"):
        Classifier.load(copy)


@pytest.mark.parametrize("field", ["name", "files", "labels", "calibration", "window"])
def test_a_manifest_without_a_field_is_refused(copy: Path, field: str) -> None:
    edit_manifest(copy, lambda manifest: manifest.pop(field))
    with pytest.raises(ModelFileError, match=field):
        Classifier.load(copy)


@pytest.mark.parametrize("field", ["temperature", "joint", "multi_step", "sure"])
def test_a_manifest_without_a_part_of_its_calibration_is_refused(copy: Path, field: str) -> None:
    edit_manifest(copy, lambda manifest: manifest["calibration"].pop(field))
    with pytest.raises(ModelFileError, match=field):
        Classifier.load(copy)


def test_a_manifest_of_another_format_is_refused(copy: Path) -> None:
    edit_manifest(copy, lambda manifest: manifest.update(format=99))
    with pytest.raises(ModelFileError, match="of format 99, not 2"):
        Classifier.load(copy)


def test_a_folder_in_place_of_a_file_is_refused(copy: Path) -> None:
    (copy / "model.onnx").unlink()
    (copy / "model.onnx").mkdir()
    with pytest.raises(ModelFileError, match="cannot be read"):
        Classifier.load(copy)


def test_reading_loads_nothing_of_training() -> None:
    """Nor onnx, which only what writes graphs needs."""
    program = (
        "import sys\n"
        "from pointsman_classifier import Classifier\n"
        "Classifier.load().classify('hello')\n"
        "names = [n for n in sys.modules if n == 'onnx' or 'classifier.training' in n]\n"
        "assert not names, names\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_importing_loads_nothing() -> None:
    """No session, no file of the model, until load() is called."""
    program = (
        "import builtins, io, pathlib\n"
        "opened = []\n"
        "read = pathlib.Path.read_bytes\n"
        "pathlib.Path.read_bytes = lambda path: opened.append(path) or read(path)\n"
        "import pointsman_classifier\n"
        "assert not opened, opened\n"
        "pointsman_classifier.Classifier.load()\n"
        "assert len(opened) == 4, opened\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
