"""Writes the network as one ONNX graph for a single prompt, with its weights in int8 or float32."""

from __future__ import annotations

import numpy as np
import onnx
from network import FEATURE_LIMIT, Network
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
"""Old enough for every onnxruntime that the package allows."""

Array = NDArray[np.float32]


class _Graph:
    """Collects nodes and initialisers, and names what lies between them."""

    def __init__(self, quantized: bool) -> None:
        self.quantized = quantized
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: list[str], name: str, **attributes: object) -> str:  # noqa: house rule is about layers
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, name: str, value: Array) -> str:
        """A matrix (inputs, outputs), as int8 with one scale an output where quantized.

        It is written as a cast and a product of constants, which onnxruntime folds when it opens
        the graph: the file is small, and the arithmetic stays that of float32.
        """
        if not self.quantized:
            return self.constant(name, value)
        rounded, scale = quantize(value)
        self.constant(f"{name}_int8", rounded)
        self.constant(f"{name}_scale", scale)
        self.node("Cast", [f"{name}_int8"], f"{name}_wide", to=TensorProto.FLOAT)
        return self.node("Mul", [f"{name}_wide", f"{name}_scale"], name)

    def linear(self, source: str, name: str, weight: Array, bias: Array) -> str:
        """``source @ weight + bias``; the weight is (inputs, outputs)."""
        product = self.node("MatMul", [source, self.weight(f"{name}_w", weight)], f"{name}_product")
        return self.node("Add", [product, self.constant(f"{name}_b", bias)], name)


def quantize(value: Array) -> tuple[NDArray[np.int8], Array]:
    """Symmetric int8 by column: ``value ≈ rounded * scale``."""
    scale = np.abs(value).max(axis=0).clip(min=1e-8) / 127
    return np.rint(value / scale).astype(np.int8), scale.astype(np.float32)


def export(network: Network, quantized: bool) -> bytes:
    """The graph's bytes.

    Inputs: ``ids`` int32 (1, tokens), at least one; ``features`` float32 (1, features).
    Output: ``logits`` float32 (1, outputs).
    """
    graph = _Graph(quantized)
    state = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    words = _words(graph, state)
    shape = _standardised(graph, state)
    axis = graph.constant("axis", np.array([1], np.int64))
    mean = graph.node("ReduceMean", [words], "mean", axes=[1], keepdims=0)
    score = graph.linear(
        words, "attention", state["attention.weight"].T, state["attention.bias"]
    )
    share = graph.node("Softmax", [score], "share", axis=1)
    weighted = graph.node("Mul", [share, words], "weighted")
    attended = graph.node("ReduceSum", [weighted, axis], "attended", keepdims=0)
    phrases = _phrases(graph, state, words)
    pooled = graph.node("Concat", [mean, attended, phrases, shape], "pooled", axis=1)
    inner = graph.linear(pooled, "inner", state["hidden.weight"].T, state["hidden.bias"])
    hidden = graph.node("Relu", [inner], "hidden")
    deep = graph.linear(hidden, "deep", state["output.weight"].T, state["output.bias"])
    skip = graph.linear(shape, "skip", state["skip.weight"].T, state["skip.bias"])
    graph.node("Add", [deep, skip], "logits")
    return _serialize(graph, len(state["feature_mean"]), len(state["output.bias"]))


def _words(graph: _Graph, state: dict[str, Array]) -> str:
    """(1, tokens, dimensions): gathered while still int8, so that the table is never widened."""
    table = state["embedding"]
    if not graph.quantized:
        return graph.node("Gather", [graph.constant("table", table), "ids"], "words", axis=0)
    rounded, scale = quantize(table)
    graph.constant("table", rounded)
    graph.constant("table_scale", scale)
    gathered = graph.node("Gather", ["table", "ids"], "gathered", axis=0)
    wide = graph.node("Cast", [gathered], "gathered_wide", to=TensorProto.FLOAT)
    return graph.node("Mul", [wide, "table_scale"], "words")


def _standardised(graph: _Graph, state: dict[str, Array]) -> str:
    mean = graph.constant("feature_mean", state["feature_mean"])
    factor = graph.constant("feature_factor", (1 / state["feature_scale"]).astype(np.float32))
    low = graph.constant("feature_low", np.array(-FEATURE_LIMIT, np.float32))
    high = graph.constant("feature_high", np.array(FEATURE_LIMIT, np.float32))
    centred = graph.node("Sub", ["features", mean], "centred")
    scaled = graph.node("Mul", [centred, factor], "scaled")
    return graph.node("Clip", [scaled, low, high], "shape")


def _phrases(graph: _Graph, state: dict[str, Array], words: str) -> str:
    """The depthwise convolution, then the pointwise one, then the greatest over all places.

    The rectifier comes after the maximum, where it touches one row instead of all.
    """
    columns = graph.node("Transpose", [words], "columns", perm=[0, 2, 1])
    kernel = graph.constant("depthwise_w", state["depthwise.weight"])
    bias = graph.constant("depthwise_b", state["depthwise.bias"])
    local = graph.node(
        "Conv",
        [columns, kernel, bias],
        "local_columns",
        kernel_shape=[3],
        pads=[1, 1],
        group=len(state["depthwise.bias"]),
    )
    rows = graph.node("Transpose", [local], "local", perm=[0, 2, 1])
    mixed = graph.linear(rows, "mixed", state["pointwise.weight"].T, state["pointwise.bias"])
    greatest = graph.node("ReduceMax", [mixed], "greatest", axes=[1], keepdims=0)
    return graph.node("Relu", [greatest], "phrases")


def _serialize(graph: _Graph, features: int, outputs: int) -> bytes:
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT32, [1, "tokens"]),
        helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, features]),
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, outputs])
    proto = helper.make_graph(graph.nodes, "pointsman", inputs, [logits], graph.initializers)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(proto, opset_imports=opsets, producer_name="pointsman-classifier")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    return model.SerializeToString()
