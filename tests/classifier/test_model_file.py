"""The committed model is what its manifest says; any other is refused, and the error says why."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pointsman_classifier import Classifier, ModelFileError

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
    assert {path.name for path in model_folder.iterdir()} == {*files, "manifest.json"}
    for name, entry in files.items():
        content = (model_folder / name).read_bytes()
        assert entry == {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
        }


def test_the_model_is_small(model_folder: Path) -> None:
    assert sum(path.stat().st_size for path in model_folder.iterdir()) <= MOST_BYTES


def test_the_manifest_says_where_the_data_came_from_and_how_good_the_model_is(
    model_folder: Path,
) -> None:
    manifest = read_manifest(model_folder)
    data = manifest["training"]["data"]
    assert data["original"]["licence"] == "Apache-2.0"
    assert manifest["training"]["public_used"] == bool(data["public"])
    for source in data["public"].values():
        assert source["licence"]
        assert source["prompts"] > 0
    for head in ("task_type", "complexity", "urgency", "domain", "tone"):
        assert 0 < manifest["metrics"]["out_of_style"][head]["macro_f1"] < 1
        assert manifest["metrics"]["int8_agrees_with_float32"][head] >= 0.97


def test_a_copy_elsewhere_loads(copy: Path, classifier: Classifier) -> None:
    assert Classifier.load(copy).version == classifier.version


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "manifest.json"])
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


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
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


def test_a_manifest_of_another_format_is_refused(copy: Path) -> None:
    edit_manifest(copy, lambda manifest: manifest.update(format=99))
    with pytest.raises(ModelFileError, match="of format 99, not 1"):
        Classifier.load(copy)


def test_a_folder_in_place_of_a_file_is_refused(copy: Path) -> None:
    (copy / "model.onnx").unlink()
    (copy / "model.onnx").mkdir()
    with pytest.raises(ModelFileError, match="cannot be read"):
        Classifier.load(copy)


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
        "assert len(opened) == 3, opened\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
