"""Compute what every layer of a model does on a sentence: gates, candidates and states.

The cells of `engines.reference_cells` run step by step, in double precision, from the stored weights. This is slow but
easy to read. Tests compare it with PyTorch's states and the engine's emissions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tagger.config import Cell, EncoderConfig
from tagger.engines.reference_cells import (
    NORM_EPSILON,
    CellWeights,
    cell_weights,
    gru_cell,
    gru_cell_reset_before,
    lstm_cell,
    rnn_cell,
)
from tagger.tensor_shapes import EMISSIONS, FEED_FORWARD, layer_prefix, norm_tensors, skip_tensor

Floats = NDArray[np.floating]
Doubles = NDArray[np.float64]
KEEP_GATES: dict[Cell, str | None] = {"gru": "update", "gru_reset_before": "update", "lstm": "forget", "rnn": None}
_GRU_CELLS = {"gru": gru_cell, "gru_reset_before": gru_cell_reset_before}


@dataclass(frozen=True)
class LayerTrace:
    """Trace of a bidirectional layer.

    Attributes:
        cell: kind of the cell.
        forward, backward: values of each direction by name, (T, H). Both are in the order of the tokens.
            GRU: reset, update, candidate, state. LSTM: input, forget, candidate, output, memory, state. RNN: state.
        output: (T, W) output of the layer: the states after merge, normalisation and skip connection, as configured.
    """

    cell: Cell
    forward: Mapping[str, Floats]
    backward: Mapping[str, Floats]
    output: Doubles

    @property
    def directions(self) -> dict[str, Mapping[str, Floats]]:
        return {"forward": self.forward, "backward": self.backward}


@dataclass(frozen=True)
class Trace:
    """Trace of a sentence through the network.

    Attributes:
        layers: in order.
        emissions: (T, K).
    """

    layers: Sequence[LayerTrace]
    emissions: Doubles


def trace(vectors: Floats, config: EncoderConfig, tensors: Mapping[str, Floats]) -> Trace:
    """Run a sentence through encoder and emissions.

    Args:
        vectors: (T, E) embeddings of the T words, T at least 1.
        config: settings of the model's encoder.
        tensors: the model's weights, by the names of `TaggerModel.state_dict()`.
    """
    weights = {name: tensor.astype(np.float64) for name, tensor in tensors.items() if not name.startswith("embed")}
    values = vectors.astype(np.float64)
    if config.feed_forward:
        values = _feed_forward(values, weights)
    layers = []
    for number, layer in enumerate(config.stack):
        rightward, leftward = cell_weights(weights, layer_prefix(number))
        forward = run_direction(layer.cell, values, rightward)
        backward = run_direction(layer.cell, values[::-1], leftward)
        backward = {what: array[::-1] for what, array in backward.items()}
        values = _layer_output(values, forward["state"], backward["state"], config, number, weights)
        layers.append(LayerTrace(layer.cell, forward, backward, values))
    return Trace(layers, values @ weights[EMISSIONS.weight].T + weights[EMISSIONS.bias])


def run_direction(cell: Cell, values: Doubles, weights: CellWeights) -> dict[str, Floats]:
    """Run one direction of a layer over a sentence from zero states. Return its values by name, (T, H) each.

    Args:
        cell: kind of the cell.
        values: (T, E) inputs in the order of reading.
        weights: weights of the direction.
    """
    state: Floats = np.zeros((1, weights.hidden.shape[1]))
    memory = state
    steps: list[dict[str, Floats]] = []
    for value in values[:, None]:  # (1, E)
        if cell == "rnn":
            found = {"state": rnn_cell(value, state, weights)}
        elif cell == "lstm":
            found = lstm_cell(value, state, memory, weights)._asdict()
            memory = found["memory"]
        else:
            found = _GRU_CELLS[cell](value, state, weights)._asdict()
        state = found["state"]
        steps.append(found)
    return {name: np.concatenate([step[name] for step in steps]) for name in steps[0]}


def _feed_forward(values: Doubles, weights: Mapping[str, Doubles]) -> Doubles:
    """Linear, GELU in its tanh form (Hendrycks & Gimpel 2016), Linear: (T, E) → (T, F)."""
    inner, outer = FEED_FORWARD
    x = values @ weights[inner.weight].T + weights[inner.bias]
    gelu = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return gelu @ weights[outer.weight].T + weights[outer.bias]


def _layer_output(
    values: Doubles,
    forward: Floats,
    backward: Floats,
    config: EncoderConfig,
    number: int,
    weights: Mapping[str, Doubles],
) -> Doubles:
    """Compute a layer's output (T, W) from its inputs and states: merge, normalisation, skip connection."""
    if config.merge == "concat":
        output = np.concatenate([forward, backward], axis=1)
    else:
        output = (forward + backward) * (0.5 if config.merge == "mean" else 1)
    if config.layer_norm:
        output = (output - output.mean(axis=1, keepdims=True)) / np.sqrt(
            output.var(axis=1, keepdims=True) + NORM_EPSILON
        )
        scale, shift = (weights[name] for name in norm_tensors(number))
        output = output * scale + shift
    if not config.skip:
        return output
    skip = weights.get(skip_tensor(number))  # none where the widths are equal
    return output + (values if skip is None else values @ skip.T)
