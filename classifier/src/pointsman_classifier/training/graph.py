"""The parts that ONNX graphs are put together from, in int8 or float32."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
"""Old enough for every onnxruntime that the package allows."""

Array = NDArray[np.float32]
Weights = Mapping[str, Array]
"""Weights by torch's names for them: a layer's are ``NAME.weight`` and ``NAME.bias``."""

Attributes = Mapping[str, int | float | list[int]]


class Graph:
    """Collects nodes and initialisers, and names what lies between them."""

    def __init__(self, quantized: bool) -> None:
        """An empty graph, whose matrices and tables will be int8 where ``quantized``."""
        self.quantized = quantized
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """A constant, as it is."""
        self.initializers.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def node(
        self, kind: str, inputs: list[str], name: str, attributes: Attributes | None = None
    ) -> str:
        """One operator with one output, which bears its name."""
        made = helper.make_node(kind, inputs, [name], name=name)
        made.attribute.extend(
            helper.make_attribute(key, value) for key, value in (attributes or {}).items()
        )
        self.nodes.append(made)
        return name

    def weight(self, name: str, value: Array, axis: int) -> str:
        """Weights with one output along ``axis``, as int8 with one scale an output.

        They are written as a cast and a product of constants, which onnxruntime folds when it
        opens the graph: the file is small, and the arithmetic stays that of float32.
        """
        if not self.quantized:
            return self.constant(name, value)
        rounded, scale = quantize(value, axis)
        whole = self.constant(f"{name}_int8", rounded)
        wide = self.node("Cast", [whole], f"{name}_wide", {"to": TensorProto.FLOAT})
        return self.node("Mul", [wide, self.constant(f"{name}_scale", scale)], name)

    def linear(self, source: str, name: str, weights: Weights) -> str:
        """A linear layer, over the last axis."""
        matrix = self.weight(f"{name}_w", weights[f"{name}.weight"].T, axis=1)
        product = self.node("MatMul", [source, matrix], f"{name}_product")
        bias = self.constant(f"{name}_b", weights[f"{name}.bias"])
        return self.node("Add", [product, bias], f"{name}_sum")

    def linears(self, source: str, names: tuple[str, ...], weights: Weights) -> list[str]:
        """Linear layers of one width over the same source, as one product: that is quicker."""
        joined = "+".join(names)
        together = {
            f"{joined}.weight": np.concatenate([weights[f"{name}.weight"] for name in names]),
            f"{joined}.bias": np.concatenate([weights[f"{name}.bias"] for name in names]),
        }
        rows = self.linear(source, joined, together)
        width = len(weights[f"{names[0]}.bias"])
        sizes = self.constant(f"{joined}_sizes", np.array([width] * len(names), np.int64))
        parts = [f"{name}_rows" for name in names]
        split = helper.make_node("Split", [rows, sizes], parts, name=f"{joined}_split")
        split.attribute.append(helper.make_attribute("axis", -1))
        self.nodes.append(split)
        return parts

    def convolution(self, source: str, name: str, weights: Weights) -> str:
        """A convolution over (1, channels, pieces) that keeps the pieces' number.

        One that is wider than a piece has a kernel of its own for each channel.
        """
        kernel = weights[f"{name}.weight"]
        width = kernel.shape[2]
        shape: Attributes = {
            "kernel_shape": [width],
            "pads": [width // 2, width // 2],
            "group": kernel.shape[0] if width > 1 else 1,
        }
        inputs = [
            source,
            self.weight(f"{name}_w", kernel, axis=0),
            self.constant(f"{name}_b", weights[f"{name}.bias"]),
        ]
        return self.node("Conv", inputs, f"{name}_sum", shape)

    def normalise(self, source: str, name: str, weights: Weights, epsilon: float = 1e-5) -> str:
        """A layer norm, over the last axis."""
        inputs = [
            source,
            self.constant(f"{name}_w", weights[f"{name}.weight"]),
            self.constant(f"{name}_b", weights[f"{name}.bias"]),
        ]
        attributes: Attributes = {"axis": -1, "epsilon": epsilon}
        return self.node("LayerNormalization", inputs, f"{name}_normal", attributes)

    def gather(self, ids: str, name: str, table: Array) -> str:
        """Rows of a table, gathered while still int8, so that the table is never widened."""
        if not self.quantized:
            return self.node("Gather", [self.constant(f"{name}_table", table), ids], name)
        rounded, scale = quantize(table, axis=1)
        whole = self.constant(f"{name}_table", rounded)
        gathered = self.node("Gather", [whole, ids], f"{name}_int8", {"axis": 0})
        wide = self.node("Cast", [gathered], f"{name}_wide", {"to": TensorProto.FLOAT})
        return self.node("Mul", [wide, self.constant(f"{name}_scale", scale)], name)

    def attend(self, query: str, key: str, value: str, heads: int, width: int, name: str) -> str:
        """Attention with several heads among rows of shape (1, pieces, width)."""
        each = width // heads
        split = self.constant(f"{name}_split", np.array([-1, heads, each], np.int64))
        by_head = []
        for part, source, order in (
            ("query", query, [1, 0, 2]),
            ("key", key, [1, 2, 0]),
            ("value", value, [1, 0, 2]),
        ):
            rows = self.node("Reshape", [source, split], f"{name}_{part}_rows")
            turned = self.node("Transpose", [rows], f"{name}_{part}_heads", {"perm": order})
            by_head.append(turned)
        scale = self.constant(f"{name}_scale", np.array(each**-0.5, np.float32))
        scaled = self.node("Mul", [by_head[0], scale], f"{name}_scaled")
        scores = self.node("MatMul", [scaled, by_head[1]], f"{name}_scores")
        shares = self.node("Softmax", [scores], f"{name}_shares", {"axis": -1})
        seen = self.node("MatMul", [shares, by_head[2]], f"{name}_seen")
        rows = self.node("Transpose", [seen], f"{name}_seen_rows", {"perm": [1, 0, 2]})
        joined = self.constant(f"{name}_joined", np.array([1, -1, width], np.int64))
        return self.node("Reshape", [rows, joined], name)

    def places(self, source: str, table: Array, name: str) -> str:
        """The first rows of ``table``, as many as ``source``, (1, pieces, ...), has pieces."""
        start = self.constant(f"{name}_start", np.array([0], np.int64))
        count = self.node("Shape", [source], f"{name}_count", {"start": 1, "end": 2})
        whole = self.weight(f"{name}_table", table, axis=1)
        return self.node("Slice", [whole, start, count], name)

    def serialize(self, features: int, outputs: int, state: int) -> bytes:
        """The graph's bytes, checked.

        Inputs: ``ids`` int32 (1, pieces), of which there must be one; ``features`` float32
        (1, features). Outputs: ``outputs`` float32 (1, outputs), and ``state`` float32 (1, state),
        the vector from which the last layer makes them.
        """
        inputs = [
            helper.make_tensor_value_info("ids", TensorProto.INT32, [1, "pieces"]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, features]),
        ]
        results = [
            helper.make_tensor_value_info("outputs", TensorProto.FLOAT, [1, outputs]),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, state]),
        ]
        proto = helper.make_graph(self.nodes, "pointsman", inputs, results, self.initializers)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(proto, opset_imports=opsets, producer_name="pointsman-classifier")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def quantize(value: Array, axis: int) -> tuple[NDArray[np.int8], Array]:
    """Symmetric int8 with one scale along ``axis``: ``value ≈ rounded * scale``."""
    others = tuple(other for other in range(value.ndim) if other != axis)
    scale = np.abs(value).max(axis=others, keepdims=True).clip(min=1e-8) / 127
    return np.rint(value / scale).astype(np.int8), scale.astype(np.float32)
