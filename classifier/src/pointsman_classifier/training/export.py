"""Writes student and teacher as ONNX graphs for a single prompt."""

from __future__ import annotations

import re

import numpy as np
from onnx import TensorProto

from pointsman_classifier.features import FEATURE_NAMES
from pointsman_classifier.training.graph import Graph, Weights

FEATURE_LIMIT = 4.0
"""Standardised features are cut here, so that an odd text cannot drown its words."""

ATTENTION_HEADS = 4
"""Into how many heads the student's attention is split."""

PAIR_FIRST, PAIR_SECOND = 31337, 7919
"""A pair of neighbours has the place ``(first * 31337 + second * 7919) % rows`` in its table."""

TEACHER_HEADS = 12
START, END = 101, 102
"""BERT's marks for the beginning and the end of a text."""

OUTPUT_LAYER = "output"
"""Name of the last layer: ``output_w`` and ``output_b`` among the graph's constants."""

_EPSILON = 1e-12


def export_student(weights: Weights, quantized: bool) -> bytes:
    """The bytes of the student's graph: see :meth:`Graph.serialize`.

    Args:
        weights: the student's.
        quantized: whether to write them as int8.
    """
    graph = Graph(quantized)
    words = _in_context(graph, graph.gather("ids", "words", weights["embedding"]), weights)
    mean = graph.node("ReduceMean", [words], "mean", {"axes": [1], "keepdims": 0})
    attended = _pool(graph, words, weights)
    greatest = _phrases(graph, words, weights)
    standard = _standardise(graph, weights)
    shape = graph.node("Relu", [graph.linear(standard, "shape", weights)], "shape")
    parts = [mean, attended, greatest, shape, standard]
    pooled = graph.node("Concat", parts, "pooled", {"axis": 1})
    hidden = graph.node("Relu", [graph.linear(pooled, "hidden", weights)], "hidden")
    graph.node("Concat", [pooled, hidden], "state", {"axis": 1})
    return _finish(graph, weights, _votes(graph, weights))


def export_teacher(weights: Weights, quantized: bool) -> bytes:
    """The bytes of the teacher's graph, which takes the same inputs and needs no features.

    Args:
        weights: the teacher's.
        quantized: whether to write them as int8.
    """
    weights = {re.sub(r"^body\.weights\.", "", name): value for name, value in weights.items()}
    graph = Graph(quantized)
    marks = [
        graph.constant(name, np.array([[mark]], np.int32))
        for name, mark in (("start_mark", START), ("end_mark", END))
    ]
    marked = graph.node("Concat", [marks[0], "ids", marks[1]], "marked_ids", {"axis": 1})
    words = graph.gather(marked, "words", weights["embeddings.word_embeddings.weight"])
    table = weights["embeddings.position_embeddings.weight"]
    placed = graph.node("Add", [words, graph.places(marked, table, "places")], "placed")
    kind = graph.constant("kind", weights["embeddings.token_type_embeddings.weight"][0])
    states = graph.node("Add", [placed, kind], "embedded")
    states = graph.normalise(states, "embeddings.LayerNorm", weights, _EPSILON)
    layers = sum(name.endswith("attention.self.query.weight") for name in weights)
    for layer in range(layers):
        states = _teacher_layer(graph, states, weights, f"encoder.layer.{layer}.")
    mean = graph.node("ReduceMean", [states], "mean", {"axes": [1], "keepdims": 0})
    zero = graph.constant("zero", np.array(0, np.int64))
    first = graph.node("Gather", [states, zero], "first", {"axis": 1})
    graph.node("Concat", [mean, first], "state", {"axis": 1})
    return _finish(graph, weights)


def _finish(graph: Graph, weights: Weights, votes: str | None = None) -> bytes:
    row = graph.linear("state", OUTPUT_LAYER, weights)
    if votes is None:
        graph.node("Identity", [row], "outputs")
    else:
        graph.node("Add", [row, votes], "outputs")
    outputs, state = weights[f"{OUTPUT_LAYER}.weight"].shape
    return graph.serialize(len(FEATURE_NAMES), outputs, state)


def _in_context(graph: Graph, words: str, weights: Weights) -> str:
    """One layer of attention among the words: (1, pieces, width)."""
    width = weights["embedding"].shape[1]
    places = graph.places("ids", weights["places"], "places")
    placed = graph.node("Add", [words, places], "placed")
    standard = graph.normalise(placed, "before_mixing", weights)
    query, key, value = graph.linears(standard, ("query", "key", "value"), weights)
    seen = graph.attend(query, key, value, ATTENTION_HEADS, width, "seen")
    mixed = graph.node("Add", [words, graph.linear(seen, "mixed", weights)], "mixed_words")
    inner = graph.linear(graph.normalise(mixed, "before_inner", weights), "inner", weights)
    inner = graph.linear(graph.node("Relu", [inner], "inner"), "inner_out", weights)
    return graph.node("Add", [mixed, inner], "words_in_context")


