"""Build a model's network as an ONNX graph from its weights: from features of words to emissions.

Inputs, for B sentences of T tokens in any order, with U distinct words:
    rows (B, T) int64         each token's row in the arrays below; any row after a sentence's end
    lengths (B,) int32        tokens of each sentence, at least 1
    words (U,) int64          features of the words, those the model has; see `features.encoding.WordFeatures`
    characters (U, C) int64
    shapes (U,) int64
    affixes (U, 2L) int64
    static (U, D) float32
Output:
    emissions (B, T, K) float32, without meaning after a sentence's end

Recurrent layers are ONNX's own operators. Their gates are in another order than PyTorch's: GRU z, r, h instead of
r, z, n; LSTM i, o, f, c instead of i, f, g, o. `linear_before_reset` selects the GRU's convention; see
`reference_cells`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagger.config import GATES, Cell, EncoderConfig, ModelConfig
from tagger.engines.reference_cells import NORM_EPSILON, cell_weights
from tagger.errors import UserError, install_command
from tagger.features.vocabulary import PAD, UNK
from tagger.model_folder.folder import ModelFolder
from tagger.tensor_shapes import (
    CHARACTER_FILTERS,
    CHARACTER_GRU,
    CHARACTERS,
    EMISSIONS,
    FEED_FORWARD,
    STATIC_CORRECTIONS,
    WORD_SHAPES,
    WORDS,
    affix_table,
    layer_prefix,
    norm_tensors,
    skip_tensor,
)

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    raise UserError(f"ONNX graphs need the package onnx; install the extra: {install_command('onnx')}") from None

Floats = NDArray[np.float32]
_OPSET, _FORMAT = 22, 10  # the newest operators used are of opset 22, which needs ONNX files of version 10
_OPERATORS: dict[Cell, str] = {"rnn": "RNN", "gru": "GRU", "gru_reset_before": "GRU", "lstm": "LSTM"}
_ORDER: dict[Cell, tuple[int, ...]] = {
    "rnn": (0,),
    "gru": (1, 0, 2),
    "gru_reset_before": (1, 0, 2),
    "lstm": (0, 3, 1, 2),
}


def graph_of(folder: ModelFolder) -> bytes:
    """Return the content of a model's `model.onnx`: the same bytes for the same weights.

    Raises:
        UserError: the model has a contextual encoder.
    """
    config = folder.config
    if config.embeddings.transformer is not None:
        raise UserError("ONNX: the model has a contextual encoder, which is not exported; use engine torch")
    graph = _Graph(folder.tensors)
    vectors = _embeddings(graph, config)
    if config.encoder.feed_forward:
        vectors = _feed_forward(graph, vectors)
    values = graph("Gather", vectors, "rows", axis=0)  # (B, T, E)
    values = graph("Transpose", values, perm=[1, 0, 2])  # (T, B, E)
    for number in range(config.encoder.depth):
        values = _layer(graph, config.encoder, number, values)
    values = graph("MatMul", values, graph.constant(folder.tensors[EMISSIONS.weight].T))
    values = graph("Add", values, graph.constant(folder.tensors[EMISSIONS.bias]))  # (T, B, K)
    graph("Transpose", values, perm=[1, 0, 2], into="emissions")
    graph.input("rows", TensorProto.INT64, "B", "T")
    graph.input("lengths", TensorProto.INT32, "B")
    output = helper.make_tensor_value_info("emissions", TensorProto.FLOAT, ["B", "T", len(folder.vocabularies.tags)])
    whole = helper.make_graph(graph.nodes, "tagger", graph.inputs, [output], graph.constants)
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_FORMAT)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Graph:
    """A graph in the making: nodes and constants, named by their numbers."""

    def __init__(self, tensors: Mapping[str, Floats]) -> None:
        self.tensors = tensors
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []

    def __call__(self, operator: str, *inputs: str, into: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Add a node and return the name of its last output. Outputs before the last are dropped."""
        name = into or f"{operator}_{len(self.nodes)}"
        names = [*[""] * (outputs - 1), name]
        self.nodes.append(helper.make_node(operator, inputs, names, name=name, **attributes))
        return name

    def constant(self, value: Any) -> str:
        """Add an array and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(self.tensors[name])

    def input(self, name: str, kind: int, *shape: str | int) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def linear(self, values: str, weight: str, bias: str | None = None) -> str:
        """Add values @ weight.T + bias."""
        values = self("MatMul", values, self.constant(self.tensors[weight].T))
        return values if bias is None else self("Add", values, self.weight(bias))


def _embeddings(graph: _Graph, config: ModelConfig) -> str:
    """Add the words' vectors (U, E)."""
    parts = []
    embeddings = config.embeddings
    if embeddings.word or (embeddings.static and embeddings.static.trainable):
        graph.input("words", TensorProto.INT64, "U")
    if embeddings.word:
        parts.append(graph("Gather", graph.weight(WORDS), "words"))
    if embeddings.characters:
        graph.input("characters", TensorProto.INT64, "U", "C")
        spelling = _convolved if embeddings.characters.kind == "cnn" else _read
        parts.append(spelling(graph))
    if embeddings.shape:
        graph.input("shapes", TensorProto.INT64, "U")
        parts.append(graph("Gather", graph.weight(WORD_SHAPES), "shapes"))
    if embeddings.affixes:
        tables = 2 * len(embeddings.affixes.lengths)
        graph.input("affixes", TensorProto.INT64, "U", tables)
        for number in range(tables):
            column = graph("Gather", "affixes", graph.constant(np.int64(number)), axis=1)
            parts.append(graph("Gather", graph.weight(affix_table(number)), column))
    if embeddings.static:
        vectors = graph.input("static", TensorProto.FLOAT, "U", embeddings.static.width or 0)
        if embeddings.static.trainable:
            corrections = graph.tensors[STATIC_CORRECTIONS].copy()
            corrections[: UNK + 1] = 0
            vectors = graph("Add", vectors, graph("Gather", graph.constant(corrections), "words"))
        parts.append(vectors)
    return graph("Concat", *parts, axis=1)


