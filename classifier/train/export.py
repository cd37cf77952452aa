"""Writes encoder and heads as one ONNX graph for a single prompt, in int8 or float32."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from encoder import Encoder
from heads import FEATURE_LIMIT, LEAST_LENGTH, Heads
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
"""Old enough for every onnxruntime that the package allows."""

Array = NDArray[np.float32]
Attributes = Mapping[str, int | list[int]]


class _Graph:
    """Collects nodes and initialisers, and names what lies between them."""

    def __init__(self, quantized: bool) -> None:
        self.quantized = quantized
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def node(
        self, kind: str, inputs: list[str], name: str, attributes: Attributes | None = None
    ) -> str:
        made = helper.make_node(kind, inputs, [name], name=name)
        made.attribute.extend(
            helper.make_attribute(key, value) for key, value in (attributes or {}).items()
        )
        self.nodes.append(made)
        return name

    def matrix(self, name: str, value: Array) -> str:
        """A matrix (inputs, outputs), as int8 with one scale an output where quantized.

        It is written as a cast and a product of constants, which onnxruntime folds when it opens
        the graph: the file is small, and the arithmetic stays that of float32.
        """
        if not self.quantized:
            return self.constant(name, value)
        rounded, scale = quantize(value)
        whole = self.constant(f"{name}_int8", rounded)
        wide = self.node("Cast", [whole], f"{name}_wide", {"to": TensorProto.FLOAT})
        return self.node("Mul", [wide, self.constant(f"{name}_scale", scale)], name)

    def linear(self, source: str, name: str, weight: Array, bias: Array | None = None) -> str:
        """``source @ weight + bias``; the weight is (inputs, outputs)."""
        product = self.node("MatMul", [source, self.matrix(f"{name}_w", weight)], f"{name}_product")
        if bias is None:
            return product
        return self.node("Add", [product, self.constant(f"{name}_b", bias)], name)

    def gather(self, ids: str, name: str, table: Array) -> tuple[str, str | None]:
        """Rows of a table and the scale that is still owed to them.

        They are gathered while still int8, so that the table itself is never widened.
        """
        if not self.quantized:
            return self.node("Gather", [self.constant(f"{name}_table", table), ids], name), None
        rounded, scale = quantize(table)
        whole = self.constant(f"{name}_table", rounded)
        gathered = self.node("Gather", [whole, ids], f"{name}_int8", {"axis": 0})
        self.node("Cast", [gathered], name, {"to": TensorProto.FLOAT})
        return name, self.constant(f"{name}_scale", scale)


def quantize(value: Array) -> tuple[NDArray[np.int8], Array]:
    """Symmetric int8 by column: ``value ≈ rounded * scale``."""
    scale = np.abs(value).max(axis=0).clip(min=1e-8) / 127
    return np.rint(value / scale).astype(np.int8), scale.astype(np.float32)


def export(encoder: Encoder, heads: Heads, quantized: bool) -> bytes:
    """The graph's bytes.

    Inputs, of which neither list of tokens may be empty: ``ids`` int32 (1, tokens);
    ``pieces`` int32 (1, distinct tokens); ``features`` float32 (1, features).
    Output: ``logits`` float32 (1, outputs).
    """
    graph = _Graph(quantized)
    graph.constant("tokens_axis", np.array([1], np.int64))
    state = {name: tensor.detach().numpy() for name, tensor in encoder.state_dict().items()}
    vector = _encode(graph, state)
    from_vector = graph.linear(vector, "from_vector", heads.vector_weights, heads.bias)
    from_shape = graph.linear(_standardise(graph, heads), "from_shape", heads.feature_weights)
    both = graph.node("Add", [from_vector, from_shape], "from_vector_and_shape")
    graph.node("Add", [both, _weigh_pieces(graph, heads)], "logits")
    return _serialize(graph, len(heads.feature_mean), len(heads.bias))


def _encode(graph: _Graph, state: dict[str, Array]) -> str:
    """The encoder: (1, vector)."""
    words, scale = graph.gather("ids", "words", state["embedding"])
    if scale:
        words = graph.node("Mul", [words, scale], "scaled_words")
    mean = graph.node("ReduceMean", [words], "mean", {"axes": [1], "keepdims": 0})
    score = graph.linear(words, "attention", state["attention.weight"].T, state["attention.bias"])
    share = graph.node("Softmax", [score], "share", {"axis": 1})
    weighted = graph.node("Mul", [share, words], "weighted")
    attended = graph.node("ReduceSum", [weighted, "tokens_axis"], "attended", {"keepdims": 0})
    phrases = _phrases(graph, state, words)
    pooled = graph.node("Concat", [mean, attended, phrases], "pooled", {"axis": 1})
    raw = graph.linear(pooled, "raw_vector", state["output.weight"].T, state["output.bias"])
    return graph.node("LpNormalization", [raw], "vector", {"axis": 1, "p": 2})


def _phrases(graph: _Graph, state: dict[str, Array], words: str) -> str:
    """The depthwise convolution, then the pointwise one, then the greatest over all places.

    The rectifier comes after the maximum, where it touches one row instead of all.
    """
    columns = graph.node("Transpose", [words], "columns", {"perm": [0, 2, 1]})
    kernel = graph.constant("depthwise_w", state["depthwise.weight"])
    bias = graph.constant("depthwise_b", state["depthwise.bias"])
    shape: Attributes = {"kernel_shape": [3], "pads": [1, 1], "group": len(state["depthwise.bias"])}
    local = graph.node("Conv", [columns, kernel, bias], "local_columns", shape)
    rows = graph.node("Transpose", [local], "local", {"perm": [0, 2, 1]})
    mixed = graph.linear(rows, "mixed", state["pointwise.weight"].T, state["pointwise.bias"])
    greatest = graph.node("ReduceMax", [mixed], "greatest", {"axes": [1], "keepdims": 0})
    return graph.node("Relu", [greatest], "phrases")


def _standardise(graph: _Graph, heads: Heads) -> str:
    mean = graph.constant("feature_mean", heads.feature_mean)
    factor = graph.constant("feature_factor", (1 / heads.feature_scale).astype(np.float32))
    low = graph.constant("feature_low", np.array(-FEATURE_LIMIT, np.float32))
    high = graph.constant("feature_high", np.array(FEATURE_LIMIT, np.float32))
    centred = graph.node("Sub", ["features", mean], "centred")
    scaled = graph.node("Mul", [centred, factor], "scaled")
    return graph.node("Clip", [scaled, low, high], "shape")


def _weigh_pieces(graph: _Graph, heads: Heads) -> str:
    """The tf-idf view: sum of the pieces' weights over the length of the idf vector."""
    rows, scale = graph.gather("pieces", "piece_weights", heads.piece_weights)
    total = graph.node("ReduceSum", [rows, "tokens_axis"], "piece_total", {"keepdims": 0})
    if scale:
        total = graph.node("Mul", [total, scale], "piece_total_scaled")
    squares = graph.constant("idf_squares", np.square(heads.idf)[:, None])
    gathered = graph.node("Gather", [squares, "pieces"], "piece_squares", {"axis": 0})
    square = graph.node("ReduceSum", [gathered, "tokens_axis"], "square", {"keepdims": 0})
    least = graph.constant("least_square", np.array(LEAST_LENGTH**2, np.float32))
    length = graph.node("Sqrt", [graph.node("Max", [square, least], "square_bounded")], "length")
    return graph.node("Div", [total, length], "from_pieces")


def _serialize(graph: _Graph, features: int, outputs: int) -> bytes:
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT32, [1, "tokens"]),
        helper.make_tensor_value_info("pieces", TensorProto.INT32, [1, "distinct"]),
        helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, features]),
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, outputs])
    proto = helper.make_graph(graph.nodes, "pointsman", inputs, [logits], graph.initializers)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(proto, opset_imports=opsets, producer_name="pointsman-classifier")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
