"""The exported graphs compute what the networks are said to compute.

The forward passes below are written from the papers' formulas in plain numpy, a loop where a loop
is clearest, so that they share nothing with the graphs but the weights.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pointsman_classifier.features import FEATURE_NAMES
from pointsman_classifier.training.export import export_student, export_teacher
from pointsman_classifier.training.graph import quantize
from pointsman_classifier.training.labels import OUTPUTS
from pointsman_classifier.training.view import WINDOW
from small_networks import STUDENT_WIDTH, TEACHER_LAYERS, student_weights, teacher_weights

PIECES = 50
LENGTHS = (1, 2, 7, WINDOW.tokens)
Floats = NDArray[Any]
Weights = dict[str, Floats]


def softmax(scores: Floats, axis: int) -> Floats:
    grown = np.exp(scores - scores.max(axis, keepdims=True))
    return np.asarray(grown / grown.sum(axis, keepdims=True))


def linear(weights: Weights, name: str, rows: Floats) -> Floats:
    return np.asarray(rows @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])


def normalise(weights: Weights, name: str, rows: Floats, epsilon: float) -> Floats:
    centred = rows - rows.mean(-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return np.asarray(centred / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"])


def attend(query: Floats, key: Floats, value: Floats, heads: int) -> Floats:
    width = query.shape[1] // heads
    seen = []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        shares = softmax(query[:, own] @ key[:, own].T / math.sqrt(width), 1)
        seen.append(shares @ value[:, own])
    return np.concatenate(seen, 1)


def slide(weights: Weights, name: str, rows: Floats) -> Floats:
    """A convolution in which each channel sees only itself."""
    kernel, bias = weights[f"{name}.weight"][:, 0], weights[f"{name}.bias"]
    width = kernel.shape[1]
    padded = np.pad(rows, ((width // 2, width // 2), (0, 0)))
    return np.stack([(padded[at : at + width].T * kernel).sum(1) + bias for at in range(len(rows))])


def mix_channels(weights: Weights, name: str, rows: Floats) -> Floats:
    return np.asarray(rows @ weights[f"{name}.weight"][:, :, 0].T + weights[f"{name}.bias"])


def relu(rows: Floats) -> Floats:
    return np.maximum(rows, 0)


def run_student(weights: Weights, ids: list[int], features: Floats) -> tuple[Floats, Floats]:
    """The output row and the state."""
    held = {name: value.astype(np.float64) for name, value in weights.items()}
    words = held["embedding"][ids]
    standard = normalise(held, "before_mixing", words + held["places"][: len(ids)], 1e-5)
    query, key, value = (linear(held, name, standard) for name in ("query", "key", "value"))
    words = words + linear(held, "mixed", attend(query, key, value, 4))
    inner = relu(linear(held, "inner", normalise(held, "before_inner", words, 1e-5)))
    words = words + linear(held, "inner_out", inner)
    pools = softmax(linear(held, "attention", words), 0).T @ words
    near = relu(mix_channels(held, "near_mix", slide(held, "near", words)))
    far = relu(mix_channels(held, "far_mix", slide(held, "far", near)))
    scaled = np.clip((features - held["feature_mean"]) / held["feature_scale"], -4, 4)
    pooled = np.concatenate(
        [
            words.mean(0),
            pools.ravel(),
            (near + far).max(0),
            relu(linear(held, "shape", scaled)),
            scaled,
        ]
    )
    state = np.concatenate([pooled, relu(linear(held, "hidden", pooled))])
    votes = held["word_votes"][ids].sum(0)
    for first, second in pairwise(ids):
        votes = votes + held["pair_votes"][(first * 31337 + second * 7919) % 97]
    return linear(held, "output", state) + votes / math.sqrt(len(ids)), state


def run_teacher(weights: Weights, ids: list[int]) -> tuple[Floats, Floats]:
    """The output row and the state."""
    held = {
        name.removeprefix("body.weights."): value.astype(np.float64)
        for name, value in weights.items()
    }
    marked = [101, *ids, 102]
    rows = held["embeddings.word_embeddings.weight"][marked]
    rows = rows + held["embeddings.position_embeddings.weight"][: len(marked)]
    rows = rows + held["embeddings.token_type_embeddings.weight"][0]
    rows = normalise(held, "embeddings.LayerNorm", rows, 1e-12)
    for layer in range(TEACHER_LAYERS):
        at = f"encoder.layer.{layer}."
        query, key, value = (
            linear(held, f"{at}attention.self.{name}", rows) for name in ("query", "key", "value")
        )
        seen = linear(held, f"{at}attention.output.dense", attend(query, key, value, 12))
        rows = normalise(held, f"{at}attention.output.LayerNorm", rows + seen, 1e-12)
        inner = linear(held, f"{at}intermediate.dense", rows)
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        inner = linear(held, f"{at}output.dense", inner)
        rows = normalise(held, f"{at}output.LayerNorm", rows + inner, 1e-12)
    state = np.concatenate([rows.mean(0), rows[0]])
    return linear(held, "output", state), state


def in_int8(weights: Weights) -> Weights:
    """The weights after a journey through int8: a layer's by output, a table's by column."""
    moved = dict(weights)
    for name, value in weights.items():
        is_table = name in ("embedding", "places", "word_votes", "pair_votes") or name.endswith(
            ("word_embeddings.weight", "position_embeddings.weight")
        )
        if is_table:
            steps = np.abs(value).max(0, keepdims=True) / 127
        elif value.ndim > 1 and "token_type" not in name:
            steps = np.abs(value).reshape(len(value), -1).max(1) / 127
            steps = steps.reshape(-1, *[1] * (value.ndim - 1))
        else:
            continue
        moved[name] = (np.rint(value / steps) * steps).astype(np.float32)
    return moved


def run_graph(network: bytes, ids: list[int], features: Floats) -> tuple[Floats, Floats]:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    inputs = {
        "ids": np.array([ids], np.int32),
        "features": features[np.newaxis].astype(np.float32),
    }
    outputs, state = session.run(["outputs", "state"], inputs)
    assert outputs.shape == (1, OUTPUTS)
    return outputs[0], state[0]


def draw_text(length: int, pieces: int = PIECES) -> tuple[list[int], Floats]:
    """Ids and features; some of the features lie far beyond where they are cut."""
    rng = np.random.default_rng(length)
    return rng.integers(0, pieces, length).tolist(), rng.normal(0, 3, len(FEATURE_NAMES))


@pytest.fixture(scope="module")
def student() -> Weights:
    return student_weights(1, PIECES)


@pytest.fixture(scope="module")
def teacher() -> Weights:
    return teacher_weights(2, 110)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_student_in_float32_is_its_formula(student: Weights, length: int) -> None:
    ids, features = draw_text(length)
    outputs, state = run_graph(export_student(student, quantized=False), ids, features)
    expected_outputs, expected_state = run_student(student, ids, features)
    np.testing.assert_allclose(state, expected_state, atol=1e-4)
    np.testing.assert_allclose(outputs, expected_outputs, atol=1e-4)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_student_in_int8_is_its_formula_of_rounded_weights(
    student: Weights, length: int
) -> None:
    ids, features = draw_text(length)
    outputs, state = run_graph(export_student(student, quantized=True), ids, features)
    expected_outputs, expected_state = run_student(in_int8(student), ids, features)
    np.testing.assert_allclose(state, expected_state, atol=1e-4)
    np.testing.assert_allclose(outputs, expected_outputs, atol=1e-4)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_student_in_int8_stays_close_to_float32(student: Weights, length: int) -> None:
    ids, features = draw_text(length)
    outputs, _ = run_graph(export_student(student, quantized=True), ids, features)
    exact, _ = run_student(student, ids, features)
    assert np.abs(outputs - exact).max() < 0.04 * exact.std()
    assert np.abs(outputs - exact).max() > 0


@pytest.mark.parametrize("length", LENGTHS)
def test_the_teacher_in_float32_is_bert(teacher: Weights, length: int) -> None:
    ids, features = draw_text(length, 110)
    outputs, state = run_graph(export_teacher(teacher, quantized=False), ids, features)
    expected_outputs, expected_state = run_teacher(teacher, ids)
    np.testing.assert_allclose(state, expected_state, atol=1e-4)
    np.testing.assert_allclose(outputs, expected_outputs, atol=1e-4)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_teacher_in_int8_is_bert_of_rounded_weights(teacher: Weights, length: int) -> None:
    ids, features = draw_text(length, 110)
    outputs, _ = run_graph(export_teacher(teacher, quantized=True), ids, features)
    np.testing.assert_allclose(outputs, run_teacher(in_int8(teacher), ids)[0], atol=1e-4)
    exact, _ = run_teacher(teacher, ids)
    assert np.abs(outputs - exact).max() < 0.1 * exact.std()


def test_a_feature_that_is_cut_off_says_no_more_than_the_limit(student: Weights) -> None:
    network = export_student(student, quantized=False)
    far = student["feature_mean"] + 5 * student["feature_scale"]
    farther = student["feature_mean"] + 500 * student["feature_scale"]
    np.testing.assert_array_equal(
        run_graph(network, [3, 4], far)[0], run_graph(network, [3, 4], farther)[0]
    )


def test_the_order_of_the_words_counts(student: Weights) -> None:
    network = export_student(student, quantized=False)
    features = np.zeros(len(FEATURE_NAMES))
    there = run_graph(network, [3, 9, 4, 7], features)[0]
    back = run_graph(network, [7, 4, 9, 3], features)[0]
    assert np.abs(there - back).max() > 1e-3


@pytest.mark.parametrize("quantized", [False, True])
def test_the_same_weights_give_the_same_bytes(
    student: Weights, teacher: Weights, quantized: bool
) -> None:
    assert export_student(student, quantized) == export_student(student, quantized)
    assert export_teacher(teacher, quantized) == export_teacher(teacher, quantized)


def test_the_graph_says_what_it_takes_and_gives(student: Weights) -> None:
    model = onnx.load_model_from_string(export_student(student, quantized=True))
    assert [held.name for held in model.graph.input] == ["ids", "features"]
    assert [held.name for held in model.graph.output] == ["outputs", "state"]
    # onnxruntime 1.23, the oldest that is allowed, reads these.
    assert model.ir_version <= 10
    assert model.opset_import[0].version <= 21


def test_int8_tables_are_never_widened_whole(student: Weights) -> None:
    """Widened, the vocabulary alone would be fifty megabytes in every process."""
    model = onnx.load_model_from_string(export_student(student, quantized=True))
    shapes = {
        tensor.name: tuple(tensor.dims)
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT
    }
    assert not [name for name, dims in shapes.items() if dims[:1] == (PIECES,)]
    table = next(t for t in model.graph.initializer if tuple(t.dims) == (PIECES, STUDENT_WIDTH))
    assert table.data_type == onnx.TensorProto.INT8
    readers = [node.op_type for node in model.graph.node if table.name in node.input]
    assert readers == ["Gather"]


@settings(max_examples=100, deadline=None)
@given(
    value=arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=2, max_dims=3, max_side=6),
        elements=st.floats(-1e3, 1e3, width=32),
    ),
    axis=st.integers(0, 1),
)
def test_rounding_to_int8_is_off_by_half_a_step_at_most(
    value: NDArray[np.float32], axis: int
) -> None:
    rounded, scale = quantize(value, axis)
    assert rounded.dtype == np.int8
    assert scale.size == value.shape[axis]
    assert np.all(rounded != -128)
    assert np.all(np.abs(rounded * scale - value) <= scale * 0.5001)