def _spelled(graph: _Graph) -> tuple[str, str]:
    """Add the characters' vectors (U, C, S), zero for padding, and a mask (U, C) that is true for characters."""
    table = graph.tensors[CHARACTERS].copy()
    table[PAD] = 0
    there = graph("Not", graph("Equal", "characters", graph.constant(np.int64(PAD))))
    return graph("Gather", graph.constant(table), "characters"), there


def _convolved(graph: _Graph) -> str:
    vectors, there = _spelled(graph)
    half = graph.tensors[CHARACTER_FILTERS.weight].shape[2] // 2
    filtered = graph(
        "Conv",
        graph("Transpose", vectors, perm=[0, 2, 1]),
        graph.weight(CHARACTER_FILTERS.weight),
        graph.weight(CHARACTER_FILTERS.bias),
        pads=[half, half],
    )  # (U, F, C)
    somewhere = graph("Unsqueeze", there, graph.constant(np.array([1])))  # (U, 1, C)
    kept = graph("Where", somewhere, filtered, graph.constant(np.float32(0)))  # the rectifier comes last
    return graph("Relu", graph("ReduceMax", kept, graph.constant(np.array([2])), keepdims=0))


def _read(graph: _Graph) -> str:
    """Add the last states of a GRU over the characters; zeros for a word without any."""
    vectors, there = _spelled(graph)
    lengths = graph("ReduceSum", graph("Cast", there, to=TensorProto.INT32), graph.constant(np.array([1])), keepdims=0)
    at_least_one = graph("Max", lengths, graph.constant(np.int32(1)))
    inputs = graph("Transpose", vectors, perm=[1, 0, 2])  # (C, U, S)
    states = _recurrence(graph, "gru", CHARACTER_GRU, inputs, at_least_one, last=True)  # (2, U, H)
    both = graph("Transpose", states, perm=[1, 0, 2])
    flat = graph("Reshape", both, graph.constant(np.array([0, -1])))  # (U, 2H)
    spelled = graph("Cast", graph("Greater", lengths, graph.constant(np.int32(0))), to=TensorProto.FLOAT)
    return graph("Mul", flat, graph("Unsqueeze", spelled, graph.constant(np.array([1]))))


def _recurrence(graph: _Graph, cell: Cell, prefix: str, inputs: str, lengths: str, *, last: bool = False) -> str:
    """Add all states (T, 2, B, H) of both directions, or the `last` ones (2, B, H), from inputs (T, B, E)."""
    ordered = ([_ordered(stacked, cell) for stacked in weights] for weights in cell_weights(graph.tensors, prefix))
    from_input, from_state, *biases = map(np.stack, zip(*ordered, strict=True))  # (2, GH, …) each
    weights = [graph.constant(stacked) for stacked in (from_input, from_state, np.concatenate(biases, axis=1))]
    settings: dict[str, Any] = {"hidden_size": from_state.shape[2]}
    if _OPERATORS[cell] == "GRU":
        settings["linear_before_reset"] = int(cell == "gru")
    operator, outputs = _OPERATORS[cell], 2 if last else 1
    return graph(operator, inputs, *weights, lengths, outputs=outputs, direction="bidirectional", **settings)


def _ordered(stacked: Floats, cell: Cell) -> Floats:
    """Put the gates of weights (GH, …) into ONNX's order."""
    return np.concatenate([np.split(stacked, GATES[cell])[gate] for gate in _ORDER[cell]])


def _layer(graph: _Graph, config: EncoderConfig, number: int, inputs: str) -> str:
    """Add a recurrent layer with merge, normalisation and skip connection, (T, B, E) → (T, B, W)."""
    states = _recurrence(graph, config.stack[number].cell, layer_prefix(number), inputs, "lengths")
    if config.merge == "concat":
        together = graph("Transpose", states, perm=[0, 2, 1, 3])  # (T, B, 2, H)
        values = graph("Reshape", together, graph.constant(np.array([0, 0, -1])))
    else:
        reduction = "ReduceSum" if config.merge == "sum" else "ReduceMean"
        values = graph(reduction, states, graph.constant(np.array([1])), keepdims=0)
    if config.layer_norm:
        scale_and_shift = map(graph.weight, norm_tensors(number))
        values = graph("LayerNormalization", values, *scale_and_shift, axis=-1, epsilon=NORM_EPSILON)
    if config.skip:
        weight = skip_tensor(number)  # none where the widths are equal
        values = graph("Add", values, graph.linear(inputs, weight) if weight in graph.tensors else inputs)
    return values


def _feed_forward(graph: _Graph, vectors: str) -> str:
    """Add Linear, GELU in its tanh form, Linear."""
    inner, outer = FEED_FORWARD
    return graph.linear(graph("Gelu", graph.linear(vectors, *inner), approximate="tanh"), *outer)