def _votes(graph: Graph, weights: Weights) -> str:
    """The votes of words and of pairs of neighbours, over the root of the words' number."""

    def whole(name: str, value: int) -> str:
        return graph.constant(name, np.array([value], np.int64))

    def number(name: str, value: int) -> str:
        return graph.constant(name, np.array(value, np.int32))

    axis = whole("pieces_axis", 1)
    start, second, end = whole("first_place", 0), whole("second_place", 1), whole("last_place", -1)
    far = whole("beyond", np.iinfo(np.int64).max)
    left = graph.node("Slice", ["ids", start, end, axis], "left")
    right = graph.node("Slice", ["ids", second, far, axis], "right")
    left = graph.node("Mul", [left, number("pair_first", PAIR_FIRST)], "left_hash")
    right = graph.node("Mul", [right, number("pair_second", PAIR_SECOND)], "right_hash")
    hashed = graph.node("Add", [left, right], "pair_hash")
    rows = number("pair_rows", len(weights["pair_votes"]))
    pairs = graph.node("Mod", [hashed, rows], "pairs")
    given = [
        graph.node(
            "ReduceSum",
            [graph.gather(ids, name, weights[name]), axis],
            f"{name}_sum",
            {"keepdims": 0},
        )
        for ids, name in (("ids", "word_votes"), (pairs, "pair_votes"))
    ]
    votes = graph.node("Add", given, "votes_sum")
    shape = graph.node("Shape", ["ids"], "votes_count", {"start": 1, "end": 2})
    count = graph.node("Cast", [shape], "votes_float", {"to": TensorProto.FLOAT})
    return graph.node("Div", [votes, graph.node("Sqrt", [count], "votes_root")], "votes")


def _pool(graph: Graph, words: str, weights: Weights) -> str:
    """The means of the words, each weighed in a way that was learned: (1, pools x width)."""
    scores = graph.linear(words, "attention", weights)
    shares = graph.node("Softmax", [scores], "shares", {"axis": 1})
    turned = graph.node("Transpose", [shares], "shares_turned", {"perm": [0, 2, 1]})
    means = graph.node("MatMul", [turned, words], "means")
    return graph.node("Flatten", [means], "attended", {"axis": 1})


def _phrases(graph: Graph, words: str, weights: Weights) -> str:
    """Two light convolutions, the second added to the first; then the greatest of each channel."""
    columns = graph.node("Transpose", [words], "columns", {"perm": [0, 2, 1]})
    near = graph.convolution(graph.convolution(columns, "near", weights), "near_mix", weights)
    near = graph.node("Relu", [near], "near_phrases")
    far = graph.convolution(graph.convolution(near, "far", weights), "far_mix", weights)
    far = graph.node("Relu", [far], "far_phrases")
    both = graph.node("Add", [near, far], "phrases")
    return graph.node("ReduceMax", [both], "greatest", {"axes": [2], "keepdims": 0})


def _standardise(graph: Graph, weights: Weights) -> str:
    mean = graph.constant("feature_mean", weights["feature_mean"])
    factor = graph.constant("feature_factor", (1 / weights["feature_scale"]).astype(np.float32))
    low = graph.constant("feature_low", np.array(-FEATURE_LIMIT, np.float32))
    high = graph.constant("feature_high", np.array(FEATURE_LIMIT, np.float32))
    centred = graph.node("Sub", ["features", mean], "centred")
    scaled = graph.node("Mul", [centred, factor], "scaled")
    return graph.node("Clip", [scaled, low, high], "standard")


def _teacher_layer(graph: Graph, states: str, weights: Weights, prefix: str) -> str:
    """One layer of BERT: attention, then two linear layers, each added and normalised."""
    width = weights["embeddings.word_embeddings.weight"].shape[1]
    names = tuple(f"{prefix}attention.self.{name}" for name in ("query", "key", "value"))
    query, key, value = graph.linears(states, names, weights)
    seen = graph.attend(query, key, value, TEACHER_HEADS, width, f"{prefix}seen")
    mixed = graph.linear(seen, f"{prefix}attention.output.dense", weights)
    added = graph.node("Add", [states, mixed], f"{prefix}mixed")
    states = graph.normalise(added, f"{prefix}attention.output.LayerNorm", weights, _EPSILON)
    inner = _gelu(graph, graph.linear(states, f"{prefix}intermediate.dense", weights), prefix)
    inner = graph.linear(inner, f"{prefix}output.dense", weights)
    added = graph.node("Add", [states, inner], f"{prefix}added")
    return graph.normalise(added, f"{prefix}output.LayerNorm", weights, _EPSILON)


def _gelu(graph: Graph, source: str, prefix: str) -> str:
    """x/2 (1 + erf(x/√2)), which onnxruntime recognises and computes at once."""
    root = graph.constant(f"{prefix}root", np.array(np.sqrt(2), np.float32))
    one = graph.constant(f"{prefix}one", np.array(1, np.float32))
    half = graph.constant(f"{prefix}half", np.array(0.5, np.float32))
    risen = graph.node("Erf", [graph.node("Div", [source, root], f"{prefix}d")], f"{prefix}erf")
    grown = graph.node("Add", [risen, one], f"{prefix}grown")
    product = graph.node("Mul", [source, grown], f"{prefix}product")
    return graph.node("Mul", [product, half], f"{prefix}gelu")
